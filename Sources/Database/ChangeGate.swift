import Locks

/// Where changes of a library wait for a while.
// Sound as Sendable: the set is read and written under `lock`.
final class ChangeGate: @unchecked Sendable {
    private let lock = Lock()
    private let opened = Condition()
    private var closed: Set<LibraryID> = []

    /// Nobody waits longer; a client would give up soon after.
    private static let limit = Duration.seconds(20)

    func close(_ id: LibraryID) { lock.withLock { _ = closed.insert(id) } }

    func open(_ id: LibraryID) {
        lock.withLock {
            closed.remove(id)
            opened.broadcast()
        }
    }

    func pass(_ id: LibraryID) {
        lock.withLock {
            guard closed.contains(id) else { return }
            let deadline = ContinuousClock.now + Self.limit
            while closed.contains(id), opened.wait(lock, atMost: deadline - .now) {}
        }
    }
}
