import Glibc
import Locks

/// A thread that runs a closure and gives back what it returned or threw.
///
/// Test bodies run on the few threads of Swift's pool; what blocks gets a thread of its own.
final class Background<Success: Sendable>: Sendable {
    private let thread: pthread_t
    private let result = Shared<Result<Success, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Success) {
        let result = result
        let work = Unmanaged.passRetained(Work { result.set(Result(catching: body)) })
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                // The retain above is the one taken over here.
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        precondition(code == 0, "pthread_create failed with \(code)")
        self.thread = thread
    }

    var hasEnded: Bool { result.current != nil }

    /// Waits for the thread to end. Once per thread.
    func value() throws -> Success {
        pthread_join(thread, nil)
        return try result.current!.get()
    }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Lets other threads run.
func yieldThread() { sched_yield() }

/// Runs `body` on `count` threads at once, which start together, and waits for all.
func onThreads<Success: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Success) throws -> [Success] {
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
final class Shared<Value>: @unchecked Sendable {
    private let lock = Lock()
    private let changed = Condition()
    private var value: Value

    init(_ value: Value) { self.value = value }

    var current: Value { lock.withLock { value } }

    func set(_ new: Value) { update { $0 = new } }

    func update<Result>(_ body: (inout Value) -> Result) -> Result {
        lock.withLock {
            defer { changed.broadcast() }
            return body(&value)
        }
    }

    /// Waits until `condition` holds, for at most `limit`, then runs `body` on the value.
    func wait<Result>(
        atMost limit: Duration = .seconds(3600), until condition: (Value) -> Bool, then body: (inout Value) -> Result
    ) -> Result {
        lock.withLock {
            while !condition(value), changed.wait(lock, atMost: limit) {}
            defer { changed.broadcast() }
            return body(&value)
        }
    }

    func wait(until condition: (Value) -> Bool) { wait(until: condition) { _ in } }
}
