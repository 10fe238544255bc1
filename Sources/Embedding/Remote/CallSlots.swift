import Locks

/// Lets a number of calls run at a time; others wait.
// Sound as Sendable: `free` is read and written under `lock`.
final class CallSlots: @unchecked Sendable {
    private let lock = Lock()
    private let freed = Condition()
    private var free: Int

    init(_ count: Int) {
        free = count
    }

    /// Takes a slot, which the caller gives back. Returns whether there was one before `deadline`.
    func take(before deadline: ContinuousClock.Instant?, clock: RemoteClock) -> Bool {
        lock.withLock {
            while free == 0 {
                guard let deadline else {
                    freed.wait(lock)
                    continue
                }
                let rest = deadline - clock.now()
                guard rest > .zero, freed.wait(lock, atMost: rest) || free > 0 else { return false }
            }
            free -= 1
            return true
        }
    }

    func give() {
        lock.withLock {
            free += 1
            freed.signal()
        }
    }
}
