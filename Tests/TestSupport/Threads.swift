import Glibc
import Locks

/// A thread that runs a closure and gives back what it returned or threw.
///
/// Test bodies run on the few threads of Swift's pool; what blocks gets a thread of its own.
package final class Background<Success: Sendable>: Sendable {
    private let thread: Thread
    private let result: Shared<Result<Success, any Error>?>

    package init(_ body: @escaping @Sendable () throws -> Success) {
        let result = Shared<Result<Success, any Error>?>(nil)
        self.result = result
        do {
            thread = try Thread("test") { result.set(Result(catching: body)) }
        } catch {
            preconditionFailure("there is room for a thread: \(error)")
        }
    }

    package var hasEnded: Bool { result.current != nil }

    /// Waits for the thread to end. Once per thread.
    package func value() throws -> Success {
        thread.join()
        return try result.current!.get()
    }
}

/// Lets other threads run.
package func yieldThread() { sched_yield() }

/// Returns when `condition` holds, which others bring about. The time limit of the test is the only one.
package func eventually(_ condition: () -> Bool) {
    while !condition() { sched_yield() }
}

/// Runs `body` on `count` threads at once, which start together, and waits for all.
@discardableResult
package func onThreads<Success: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Success) throws -> [Success] {
    let arrived = Shared(0)
    let threads = (0..<count).map { index in
        Background {
            arrived.update { $0 += 1 }
            arrived.wait { $0 == count }
            return try body(index)
        }
    }
    // All are joined before the first error is thrown.
    let results = threads.map { thread in Result { try thread.value() } }
    return try results.map { try $0.get() }
}

/// A value that several threads use.
// Sound as Sendable: the value is read and written under the lock.
package final class Shared<Value>: @unchecked Sendable {
    private let lock = Lock()
    private let changed = Condition()
    private var value: Value

    package init(_ value: Value) { self.value = value }

    package var current: Value { lock.withLock { value } }

    package func set(_ new: Value) { update { $0 = new } }

    package func update<Result>(_ body: (inout Value) -> Result) -> Result {
        lock.withLock {
            defer { changed.broadcast() }
            return body(&value)
        }
    }

    /// Waits until `condition` holds, for at most `limit`, then runs `body` on the value.
    package func wait<Result>(
        atMost limit: Duration = .seconds(3600), until condition: (Value) -> Bool, then body: (inout Value) -> Result
    ) -> Result {
        lock.withLock {
            while !condition(value), changed.wait(lock, atMost: limit) {}
            defer { changed.broadcast() }
            return body(&value)
        }
    }

    package func wait(until condition: (Value) -> Bool) { wait(until: condition) { _ in } }
}
