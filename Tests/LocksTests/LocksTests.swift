import Glibc
import Locks
import TestSupport
import Testing

@Suite("Locks")
struct LocksTests {
    @Test("a lock lets one holder in at a time")
    func excludes() throws {
        let counter = Counter()
        let lock = Lock()

        try onThreads(8) { _ in
            for _ in 0..<2000 { lock.withLock { counter.value += 1 } }
        }

        #expect(counter.value == 16_000)
    }

    @Test("a lock is free again after an error")
    func releasesOnError() {
        let lock = Lock()

        #expect(throws: Refusal.self) { try lock.withLock { () throws(Refusal) in throw Refusal() } }

        #expect(lock.withLock { 1 } == 1)
    }

    @Test("a writer is alone, and readers see whole writes")
    func writersAreAlone() throws {
        let lock = ReadWriteLock()
        let first = Counter()
        let second = Counter()
        let torn = Counter()
        let tornLock = Lock()

        try onThreads(6) { thread in
            for _ in 0..<1000 {
                if thread < 2 {
                    lock.withWriteLock {
                        first.value += 1
                        second.value += 1
                    }
                } else if lock.withReadLock({ first.value != second.value }) {
                    tornLock.withLock { torn.value += 1 }
                }
            }
        }

        #expect(first.value == 2000)
        #expect(torn.value == 0)
    }

    @Test("readers are in together")
    func readersShare() throws {
        let lock = ReadWriteLock()
        let meeting = Lock()
        let arrived = Condition()
        let inside = Counter()

        // Each of the four leaves only once all four are in: this ends only if they hold the lock at the same time.
        try onThreads(4) { _ in
            lock.withReadLock {
                meeting.withLock {
                    inside.value += 1
                    arrived.broadcast()
                    while inside.value < 4 { arrived.wait(meeting) }
                }
            }
        }

        #expect(inside.value == 4)
    }

    @Test("read and write locks are free again after an error")
    func readWriteReleasesOnError() {
        let lock = ReadWriteLock()

        #expect(throws: Refusal.self) { try lock.withWriteLock { () throws(Refusal) in throw Refusal() } }
        #expect(throws: Refusal.self) { try lock.withReadLock { () throws(Refusal) in throw Refusal() } }

        #expect(lock.withWriteLock { 2 } == 2)
    }

    @Test("a signal wakes one who waits, and the wait holds the lock again")
    func signalWakes() throws {
        let lock = Lock()
        let changed = Condition()
        let ball = Counter()

        // Two threads hand a number back and forth; each goes on only when the other has moved it.
        try onThreads(2) { thread in
            for round in 0..<500 {
                lock.withLock {
                    while ball.value != round * 2 + thread { changed.wait(lock) }
                    ball.value += 1
                    changed.signal()
                }
            }
        }

        #expect(ball.value == 1000)
    }

    @Test(
        "a wait with a limit ends without a signal", arguments: [Duration.zero, .seconds(-1), .milliseconds(2), .nanoseconds(999_999_999)])
    func waitEnds(limit: Duration) {
        let lock = Lock()
        let started = SuspendingClock.now

        let signalled = lock.withLock { Condition().wait(lock, atMost: limit) }

        #expect(!signalled)
        #expect(started.duration(to: .now) >= limit)
    }

    @Test("a wait with a limit is woken by a signal")
    func limitedWaitIsWoken() throws {
        let lock = Lock()
        let changed = Condition()
        let done = Counter()

        try onThreads(2) { thread in
            lock.withLock {
                if thread == 0 {
                    while done.value == 0 { _ = changed.wait(lock, atMost: .seconds(3600 * 24 * 365 * 100)) }
                } else {
                    done.value = 1
                    changed.broadcast()
                }
            }
        }

        #expect(done.value == 1)
    }
}

private struct Refusal: Error {}

/// A number that the locks under test guard.
private final class Counter: @unchecked Sendable {
    var value = 0
}
