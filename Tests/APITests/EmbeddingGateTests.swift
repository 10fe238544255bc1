import Glibc
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
        let deadline = ContinuousClock.now + .seconds(600)
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
            try gate.pass(before: ContinuousClock.now + .seconds(600)) {
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
                try gate.enter(before: .now + .seconds(600)) {
                    numbers.update { $0.inside += 1 }
                    numbers.wait { $0.isOpen }
                }
            }
        }
        numbers.wait { $0.inside == 4 }

        for refused in [
            #expect(throws: APIError.self) { try gate.enter(before: .now + .seconds(600)) {} },
            #expect(throws: APIError.self) { try gate.pass(before: .now + .seconds(600)) {} },
        ] { #expect(refused?.type == .unavailable && refused?.headers[.retryAfter] == "1") }

        numbers.update { $0.isOpen = true }
        for caller in callers { try caller.value() }
        #expect(gate.callers == 0)
        #expect(throws: CancellationError.self) { try gate.enter(before: .now + .seconds(600)) { throw CancellationError() } }
        try gate.pass(before: .now + .seconds(600)) {}
    }

    @Test("an error of the work leaves the gate open")
    func errors() throws {
        struct Failed: Error {}
        let gate = EmbeddingGate(workerThreads: 1, processors: 8)
        for _ in 0..<3 {
            #expect(throws: Failed.self) { try gate.pass(before: .now + .seconds(600)) { throw Failed() } }
        }
        #expect(gate.callers == 0)
    }

    @Test("who is patient waits outside where others are turned away, and no longer than to the deadline")
    func patience() throws {
        let gate = EmbeddingGate(workerThreads: 2, processors: 1)
        let isOpen = Shared(false)
        let holder = Background { try gate.enter(before: .now + .seconds(600)) { isOpen.wait { $0 } } }
        while gate.callers < 1 { yieldThread() }

        let late = #expect(throws: APIError.self) {
            try gate.enter(before: .now + .milliseconds(20), isPatient: true) { Issue.record("ran") }
        }
        #expect(late?.detail.contains("in time") == true)
        let waiting = [
            Background { try gate.enter(before: .now + .seconds(600), isPatient: true) { gate.callers } },
            Background { try gate.pass(before: .now + .seconds(600), isPatient: true) { gate.callers } },
        ]
        while gate.waitingCallers < 2 { yieldThread() }
        let refused = #expect(throws: APIError.self) { try gate.pass(before: .now + .seconds(600)) {} }
        #expect(refused?.detail.contains("Too many") == true)

        isOpen.set(true)
        for caller in waiting { #expect(try caller.value() == 1, "one at a time is inside") }
        try holder.value()
    }

    @Test("turns are taken in the order in which callers came")
    func order() throws {
        let gate = EmbeddingGate(workerThreads: 40, processors: 1)
        let isOpen = Shared(false)
        let order = Shared<[Int]>([])
        let holder = Background { try gate.pass(before: .now + .seconds(600)) { isOpen.wait { $0 } } }
        // Who is inside does not have its turn yet.
        while gate.computingThreads < 1 { yieldThread() }
        let callers = (0..<12).map { number in
            let caller = Background { try gate.pass(before: .now + .seconds(600)) { order.update { $0.append(number) } } }
            while gate.waitingCallers <= number { yieldThread() }
            return caller
        }

        isOpen.set(true)

        for caller in [holder] + callers { try caller.value() }
        #expect(order.current == Array(0..<12))
    }

    // MARK: Parts

    @Test("parts are done once each, as many at a time as there are turns that nobody else has", arguments: 1...3)
    func parts(others: Int) throws {
        let gate = EmbeddingGate(workerThreads: 16, processors: 4)
        let numbers = Shared(Numbers())
        let done = Shared<[Int]>([])
        let holders = (1..<others).map { _ in
            Background { try gate.pass(before: .now + .seconds(600)) { numbers.wait { $0.isOpen } } }
        }
        // Those who are inside do not have their turns yet.
        while gate.computingThreads < others - 1 { yieldThread() }
        let together = 4 - holders.count

        try gate.pass(before: .now + .seconds(600)) {
            gate.run(3 * together) { number in
                numbers.update {
                    $0.inside += 1
                    $0.most = max($0.most, $0.inside)
                }
                // The first ones wait for each other: were they done one by one, it would be for ever.
                if number < together { numbers.wait { $0.most == together } }
                done.update { $0.append(number) }
                numbers.update { $0.inside -= 1 }
            }
            #expect(done.current.sorted() == Array(0..<3 * together), "all are done at the end")
        }

        numbers.update { $0.isOpen = true }
        for holder in holders { try holder.value() }
        #expect(numbers.current.most == together)
        #expect(gate.callers == 0)
    }

    @Test("a helper makes room for a caller that comes, after the part that it does")
    func makesRoom() throws {
        let gate = EmbeddingGate(workerThreads: 8, processors: 2)
        let events = Shared<[String]>([])
        @Sendable func note(_ event: String) { events.update { $0.append(event) } }
        let other = Background {
            events.wait { $0.contains("helper works") }
            try gate.pass(before: .now + .seconds(600)) { note("other") }
        }

        try gate.pass(before: .now + .seconds(600)) {
            gate.run(3) { number in
                switch number {
                // The caller's own.
                case 0: events.wait { $0.contains("other") }
                // The helper's.
                case 1:
                    note("helper works")
                    while gate.waitingCallers < 1 { yieldThread() }
                default: note("last part")
                }
            }
        }

        try other.value()
        #expect(events.current == ["helper works", "other", "last part"])
    }

    @Test("no parts are no work, and one part is done by the caller")
    func fewParts() throws {
        let gate = EmbeddingGate(workerThreads: 8, processors: 2)
        let threads = Shared<[UInt]>([])

        try gate.pass(before: .now + .seconds(600)) {
            gate.run(0) { _ in Issue.record("there is no part") }
            gate.run(1) { _ in threads.update { $0.append(UInt(pthread_self())) } }
        }

        #expect(threads.current == [UInt(pthread_self())])
    }
}
