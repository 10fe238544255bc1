import Glibc

/// Many readers or one writer.
///
/// A waiting writer goes before readers that come after it, so a stream of searches cannot hold a write back. The price: a
/// reader must not take the lock again while holding it, it could wait for a writer that waits for it.
///
/// `@unchecked Sendable`: as `Lock`, the only state is the pthread lock at its stable address.
package final class ReadWriteLock: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>

    package init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_rwlock_t())
        var attributes = pthread_rwlockattr_t()
        check(pthread_rwlockattr_init(&attributes), "pthread_rwlockattr_init")
        // glibc's default lets readers overtake waiting writers for ever (pthread_rwlockattr_setkind_np(3)).
        check(
            pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)),
            "pthread_rwlockattr_setkind_np")
        check(pthread_rwlock_init(lock, &attributes), "pthread_rwlock_init")
        check(pthread_rwlockattr_destroy(&attributes), "pthread_rwlockattr_destroy")
    }

    deinit {
        check(pthread_rwlock_destroy(lock), "pthread_rwlock_destroy: the lock is still held")
        lock.deinitialize(count: 1)
        lock.deallocate()
    }

    /// Runs `body` together with other readers, while no writer runs.
    package func withReadLock<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        check(pthread_rwlock_rdlock(lock), "pthread_rwlock_rdlock")
        defer { check(pthread_rwlock_unlock(lock), "pthread_rwlock_unlock") }
        return try body()
    }

    /// Runs `body` alone.
    package func withWriteLock<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        check(pthread_rwlock_wrlock(lock), "pthread_rwlock_wrlock")
        defer { check(pthread_rwlock_unlock(lock), "pthread_rwlock_unlock") }
        return try body()
    }
}
