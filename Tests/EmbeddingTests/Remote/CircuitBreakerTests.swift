import TestSupport
import Testing

@testable import Embedding

@Suite("Circuit breaker") struct CircuitBreakerTests {
    private let start = ContinuousClock.now

    private func isOpen(_ breaker: CircuitBreaker, at seconds: Int) -> Bool {
        do {
            try breaker.enter(at: start + .seconds(seconds))
            return false
        } catch {
            return true
        }
    }

    private func fail(_ breaker: CircuitBreaker, _ times: Int, at seconds: Int = 0) {
        for _ in 0..<times {
            #expect(!isOpen(breaker, at: seconds))
            breaker.leave(.failure(reason: "r"), at: start + .seconds(seconds))
        }
    }

    @Test("opens after failures in a row, and lets one call through after its rest")
    func opens() {
        let breaker = CircuitBreaker()
        fail(breaker, CircuitBreaker.limit)

        #expect(isOpen(breaker, at: 0) && isOpen(breaker, at: 29))
        #expect(breaker.current(at: start + .seconds(10)) == .init(remaining: .seconds(20), reason: "r"))
        #expect(breaker.current(at: start + .seconds(30)) == nil)
        #expect(!isOpen(breaker, at: 30), "the one that tries")
        #expect(isOpen(breaker, at: 30), "the others wait for it")

        breaker.leave(.failure(reason: "r"), at: start + .seconds(31))
        #expect(isOpen(breaker, at: 60) && !isOpen(breaker, at: 61))

        breaker.leave(.success, at: start + .seconds(61))
        fail(breaker, CircuitBreaker.limit - 1, at: 62)
        #expect(!isOpen(breaker, at: 62), "it counts anew")
    }

    @Test("a success between failures closes it, what says nothing does not")
    func rows() {
        let breaker = CircuitBreaker()
        fail(breaker, 4)
        breaker.leave(.success, at: start)
        fail(breaker, 4)
        breaker.leave(.neither, at: start)
        #expect(!isOpen(breaker, at: 0))

        fail(breaker, 1)
        #expect(isOpen(breaker, at: 0))

        // The one that tries is not answered; the next may.
        #expect(!isOpen(breaker, at: 40))
        breaker.leave(.neither, at: start + .seconds(40))
        #expect(!isOpen(breaker, at: 40))
    }

    @Test(
        "a provider that is down, or answers nonsense, is left alone and says so at once",
        arguments: [
            (StubServer.Answer.json(500, [:]), "status 500: it failed"), (.json(429, [:]), "status 429: too many requests"),
            (.reply(200, body: Array("<html>".utf8)), "status 200: its answer is not JSON"),
            (.json(200, ["embeddings": [[1, 2]]]), "status 200: vector 0 has 2 numbers, the model has 4"),
        ])
    func embedding(answer: StubServer.Answer, reason: String) throws {
        let isUp = Shared(false)
        let server = StubServer { request, _ in
            isUp.current ? RemoteProviderKind.ollama.answer(request, dimension: 4) : answer
        }
        let clock = TestClock()
        let provider = makeProvider(.ollama, server, clock: clock)
        func ask() -> EmbeddingError? {
            Result { () throws(EmbeddingError) in try provider.embed(["x"], as: .query) }.failure
        }
        while provider.endpoint.refusal == nil, server.requests.count < 20 { #expect(ask() != nil) }
        let asked = server.requests.count

        let open = #expect(throws: EmbeddingError.self) { try provider.embed(["x"], as: .query) }

        #expect(asked == CircuitBreaker.limit && server.requests.count == asked)
        guard case .providerResting("m", "ollama", let remaining, reason) = open else {
            Issue.record("\(String(describing: open))")
            return
        }
        #expect(remaining > .zero && remaining <= .seconds(30))

        isUp.set(true)
        clock.advance(by: .seconds(30))
        #expect(try provider.embed(["x", "y"], as: .query).count == 2)
        #expect(provider.endpoint.refusal == nil)
    }

    @Test("requests that the provider does not like do not open it")
    func badRequests() {
        let server = StubServer { _, _ in .json(400, [:]) }
        let provider = makeProvider(.ollama, server)

        for _ in 0..<12 {
            #expect(
                throws: EmbeddingError.providerFailed(
                    model: "m", provider: "ollama", status: 400, reason: "it does not accept the request")
            ) { try provider.embed(["x"], as: .query) }
        }
        #expect(server.requests.count == 12)
    }
}

@Suite("Call slots") struct CallSlotsTests {
    @Test("are as many as were given, and are waited for no longer than the deadline")
    func limits() throws {
        let slots = CallSlots(2)
        #expect(slots.take(before: nil, clock: .system) && slots.take(before: .now, clock: .system))

        #expect(!slots.take(before: .now + .milliseconds(10), clock: .system))
        #expect(!slots.take(before: .now - .seconds(1), clock: .system))

        let waiting = [ContinuousClock.now + .seconds(60), nil].map { deadline in
            Background { slots.take(before: deadline, clock: .system) }
        }
        slots.give()
        slots.give()
        for thread in waiting { #expect(try thread.value()) }
        #expect(!slots.take(before: .now, clock: .system))
    }

    @Test("callers of all threads together stay within what a provider takes")
    func together() throws {
        let inside = Shared((now: 0, most: 0))
        let server = StubServer { request, _ in
            inside.update { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            // The first waits for a second one, which comes while nobody has an answer.
            inside.wait(atMost: .seconds(20)) {
                $0.most > 1
            } then: { _ in
            }
            for _ in 0..<50 { yieldThread() }
            inside.update { $0.now -= 1 }
            return RemoteProviderKind.ollama.answer(request, dimension: 4)
        }
        let provider = makeProvider(.ollama, server)
        let texts = (0..<64 * 5).map { "text \($0)" }

        let vectors = try onThreads(4) { _ in try provider.embed(texts, as: .document) }

        #expect(vectors.allSatisfy { $0 == vectors[0] })
        #expect(server.requests.count == 20)
        let most = inside.current.most
        #expect((2...4).contains(most), "\(most) at a time")
    }
}
