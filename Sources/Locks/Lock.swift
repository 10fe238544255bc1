import Glibc

/// A mutual exclusion lock: one holder at a time, not recursive.
///
/// A wrapped pthread mutex and not `Synchronization.Mutex`, whose futex gives false reports under ThreadSanitizer. Hold it for
/// a few lines, never across I/O.
///
/// `@unchecked Sendable`: the only state is the mutex, which exists to be shared, lives at a stable address from `init` to
/// `deinit`, and is touched by pthread functions alone.
package final class Lock: @unchecked Sendable {
    let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        check(pthread_mutex_init(mutex, nil), "pthread_mutex_init")
    }

    deinit {
        check(pthread_mutex_destroy(mutex), "pthread_mutex_destroy: the lock is still held")
        mutex.deinitialize(count: 1)
        mutex.deallocate()
    }

    /// Runs `body` while holding the lock; waits without limit to get it.
    package func withLock<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        check(pthread_mutex_lock(mutex), "pthread_mutex_lock")
        defer { check(pthread_mutex_unlock(mutex), "pthread_mutex_unlock") }
        return try body()
    }
}

/// Stops the process when a pthread call fails: each failure here is a misuse of the lock (destroyed while held, unlocked by
/// another thread), after which nothing it protected can be trusted.
@inline(__always)
func check(_ code: Int32, _ operation: StaticString) {
    precondition(code == 0, "\(operation) failed with \(code)")
}
