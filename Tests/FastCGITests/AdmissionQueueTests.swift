import HTTP
import TestSupport
import Testing

@testable import FastCGI

@Suite("The queue of requests", .timeLimit(.minutes(10)))
struct AdmissionQueueTests {
    /// A thread that enters, notes that it did, and leaves when it is told to.
    private final class Visitor: Sendable {
        let result = Shared<Bool?>(nil)
        let mayLeave = Shared(false)
        private let thread: Background<Void>

        init(_ queue: AdmissionQueue, _ requestClass: RequestClass, _ order: Shared<[RequestClass]>? = nil) {
            thread = Background { [result, mayLeave] in
                let isAdmitted = queue.enter(requestClass)
                if isAdmitted { order?.update { $0.append(requestClass) } }
                result.set(isAdmitted)
                guard isAdmitted else { return }
                mayLeave.wait { $0 }
                queue.leave(requestClass)
            }
        }

        func leave() throws {
            mayLeave.set(true)
            try thread.value()
        }
    }

    private func queue(turns: Int, waiting: Int = 16) -> AdmissionQueue {
        AdmissionQueue(turns: turns, waiting: waiting, longestWait: .seconds(600))
    }

    @Test("a class gets three quarters of the turns, and another one the rest")
    func shares() {
        let queue = AdmissionQueue(turns: 8, waiting: 0, longestWait: .seconds(1))

        #expect((0..<7).map { _ in queue.enter(.write) } == [true, true, true, true, true, true, false])
        #expect((0..<3).map { _ in queue.enter(.search) } == [true, true, false])
        #expect(queue.figures.running == 8 && queue.figures.turnedAway == [.search: 1, .write: 1, .read: 0])
        queue.leave(.search)
        #expect(!queue.enter(.write) && queue.enter(.search))
    }

    @Test("a class alone has all the turns where there are fewer than four", arguments: [1, 2, 3])
    func few(turns: Int) {
        let queue = AdmissionQueue(turns: turns, waiting: 0, longestWait: .seconds(1))

        #expect((0...turns).map { _ in queue.enter(.read) } == Array(repeating: true, count: turns) + [false])
    }

    @Test("those of one class are served in the order they came, and classes one after the other")
    func order() throws {
        let queue = queue(turns: 1)
        let order = Shared<[RequestClass]>([])
        #expect(queue.enter(.read))
        var visitors: [Visitor] = []
        for requestClass: RequestClass in [.write, .write, .write, .search, .read] {
            let waiting = queue.figures.waiting.values.reduce(0, +)
            visitors.append(Visitor(queue, requestClass, order))
            eventually { queue.figures.waiting.values.reduce(0, +) == waiting + 1 }
        }

        queue.leave(.read)
        for visitor in visitors { visitor.mayLeave.set(true) }
        for visitor in visitors { try visitor.leave() }

        #expect(order.current == [.search, .write, .read, .write, .write])
        #expect(queue.figures.running == 0)
    }

    @Test("a turn that its class may not have goes to another class, also to one that came later")
    func nextClass() throws {
        let queue = queue(turns: 4)
        for _ in 0..<3 { #expect(queue.enter(.write)) }
        let write = Visitor(queue, .write)
        eventually { queue.figures.waiting[.write] == 1 }

        #expect(queue.enter(.search), "the fourth turn is kept for others")
        let search = Visitor(queue, .search)
        eventually { queue.figures.waiting[.search] == 1 }
        queue.leave(.search)
        search.result.wait { $0 == true }
        #expect(write.result.current == nil)
        queue.leave(.write)
        write.result.wait { $0 == true }

        try search.leave()
        try write.leave()
        for _ in 0..<2 { queue.leave(.write) }
        #expect(queue.figures.running == 0)
    }

    @Test("under threads that come and go, no more than may have a turn at one time, and nobody is forgotten")
    func threads() throws {
        let queue = queue(turns: 3, waiting: 64)
        let inside = Shared(0)
        let most = Shared(0)
        let admitted = Shared(0)
        try onThreads(24) { number in
            let requestClass = RequestClass.allCases[number % 3]
            for _ in 0..<200 where queue.enter(requestClass) {
                let count = inside.update { count in
                    count += 1
                    return count
                }
                most.update { $0 = max($0, count) }
                admitted.update { $0 += 1 }
                inside.update { $0 -= 1 }
                queue.leave(requestClass)
            }
        }

        #expect(most.current <= 3 && admitted.current == 24 * 200)
        #expect(queue.figures.running == 0 && queue.figures.waiting.values.allSatisfy { $0 == 0 })
    }
}
