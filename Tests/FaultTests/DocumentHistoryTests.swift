import TestSupport
import Testing

/// Clients that create, replace, put, patch, delete, read and search for the same few documents at once, and whether one order of
/// things explains everything that they were told.
@Suite("Faults: the order of things", .serialized)
struct DocumentHistoryTests {
    @Test("documents are linearizable: reading and searching included")
    func linearizable() throws {
        try check(kills: 0, "linearizable")
    }

    @Test("they stay so when the responder is killed, whatever became of the requests under way")
    func linearizableWithKills() throws {
        try check(kills: count("QUIRE_HISTORY_KILLS", standard: 5), "linearizable with kill -9")
    }

    private func check(kills: Int, _ name: String) throws {
        let operations = count("QUIRE_HISTORY_OPERATIONS", standard: 200)
        let seed = seed(name, standard: 11)
        let history = try History(on: QuireInstance(noModel), seed: seed)
        let clients = (0..<8).map { number in
            Background { try history.run(client: number, operations: operations) }
        }

        for kill in 0..<kills {
            let goal = clients.count * operations * (kill + 1) / (kills + 1)
            try history.quire.waitUntil("clients go on") { history.finished >= goal }
            try history.quire.killResponder(restartingAtOnce: true)
        }
        for client in clients { try client.value() }
        // What is there at the end belongs to it.
        for document in history.documents.indices { try history.read(document) }

        let recorded = history.operations
        #expect(recorded.allSatisfy { $0.count > 50 })
        let illegal = Self.illegal(recorded)
        #expect(illegal == [])
        let all = recorded.flatMap { $0 }
        let answers = Set(all.map(\.kind))
        let both = ["create", "put", "patch", "delete"].flatMap { ["\($0) done", "\($0) refused"] }
        #expect(answers.isSuperset(of: both + ["replace done", "read found"]), "\(answers)")
        #expect(all.contains { $0.hasSeenPatch }, "nobody saw a document whose metadata alone had changed")
        let unknown = all.count { $0.answer == .unknown }
        #expect(unknown <= 8 * kills)
        report("\(name): operations, outcome unknown", "\(all.count), \(unknown)")
        report("\(name): documents without a legal order", "\(illegal.count)")
    }

    /// The documents of which no order explains the answers.
    private static func illegal(_ histories: [[Operation]]) -> [Int] {
        histories.indices.filter { !LinearizabilityCheck.isLinearizable(histories[$0]) }
    }
}

/// What clients did with ten documents of one Quire.
private final class History: Sendable {
    let quire: QuireInstance
    let documents: [String]
    private let library: String
    private let seed: UInt64
    private let begin = ContinuousClock.now
    private let recorded: Shared<[[Operation]]>
    private let finishedOperations = Shared(0)

    init(on quire: QuireInstance, seed: UInt64) throws {
        (self.quire, self.seed) = (quire, seed)
        library = try quire.createVectorLibrary(index: "hnsw")
        var chance = SplitMix(seed: seed)
        documents = (0..<10).map { _ in chance.uuid() }
        recorded = Shared(documents.map { _ in [] })
    }

    /// What was done with each of the documents.
    var operations: [[Operation]] { recorded.current }
    var finished: Int { finishedOperations.current }

    func run(client: Int, operations: Int) throws {
        var chance = SplitMix(seed: seed &+ UInt64(client) &+ 1)
        for number in 0..<operations {
            let document = documents.indices.randomElement(using: &chance)!
            let version = client * operations + number
            switch Int.random(in: 0..<14, using: &chance) {
            case 0..<2: try change(document, .create(version))
            case 2..<4: try change(document, .replace(version))
            case 4..<6: try change(document, .put(version))
            case 6..<8: try change(document, .patch(version))
            case 8..<10: try delete(document)
            case 10..<12: try read(document)
            default: try search(isExact: Bool.random(using: &chance))
            }
            finishedOperations.update { $0 += 1 }
        }
    }

    private func change(_ document: Int, _ action: Operation.Action) throws {
        let id = documents[document]
        try record(document, action) {
            switch action {
            case .create(let version):
                let reply = try quire.post("/v1/libraries/\(library)/documents/with-embeddings", body(document, version))
                return reply.status == 409 ? .refused : try answer(to: reply, success: 201)
            case .replace(let version):
                let target = "/v1/libraries/\(library)/documents/with-embeddings?on_conflict=replace"
                return try answer(to: quire.post(target, body(document, version)), success: 201)
            case .put(let version): return try answer(toChangeOfExisting: send("PUT", id, body(document, version)))
            case .patch(let version): return try answer(toChangeOfExisting: send("PATCH", id, #"{"title":"\#(version)"}"#))
            case .delete, .read: preconditionFailure("no change with a number")
            }
        }
    }

    private func body(_ document: Int, _ version: Int) -> String {
        #"{"id":"\#(documents[document])","title":"\#(version)","chunks":[{"text":"\#(version)","embedding":\#(vector(document))}]}"#
    }

    private func send(_ method: String, _ document: String, _ json: String) throws -> HTTPReply {
        try quire.send(method, "/v1/documents/\(document)", headers: ["Content-Type": "application/json"], body: Array(json.utf8))
    }

    private func answer(toChangeOfExisting reply: HTTPReply) throws -> Operation.Answer? {
        reply.status == 404 ? .refused : try answer(to: reply, success: 200)
    }

    private func delete(_ document: Int) throws {
        try record(document, .delete) {
            let reply = try quire.deleteDocument(documents[document])
            return reply.status == 404 ? .refused : try answer(to: reply, success: 204)
        }
    }

    func read(_ document: Int) throws {
        try record(document, .read) {
            let reply = try quire.get("/v1/documents/\(documents[document])")
            switch reply.status {
            case 404: return .found(nil)
            case 200:
                let chunk = try #require(reply.json["chunks"]?[0])
                return .found(try version(title: reply.json["metadata"]?["title"]?.string, text: chunk["text"]?.string))
            default: return try answer(to: reply, success: 200)
            }
        }
    }

    /// A search that finds all that is there reads every document.
    private func search(isExact: Bool) throws {
        let start = now
        let reply = try quire.search(library, for: vector(0), count: 2 * documents.count, isExact: isExact)
        guard reply.status == 200 else { return _ = try answer(to: reply, success: 200) }
        let end = now
        let hits = Dictionary(grouping: try reply.hits()) { $0.document }
        for (index, document) in documents.enumerated() {
            let found = hits[document] ?? []
            guard found.count <= 1 else { throw QuireInstance.Failed(what: "a search finds \(document) \(found.count) times") }
            let version = try found.first.map { try self.version(title: $0.title, text: $0.text) }
            record(index, Operation(action: .read, answer: .found(version), start: start, end: end))
        }
    }

    private func vector(_ document: Int) -> [Float] { (0..<Load.dimension).map { Float(document + $0 + 1) } }

    private func version(title: String?, text: String?) throws -> Version {
        guard let metadata = title.flatMap({ Int($0) }), let chunks = text.flatMap({ Int($0) }) else {
            throw QuireInstance.Failed(what: "no version: \(title ?? "no title"), \(text ?? "no text")")
        }
        return Version(metadata: metadata, chunks: chunks)
    }

    // MARK: Records

    private var now: UInt64 { UInt64((ContinuousClock.now - begin) / .nanoseconds(1)) }

    private func answer(to reply: HTTPReply, success: Int) throws -> Operation.Answer? {
        switch Oracle.Outcome(of: reply, success: success) {
        case .acknowledged: .done
        // Nothing was tried.
        case .refused: nil
        case .unknown: .unknown
        case nil: throw QuireInstance.Failed(what: "\(reply.status) \(reply.text)")
        }
    }

    private func record(_ document: Int, _ action: Operation.Action, _ send: () throws -> Operation.Answer?) throws {
        let start = now
        guard let answer = try send() else { return }
        // A reading that was not answered says nothing.
        guard action != .read || answer != .unknown else { return }
        record(document, Operation(action: action, answer: answer, start: start, end: answer == .unknown ? .max : now))
    }

    private func record(_ document: Int, _ operation: Operation) {
        recorded.update { $0[document].append(operation) }
    }
}

extension Operation {
    /// As "create done", without the numbers.
    fileprivate var kind: String {
        ["\(action)", "\(answer)"].map { text in text.prefix { $0 != "(" } }.joined(separator: " ")
    }

    fileprivate var hasSeenPatch: Bool {
        guard case .found(let version?) = answer else { return false }
        return version.metadata != version.chunks
    }
}
