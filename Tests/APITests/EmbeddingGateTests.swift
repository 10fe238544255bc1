import HTTPTypes
import TestSupport
import Testing

@testable import API

struct EmbeddingGateTests {
    private struct Numbers {
        var inside = 0
        var most = 0
        var isOpen = false
    }

    @Test("as many run as there are processors, half of the workers are inside, the rest are turned away with 503 at once")
    func turnsAway() throws {
        let gate = EmbeddingGate(workerThreads: 8, processors: 2)
        let numbers = Shared(Numbers())
        let deadline = ContinuousClock.now + .seconds(30)
        let callers = (0..<4).map { _ in
            Background {
                try gate.pass(before: deadline) {
                    numbers.update {
                        $0.inside += 1
                        $0.most = max($0.most, $0.inside)
                    }
                    numbers.wait { $0.isOpen }
                    numbers.update { $0.inside -= 1 }
                }
            }
        }
        numbers.wait { $0.inside == 2 }
        while gate.callers < 4 { yieldThread() }

        let refused = #expect(throws: APIError.self) { try gate.pass(before: deadline) {} }
        #expect(refused?.type == .unavailable)
        #expect(refused?.headers[.retryAfter] == "1")

        numbers.update { $0.isOpen = true }
        for caller in callers { try caller.value() }
        #expect(numbers.update { $0.most } == 2)
        try gate.pass(before: deadline) {}
    }

    @Test("who waits past the deadline is told, and takes no turn")
    func deadline() throws {
        let gate = EmbeddingGate(workerThreads: 4, processors: 1)
        let isOpen = Shared(false)
        let isInside = Shared(false)
        let holder = Background {
            try gate.pass(before: ContinuousClock.now + .seconds(30)) {
                isInside.set(true)
                isOpen.wait { $0 }
            }
        }
        isInside.wait { $0 }

        let late = #expect(throws: APIError.self) {
            try gate.pass(before: ContinuousClock.now + .milliseconds(20)) { Issue.record("ran") }
        }
        #expect(late?.detail.contains("in time") == true)

        isOpen.set(true)
        try holder.value()
        #expect(gate.callers == 0)
    }

    @Test("who waits for a provider on the network takes a place and no turn")
    func remote() throws {
        let gate = EmbeddingGate(workerThreads: 8, processors: 1)
        let numbers = Shared(Numbers())
        let callers = (0..<4).map { _ in
            Background {
                try gate.passRemotely {
                    numbers.update { $0.inside += 1 }
                    numbers.wait { $0.isOpen }
                }
            }
        }
        numbers.wait { $0.inside == 4 }

        for refused in [
            #expect(throws: APIError.self) { try gate.passRemotely {} },
            #expect(throws: APIError.self) { try gate.pass(before: .now + .seconds(30)) {} },
        ] { #expect(refused?.type == .unavailable && refused?.headers[.retryAfter] == "1") }

        numbers.update { $0.isOpen = true }
        for caller in callers { try caller.value() }
        #expect(gate.callers == 0)
        #expect(throws: CancellationError.self) { try gate.passRemotely { throw CancellationError() } }
        try gate.pass(before: .now + .seconds(1)) {}
    }

    @Test("an error of the work leaves the gate open")
    func errors() throws {
        struct Failed: Error {}
        let gate = EmbeddingGate(workerThreads: 1, processors: 8)
        for _ in 0..<3 {
            #expect(throws: Failed.self) { try gate.pass(before: .now + .seconds(1)) { throw Failed() } }
        }
        #expect(gate.callers == 0)
    }
}
