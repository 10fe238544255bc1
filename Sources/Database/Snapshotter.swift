import Locks

/// How much was written to the log since the last snapshot began, and whether that asks for another one.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class LogGrowth: @unchecked Sendable {
    private let lock = Lock()
    private let limit: Int
    private var bytes = 0
    private var next: Int

    /// - Parameter limit: bytes after which a snapshot is due.
    init(limit: Int) {
        self.limit = limit
        next = limit
    }

    func add(_ count: Int) {
        lock.withLock { bytes += count }
    }

    /// How much was written, and how much asks for a snapshot.
    var state: (bytes: Int, limit: Int) { lock.withLock { (bytes, limit) } }

    func snapshotBegins() {
        lock.withLock { (bytes, next) = (0, limit) }
    }

    /// Whether a snapshot is due: once, and then not before half as much again was written, should it fail.
    func isDue() -> Bool {
        lock.withLock {
            guard bytes >= next else { return false }
            next = bytes + limit / 2
            return true
        }
    }
}

/// Takes snapshots when the log has grown, on a thread of its own.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class Snapshotter: @unchecked Sendable {
    private let lock = Lock()
    private let asked = Condition()
    private var isAsked = false
    private var isStopped = false
    private var thread: Thread?

    deinit { precondition(thread == nil, "whoever started the snapshotter stops it") }

    func start(_ take: @escaping @Sendable () -> Void) throws(Thread.StartFailed) {
        thread = try Thread("quire-snapshot") { [self] in
            while waitUntilAsked() { take() }
        }
    }

    func ask() {
        lock.withLock {
            isAsked = true
            asked.signal()
        }
    }

    /// Waits for the snapshot that is being taken. More than once does no harm.
    func stop() {
        let thread = lock.withLock {
            isStopped = true
            asked.signal()
            defer { self.thread = nil }
            return self.thread
        }
        thread?.join()
    }

    private func waitUntilAsked() -> Bool {
        lock.withLock {
            while !isAsked, !isStopped { asked.wait(lock) }
            isAsked = false
            return !isStopped
        }
    }
}
