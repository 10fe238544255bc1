import Glibc
import TestSupport
import Testing

/// Restarts of every part under load. Proves that a part that is replaced in order fails no request, and that one that is killed fails
/// those alone that were under way, each of which is told so.
@Suite("Faults: restarts under load", .serialized)
struct RestartTests {
    @Test(
        "four graceful restarts of the responder fail no request, it ends within five seconds each time, and nobody waits longer than it is away and 50 ms"
    )
    func graceful() throws {
        let clients = try LoadedServer(clients: 8)
        var ends: [Duration] = []
        var gaps: [Duration] = []
        for round in 0..<4 {
            let first = try #require(clients.quire.responder)
            let signal = ContinuousClock.now
            // To the supervisor, which replaces the responder; or to the responder itself, as an operator would by mistake.
            if round % 2 == 0 { clients.quire.signalServer(SIGHUP) } else { kill(first, SIGTERM) }
            try clients.quire.waitUntil("the responder has ended") { kill(first, 0) != 0 }
            ends.append(ContinuousClock.now - signal)
            try clients.quire.waitUntil("the responder is replaced") { clients.quire.responder.map { $0 != first } ?? false }
            try clients.waitForAnswers(200)
            gaps.append(try #require(clients.firstAnswerOfSuccessor(after: signal)) - signal)
        }
        let answers = try clients.stop()

        #expect(answers.allSatisfy { $0.status == 200 || $0.status == 201 }, "\(answers.statuses)")
        #expect(ends.max()! <= .seconds(5))
        let longest = try #require(answers.map(\.time).max())
        #expect(longest <= gaps.max()! + .milliseconds(50))
        #expect(try clients.storedDocuments() == answers.count { $0.status == 201 })
        report("four graceful restarts under load: failed requests", "0 of \(answers.count)")
        report(
            "four graceful restarts under load: longest wait, longest restart, longest time to end",
            "\(longest.inMilliseconds) ms, \(gaps.max()!.inMilliseconds) ms, \(ends.max()!.inMilliseconds) ms")
    }

    @Test(
        "a responder that is told to end does so within five seconds without taking a processor for it, idle or held up by connections on which nobody speaks",
        // Only root can reach the socket of a server.
        arguments: geteuid() == 0 ? [0, 3] : [0])
    func quietEnd(silentConnections: Int) throws {
        let quire = try QuireInstance(noModel)
        _ = try quire.createLibrary()
        let silent = try (0..<silentConnections).map { _ in try SilentConnection(to: quire) }
        // Whoever came before has a worker by now.
        #expect(try quire.get("/ready").status == 200)
        let responder = try #require(quire.responder)
        let before = try ProcessorTime(of: responder)
        let endedBefore = try ProcessorTime(of: before.parent).ended

        let signal = ContinuousClock.now
        kill(responder, SIGTERM)
        try quire.waitUntil("the responder has ended") { kill(responder, 0) != 0 }
        let time = ContinuousClock.now - signal

        let used = try ProcessorTime(of: before.parent).ended - endedBefore - before.own
        withExtendedLifetime(silent) {}
        #expect(time <= .seconds(5))
        // One thread that spins takes as long as there is to wait. Without anybody to wait for, closing the log is all there is to do.
        #expect(used <= .milliseconds(500))
        try quire.waitUntilReady()
        report(
            "SIGTERM to a responder with \(silentConnections) silent connections: time to end, time on a processor",
            "\(time.inMilliseconds) ms, \(used.inMilliseconds) ms")
    }

    @Test(
        "five reloads of nginx under load of eight clients that keep their connections fail nothing; at most five connections a reload are closed just when one is used again"
    )
    func keptConnections() throws {
        struct Tally {
            var statuses: [Int: Int] = [:]
            var failures: [String] = []
            /// Requests on a connection that was closed at that moment, by whether they write.
            var resets = [false: 0, true: 0]
            var openings = 0
        }
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary(dimension: 3)
        let isOver = Shared(false)
        let tallies = (0..<8).map { _ in Shared(Tally()) }
        let clients = tallies.indices.map { number in
            let (tally, writes) = (tallies[number], number % 2 == 1)
            let path = "/v1/libraries/\(library)/" + (writes ? "documents/with-embeddings" : "search/embedding")
            let body = writes ? #"{"title":"t","chunks":[{"text":"a","embedding":[1,2,3]}]}"# : #"{"embedding":[1,2,3]}"#
            return Background {
                let connection = KeptConnection(port: quire.port)
                while !isOver.current {
                    // What a client does between two requests. With none, requests are always waiting for nginx, which does not read them
                    // any more when it is told to go on with other settings.
                    poll(nil, 0, 1)
                    let result = Result { try connection.post(path, body) }
                    tally.update { tally in
                        tally.openings = connection.openings
                        switch result {
                        case .success(let reply?): tally.statuses[reply.status, default: 0] += 1
                        case .success(nil): tally.resets[writes]! += 1
                        case .failure(let error): tally.failures.append("\(error)")
                        }
                    }
                }
            }
        }
        func resets() -> Int { tallies.reduce(0) { $0 + $1.current.resets.values.reduce(0, +) } }
        func answers() -> Int { tallies.reduce(0) { $0 + $1.current.statuses.values.reduce(0, +) } }

        var resetsOfReloads: [Int] = []
        for _ in 1...5 {
            let goal = answers() + 200
            try quire.waitUntil("200 more answers") { answers() >= goal }
            let (openingsBefore, resetsBefore) = (tallies.map(\.current.openings), resets())
            let reload = try quire.run("quire", "nginx", "reload")
            #expect(reload.wait() == 0, "\(reload.errors)")
            try quire.waitUntil("every client has another connection") {
                zip(tallies, openingsBefore).allSatisfy { $0.current.openings > $1 }
            }
            resetsOfReloads.append(resets() - resetsBefore)
        }
        isOver.set(true)
        for client in clients { try client.value() }

        let results = tallies.map(\.current)
        let openings = results.reduce(0) { $0 + $1.openings }
        let written = results.reduce(0) { $0 + $1.statuses[201, default: 0] }
        let unknown = results.reduce(0) { $0 + $1.resets[true, default: 0] }
        #expect(results.flatMap(\.failures) == [])
        #expect(Set(results.flatMap(\.statuses.keys)) == [200, 201])
        #expect(resetsOfReloads.allSatisfy { $0 <= 5 }, "\(resetsOfReloads)")
        #expect(openings * 10 < answers(), "connections were not kept")
        let stored = try #require(try quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer)
        #expect((written...written + unknown).contains(stored))
        report(
            "five reloads of nginx under 8 clients that keep their connections: answers, connections closed in use, of each reload",
            "\(answers()), \(resets()), \(resetsOfReloads)")
    }

    @Test("kill -9 of the responder fails those requests that were under way, as 503 with Retry-After, and no other")
    func killed() throws {
        let clients = try LoadedServer(clients: 8)
        for _ in 0..<3 {
            try clients.quire.killResponder()
            try clients.waitForAnswers(200)
        }
        let answers = try clients.stop()

        let failed = answers.filter { $0.status != 200 && $0.status != 201 }
        #expect(failed.allSatisfy { $0.status == 503 && $0.isRetriable }, "\(answers.statuses)")
        // Of each client one at a time.
        #expect(failed.count <= 3 * 8)
        // What failed may have been stored; what was acknowledged was.
        let acknowledged = answers.count { $0.status == 201 }
        #expect((acknowledged...acknowledged + failed.count).contains(try clients.storedDocuments()))
        report(
            "kill -9 of the responder under load, three times: failed requests",
            "\(failed.count) of \(answers.count), all 503 with Retry-After")
    }

    @Test("kill -9 of nginx loses nothing that was acknowledged")
    func nginxKilled() throws {
        var chance = SplitMix(seed: seed("kill -9 of nginx", standard: 55))
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary()
        let oracle = Oracle()
        let isOver = Shared(false)
        let clients = (0..<4).map { _ in
            let first = chance.next()
            return Background {
                var chance = SplitMix(seed: first)
                while !isOver.current {
                    let document = chance.document(chunks: 3, dimension: Load.dimension)
                    // Nobody listens, or closes without a word: the client knows nothing.
                    oracle.put(document) { Oracle.Outcome(of: try? quire.put(document, in: library), success: 201) ?? .unknown }
                }
            }
        }
        for _ in 0..<5 {
            let goal = oracle.acknowledgements + 100
            try quire.waitUntil("documents are acknowledged") { oracle.acknowledgements > goal }
            try quire.killNginx()
            try quire.startNginx()
        }
        isOver.set(true)
        for client in clients { try client.value() }

        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(oracle.violations(in: contents) == [])
        report(
            "kill -9 of nginx, five times: acknowledged changes, lost",
            "\(oracle.acknowledgements), \(oracle.violations(in: contents).count)")
    }
}

/// A Quire with clients that search and write, one request after the other, and keep what they were told.
private final class LoadedServer: Sendable {
    struct Answer: Sendable {
        let end: ContinuousClock.Instant
        let time: Duration
        let status: Int
        /// It says when to try again, in the shape of every error.
        let isRetriable: Bool
    }

    let quire: QuireInstance
    private let library: String
    private let answers = Shared<[Answer]>([])
    private let isOver = Shared(false)
    private let clients = Shared<[Background<Void>]>([])

    init(clients count: Int) throws {
        quire = try QuireInstance(noModel)
        library = try quire.createVectorLibrary(dimension: 3)
        for number in 0..<count {
            clients.update { $0.append(Background { [self] in while !isOver.current { ask(number) } }) }
        }
        try waitForAnswers(100)
    }

    private func ask(_ number: Int) {
        let path = "/v1/libraries/\(library)/"
        let start = ContinuousClock.now
        let reply =
            number % 2 == 0
            ? try? quire.post(path + "search/embedding", #"{"embedding":[1,2,3]}"#)
            : try? quire.post(path + "documents/with-embeddings", #"{"title":"t","chunks":[{"text":"a","embedding":[1,2,3]}]}"#)
        let isRetriable = reply?["retry-after"] != nil && reply?.json["error_type"] == "UnavailableError"
        let end = ContinuousClock.now
        // No reply at all is 0.
        answers.update { $0.append(Answer(end: end, time: end - start, status: reply?.status ?? 0, isRetriable: isRetriable)) }
    }

    func waitForAnswers(_ count: Int) throws {
        let goal = answers.current.count + count
        try quire.waitUntil("\(count) more answers") { answers.update { $0.count } >= goal }
    }

    /// When the next responder first answered: with the first answer after the longest pause since a moment.
    func firstAnswerOfSuccessor(after moment: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        let ends = [moment] + answers.current.map(\.end).filter { $0 > moment }.sorted()
        return zip(ends, ends.dropFirst()).max { $0.1 - $0.0 < $1.1 - $1.0 }?.1
    }

    func stop() throws -> [Answer] {
        isOver.set(true)
        for client in clients.current { try client.value() }
        return answers.current
    }

    func storedDocuments() throws -> Int {
        try #require(try quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer)
    }
}

extension [LoadedServer.Answer] {
    fileprivate var statuses: [Int: Int] { Dictionary(map { ($0.status, 1) }, uniquingKeysWith: +) }
}
