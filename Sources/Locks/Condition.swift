import Glibc

/// Where threads wait, with a `Lock` held, until another thread says that what the lock protects has changed.
///
/// Waiting may end without a signal: check what was waited for again, in a loop. All who wait at one time use the same lock.
///
/// `@unchecked Sendable`: as `Lock`, the only state is the pthread condition at its stable address.
package final class Condition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        check(pthread_condattr_init(&attributes), "pthread_condattr_init")
        // Time limits run on the monotonic clock: a step of the wall clock neither fires nor delays them.
        check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), "pthread_condattr_setclock")
        check(pthread_cond_init(condition, &attributes), "pthread_cond_init")
        check(pthread_condattr_destroy(&attributes), "pthread_condattr_destroy")
    }

    deinit {
        check(pthread_cond_destroy(condition), "pthread_cond_destroy")
        condition.deinitialize(count: 1)
        condition.deallocate()
    }

    /// Gives up `lock`, which the caller holds, until signalled; holds it again on return.
    package func wait(_ lock: Lock) {
        check(pthread_cond_wait(condition, lock.mutex), "pthread_cond_wait")
    }

    /// As `wait(_:)`, for at most `limit`. Returns false when the time ran out.
    package func wait(_ lock: Lock, atMost limit: Duration) -> Bool {
        var deadline = timespec()
        check(clock_gettime(CLOCK_MONOTONIC, &deadline), "clock_gettime")
        // A year stands for "no limit" and keeps the sum far from overflow.
        let (seconds, attoseconds) = max(.zero, min(limit, .seconds(31_536_000))).components
        deadline.tv_sec += Int(seconds)
        deadline.tv_nsec += Int(attoseconds / 1_000_000_000)
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        let code = pthread_cond_timedwait(condition, lock.mutex, &deadline)
        if code == ETIMEDOUT { return false }
        check(code, "pthread_cond_timedwait")
        return true
    }

    /// Wakes one waiting thread.
    package func signal() {
        check(pthread_cond_signal(condition), "pthread_cond_signal")
    }

    /// Wakes all waiting threads.
    package func broadcast() {
        check(pthread_cond_broadcast(condition), "pthread_cond_broadcast")
    }
}
