import Glibc

/// Clients that use one library of a Quire all at once: some write, some delete, some search, one takes snapshots. What they are told
/// goes to an oracle.
package final class Load: Sendable {
    package static let dimension = 8
    package static let chunksPerDocument = 10
    private static let changesPerSnapshot = 100

    private struct Gate {
        var isPaused = false
        var isStopped = false
        var busy = 0
        /// Documents that nobody has tried to delete, oldest first from `firstStored` on.
        var stored: [String] = []
        var firstStored = 0
        var storedCount: Int { stored.count - firstStored }
        var surprises: [String] = []
        var searches = 0
        /// Vectors to search for.
        var recent: [Float] = [Float](repeating: 1, count: Load.dimension)
    }

    private let quire: QuireInstance
    private let library: String
    private let oracle: Oracle
    private let documentLimit: Int
    private let gate = Shared(Gate())
    private let clients = Shared<[Background<Void>]>([])

    /// Starts the clients.
    ///
    /// - Parameters:
    ///   - library: of `Load.dimension` dimensions and the metric l2.
    ///   - documentLimit: how many documents there are when as many are deleted as written.
    package init(
        on quire: QuireInstance, library: String, _ oracle: Oracle, writers: Int = 8, deleters: Int = 2, searchers: Int = 4,
        takesSnapshots: Bool = true, documentLimit: Int, seed: UInt64
    ) {
        (self.quire, self.library, self.oracle, self.documentLimit) = (quire, library, oracle, documentLimit)
        func start(_ count: Int, _ body: @escaping @Sendable (Load, Int) throws -> Void) {
            for number in 0..<count {
                let client = Background { [self] in try body(self, number) }
                clients.update { $0.append(client) }
            }
        }
        start(writers) { load, number in load.write(seed: seed &+ UInt64(number)) }
        start(deleters) { load, _ in load.deleteOldest() }
        start(searchers) { load, number in load.search(isExact: number % 2 == 0) }
        start(takesSnapshots ? 1 : 0) { load, _ in load.takeSnapshots() }
    }

    /// Answers that no fault explains, and what searches found that cannot be.
    package var surprises: [String] { gate.update { $0.surprises } }
    /// Searches that were answered.
    package var searches: Int { gate.update { $0.searches } }

    /// Returns when no request is under way; none is begun until `resume`.
    package func pause() {
        gate.update { $0.isPaused = true }
        gate.wait { $0.busy == 0 }
    }

    package func resume() { gate.update { $0.isPaused = false } }

    /// Ends all clients.
    package func stop() throws {
        gate.update { $0.isStopped = true }
        for client in clients.current { try client.value() }
    }

    /// Waits until that many more changes are acknowledged.
    package func waitForAcknowledgements(_ count: Int) {
        let goal = oracle.acknowledgements + count
        gate.wait { _ in oracle.acknowledgements >= goal }
    }

    // MARK: Clients

    private func write(seed: UInt64) {
        var generator = SplitMix(seed: seed)
        repeatedly(when: { $0.storedCount < documentLimit }) {
            let document = generator.document(chunks: Self.chunksPerDocument, dimension: Self.dimension)
            let outcome = oracle.put(document) { self.outcome(of: try? quire.put(document, in: library), success: 201) }
            guard outcome == .acknowledged else { return }
            gate.update { gate in
                gate.stored.append(document.id)
                gate.recent = document.chunks[0].vector
            }
        }
    }

    private func deleteOldest() {
        repeatedly(when: { $0.storedCount > documentLimit * 9 / 10 }) {
            let oldest = gate.update { gate -> String? in
                guard gate.storedCount > 0 else { return nil }
                defer { gate.firstStored += 1 }
                return gate.stored[gate.firstStored]
            }
            guard let oldest else { return }
            oracle.delete(oldest) { outcome(of: try? quire.deleteDocument(oldest), success: 204) }
        }
    }

    private func search(isExact: Bool) {
        repeatedly {
            let (start, query) = (ContinuousClock.now, gate.update { $0.recent })
            guard let reply = try? quire.search(library, for: query, count: 10, isExact: isExact) else { return surprise(nil) }
            guard reply.status == 200 else { return reply.status == 503 ? () : surprise(reply) }
            guard let hits = try? reply.hits() else { return surprise(reply) }
            let violations = oracle.violations(inSearch: hits.map { ($0.chunk, $0.text) }, since: start)
            gate.update { gate in
                gate.searches += 1
                gate.surprises += violations.map { "\($0)" }
            }
        }
    }

    private func takeSnapshots() {
        var due = 0
        repeatedly(when: { _ in oracle.acknowledgements >= due }) {
            due = oracle.acknowledgements + Self.changesPerSnapshot
            // Whether one is taken or the responder is killed meanwhile makes no difference to what was acknowledged.
            guard let reply = try? quire.post("/v1/admin/snapshots", ""), [201, 503, 507].contains(reply.status) else {
                return surprise(nil)
            }
        }
    }

    private func repeatedly(when isDue: (Gate) -> Bool = { _ in true }, _ body: () -> Void) {
        while enter(when: isDue) {
            body()
            gate.update { $0.busy -= 1 }
        }
    }

    /// Waits until a client has something to do; false when there is nothing to do any more.
    private func enter(when isDue: (Gate) -> Bool) -> Bool {
        gate.wait(until: { $0.isStopped || !$0.isPaused && isDue($0) }) { gate in
            guard !gate.isStopped else { return false }
            gate.busy += 1
            return true
        }
    }

    private func outcome(of reply: HTTPReply?, success: Int) -> Oracle.Outcome {
        guard let outcome = Oracle.Outcome(of: reply, success: success) else {
            surprise(reply)
            return .unknown
        }
        return outcome
    }

    private func surprise(_ reply: HTTPReply?) {
        gate.update { $0.surprises.append(reply.map { "\($0.status) \($0.text)" } ?? "no reply") }
    }
}

extension Oracle.Outcome {
    /// What a reply says about a change; nil if it is none that a change may be answered with.
    package init?(of reply: HTTPReply?, success: Int) {
        switch reply?.status {
        case success: self = .acknowledged
        case 507: self = .refused
        // A machine as busy as a test's may take its time to load. Nothing was tried.
        case 503 where reply?.json["detail"]?.string == "The server is starting": self = .refused
        // The responder ended before it could say what became of the request.
        case 503 where reply?["retry-after"] != nil && reply?.json["error_type"]?.string == "UnavailableError": self = .unknown
        default: return nil
        }
    }
}

extension SplitMix {
    /// A document unlike every other one.
    package mutating func document(chunks: Int, dimension: Int) -> Oracle.Document {
        let id = uuid()
        return Oracle.Document(
            id: id, title: "title of \(id)",
            chunks: (0..<chunks).map { number in
                // Whole numbers, so that distances are exact and only the vector itself is at distance 0.
                let vector = (0..<dimension).map { _ in Float(Int.random(in: 1...4095, using: &self)) }
                return Oracle.Document.Chunk(id: uuid(), text: "text \(number) of \(id)", vector: vector)
            })
    }

    package mutating func uuid() -> String {
        func digits(_ number: UInt64, _ count: Int) -> String {
            let text = String(number, radix: 16)
            return String(repeating: "0", count: max(0, count - text.count)) + text.suffix(count)
        }
        let (high, low) = (next(), next())
        return [
            digits(high >> 32, 8), digits(high >> 16 & 0xffff, 4), "4" + digits(high & 0xfff, 3), "8" + digits(low >> 48 & 0xfff, 3),
            digits(low & 0xffff_ffff_ffff, 12),
        ].joined(separator: "-")
    }
}
