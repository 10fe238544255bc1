import Glibc
import Locks
import Storage

/// The key ring of a running server: what the file says, at most a second and the time of two readings late.
///
/// A file that cannot be read or understood is never replaced by what it said before: whoever damages it could keep a revoked key alive.
// Sound as Sendable: the variables are read and written under `lock`.
package final class LiveKeyRing: @unchecked Sendable {
    package typealias State = Result<KeyRing, KeysError>

    private static let checkInterval = Duration.seconds(1)
    /// A file that changed less than this ago may change again without another time of change, which clocks of file systems count in
    /// milliseconds: it is read once more.
    private static let settlingNanoseconds = 2_000_000_000

    private let file: KeyRingFile
    private let now: @Sendable () -> ContinuousClock.Instant
    private let changed: @Sendable (State) -> Void
    private let lock = Lock()
    private var state: State
    private var seen: Seen
    private var nextCheck: ContinuousClock.Instant
    /// Whether somebody looks at the file. Others do not meanwhile: of two, the one that read first could be the last to say what it found,
    /// and bring back a key that is revoked.
    private var isLooking = false

    /// What was seen of the file when the state was found.
    private enum Seen: Equatable {
        case absent
        case file(FileStatus)
        /// Nothing that the next look could be compared with.
        case unsettled
    }

    /// Reads the file.
    ///
    /// - Parameters:
    ///   - now: the time that checks go by.
    ///   - changed: is told of every other state than the one before, first of the one found here.
    package init(
        _ file: KeyRingFile, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        changed: @escaping @Sendable (State) -> Void = { _ in }
    ) {
        (self.file, self.now, self.changed) = (file, now, changed)
        nextCheck = now() + Self.checkInterval
        (state, seen) = Self.read(file)
        changed(state)
    }

    /// The ring as it is. Cost: one look at the file a second, among all who ask.
    package var current: State {
        let isDue = lock.withLock {
            let time = now()
            guard time >= nextCheck, !isLooking else { return false }
            nextCheck = time + Self.checkInterval
            isLooking = true
            return true
        }
        // Outside the lock: meanwhile others go by what was found before.
        if isDue {
            look()
            lock.withLock { isLooking = false }
        }
        return lock.withLock { state }
    }

    private func look() {
        let known = lock.withLock { seen }
        if known != .unsettled, known == glance() { return }
        let (found, foundSeen) = Self.read(file)
        let isNew = lock.withLock {
            let isNew = found != state
            (state, seen) = (found, foundSeen)
            return isNew
        }
        if isNew { changed(found) }
    }

    private func glance() -> Seen {
        do throws(KeysError) {
            return try file.status().map { .file($0) } ?? .absent
        } catch {
            return .unsettled
        }
    }

    private static func read(_ file: KeyRingFile) -> (State, Seen) {
        do throws(KeysError) {
            let (ring, status) = try file.readWithStatus()
            return (.success(ring), status.map { isSettled($0) ? .file($0) : .unsettled } ?? .absent)
        } catch {
            return (.failure(error), .unsettled)
        }
    }

    private static func isSettled(_ status: FileStatus) -> Bool {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec - status.changed > settlingNanoseconds
    }
}
