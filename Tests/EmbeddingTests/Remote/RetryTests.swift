import TestSupport
import Testing

@testable import Embedding

@Suite("Retry") struct RetryTests {
    private let ok = StubServer.Answer.json(200, ["embeddings": [[1, 0, 0, 0]]])

    /// Embeds one text with an Ollama that answers the first calls with these and then as it should.
    private func embed(
        _ clock: TestClock, within limit: Duration? = nil, _ answers: [StubServer.Answer]
    ) throws -> (result: Result<Embeddings, EmbeddingError>, requests: Int) {
        let ok = ok
        let server = StubServer { _, before in before < answers.count ? answers[before] : ok }
        let provider = makeProvider(.ollama, server, clock: clock)
        let result = Result { () throws(EmbeddingError) in
            try provider.embed(["x"], as: .query, deadline: limit.map { clock.now + $0 })
        }
        return (result, server.requests.count)
    }

    @Test("an error that may pass is tried again", arguments: [408, 409, 429, 500, 502, 503, 504, 529])
    func transient(status: Int) throws {
        let clock = TestClock()

        let (result, requests) = try embed(clock, [.json(status, [:])])

        #expect(try result.get().values == [1, 0, 0, 0])
        #expect(requests == 2 && clock.pauses == [.seconds(1)])
    }

    @Test(
        "an error that does not pass is not tried again", arguments: [300, 301, 307, 400, 401, 402, 403, 404, 405, 410, 413, 418, 422, 498])
    func final(status: Int) throws {
        let clock = TestClock()

        let (result, requests) = try embed(clock, [.json(status, [:])])

        guard case .failure(.providerFailed("m", "ollama", status, let reason)) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(!reason.isEmpty && requests == 1 && clock.pauses.isEmpty)
    }

    @Test("a connection that breaks is tried again")
    func disconnected() throws {
        let broken = StubServer.Answer.raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".utf8))
        let clock = TestClock()

        let (result, requests) = try embed(clock, [broken, .raw([]), broken])

        #expect(try result.get().count == 1)
        // libcurl itself tries a kept connection once more that the server closes without a word; there is none kept here.
        #expect(requests == 4 && clock.pauses == [.seconds(1), .seconds(2), .seconds(4)])
    }

    @Test("pauses double, and after five calls the last error is given")
    func gaveUp() throws {
        let clock = TestClock()

        let (result, requests) = try embed(clock, Array(repeating: .json(500, [:]), count: 9))

        #expect(
            result.failure == .providerFailed(model: "m", provider: "ollama", status: 500, reason: "it failed"))
        #expect(requests == 5 && clock.pauses == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
    }

    @Test("no pause is longer than a minute, and chance takes up to a fifth of it")
    func pauses() {
        let policy = RetryPolicy(attempts: 100)
        func pause(_ failures: Int, chance: Double) -> Duration? {
            policy.pause(after: failures, retryAfter: nil, before: nil, clock: TestClock(chance: chance).remote)
        }

        #expect((1...9).map { pause($0, chance: 0) } == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
        #expect(pause(99, chance: 0) == .seconds(60))
        #expect(pause(1, chance: 0.5) == .milliseconds(900))
        #expect(pause(3, chance: 0.999_999)! >= .milliseconds(3200))
        #expect(pause(100, chance: 0) == nil)
    }

    @Test(
        "Retry-After is honoured, as seconds and as a date",
        arguments: [
            ("7", 7), ("0", 1), ("60", 60), ("Fri, 15 Jan 2027 08:00:20 GMT", 20), ("Friday, 15-Jan-27 08:00:09 GMT", 9),
            ("Fri Jan 15 08:00:30 2027", 30), ("Thu, 14 Jan 2027 08:00:00 GMT", 1), ("soon", 1), ("", 1), ("-5", 1), ("1.5", 1),
        ])
    func retryAfter(header: String, seconds: Int) throws {
        // 15 January 2027, 08:00:00 GMT.
        let clock = TestClock(seconds: 1_800_000_000)

        let (result, _) = try embed(clock, [.json(429, headers: ["Retry-After": header], [:])])

        #expect(try result.get().count == 1)
        #expect(clock.pauses == [.seconds(seconds)], "\(header)")
    }

    @Test(
        "a provider that asks for more than a minute is not waited for",
        arguments: ["61", "9223372036854775807", "Fri, 15 Jan 2027 08:01:01 GMT"])
    func patience(header: String) throws {
        let clock = TestClock(seconds: 1_800_000_000)

        let (result, requests) = try embed(clock, [.json(429, headers: ["Retry-After": header], [:])])

        #expect(result.failure == .providerFailed(model: "m", provider: "ollama", status: 429, reason: "too many requests"))
        #expect(requests == 1 && clock.pauses.isEmpty)
    }

    /// With pauses of a minute: what is left for the last call is real time, in which the stub has to answer.
    @Test("no pause ends after the caller's deadline: the error comes at once", arguments: [(179, 3), (120, 2), (59, 1)])
    func deadline(seconds: Int, calls: Int) throws {
        let clock = TestClock()
        let answer = StubServer.Answer.json(503, headers: ["Retry-After": "60"], [:])

        let (result, requests) = try embed(clock, within: .seconds(seconds), Array(repeating: answer, count: 9))

        #expect(result.failure == .providerFailed(model: "m", provider: "ollama", status: 503, reason: "it failed"))
        #expect(requests == calls && clock.now - clock.start < .seconds(seconds))
    }

    @Test("a pause that nobody asked for does not end after the deadline either", arguments: [(3500, 3), (2500, 2), (1000, 1)])
    func ownPauses(milliseconds: Int, calls: Int) {
        let clock = TestClock()
        let deadline = clock.start + .milliseconds(milliseconds)
        var made = 1
        while let pause = RetryPolicy().pause(after: made, retryAfter: nil, before: deadline, clock: clock.remote) {
            clock.advance(by: pause)
            made += 1
        }

        #expect(made == calls && clock.now < deadline)
    }

    @Test("a server that hangs is left at the deadline")
    func hang() throws {
        let start = ContinuousClock.now

        let (result, requests) = try embed(TestClock(), within: .milliseconds(200), [.silence])

        guard case .failure(.providerFailed("m", "ollama", nil, let reason)) = result else {
            Issue.record("\(result)")
            return
        }
        // The stub may not have come to read it by then.
        #expect(reason.hasPrefix("no answer within") && requests <= 1 && ContinuousClock.now - start < .seconds(60))
    }

    @Test("after the deadline nobody is asked")
    func late() throws {
        let (result, requests) = try embed(TestClock(), within: .seconds(-1), [])

        #expect(result.failure == .deadlineExceeded && requests == 0)
    }

    @Test("a quota that is used up is no reason to wait", arguments: [("insufficient_quota", 1), ("rate_limit_exceeded", 2)])
    func quota(code: String, requests: Int) throws {
        let clock = TestClock()
        let server = StubServer { request, before in
            before == 0
                ? .json(429, ["error": ["message": "You exceeded", "type": "requests", "code": .string(code)]])
                : RemoteProviderKind.openai.answer(request, dimension: 4)
        }
        let provider = makeProvider(.openai, server, clock: clock)

        let result = Result { () throws(EmbeddingError) in try provider.embed(["x"], as: .query) }

        #expect(server.requests.count == requests)
        if requests == 1 {
            #expect(
                result.failure
                    == .providerFailed(
                        model: "m", provider: "openai", status: 429, reason: "too many requests (insufficient_quota)"))
        }
    }
}

extension Result {
    var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}

@Suite("Clock of the system") struct RemoteClockTests {
    @Test("sleeps as long as it is told, knows the time and rolls dice")
    func system() {
        let clock = RemoteClock.system
        let start = clock.now()

        clock.sleep(.milliseconds(2))
        clock.sleep(.seconds(-1))

        #expect(clock.now() - start >= .milliseconds(2))
        // After the year 2025.
        #expect(clock.secondsSince1970() > 1_760_000_000)
        #expect((0..<100).allSatisfy { _ in (0..<1).contains(clock.random()) })
    }
}
