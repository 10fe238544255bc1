import Glibc
import Locks

/// Looks at the anonymous memory of this process every few milliseconds, for the most that it had.
final class MemoryWatch {
    let bytesBefore: Int
    private let state: State
    private let thread: Thread

    private final class State: Sendable {
        let lock = Lock()
        // Sound: read and written under the lock.
        nonisolated(unsafe) var isOver = false
        nonisolated(unsafe) var peak = 0
    }

    init() throws {
        bytesBefore = try Machine.anonymousBytes()
        let state = State()
        self.state = state
        thread = try Thread("memory") {
            while !state.lock.withLock({ state.isOver }) {
                if let bytes = try? Machine.anonymousBytes() { state.lock.withLock { state.peak = max(state.peak, bytes) } }
                usleep(20_000)
            }
        }
    }

    /// The peak beyond what there was before. Ends the watch.
    func stop() throws -> Int {
        state.lock.withLock { state.isOver = true }
        thread.join()
        return max(state.peak, try Machine.anonymousBytes()) - bytesBefore
    }
}
