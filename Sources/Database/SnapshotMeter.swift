import Locks
package import Storage

/// How the snapshots of a database went since it was opened.
package struct SnapshotStatistics: Sendable {
    package var taken = 0
    package var failed = 0
    /// Of all that were taken, together.
    package var duration = Duration.zero
    /// The newest, which may be older than the process; nil: there is none.
    package var last: Snapshots.Info?
    /// How long that took; nil if it is older.
    package var lastDuration: Duration?
    /// What the last attempt failed with; nil if it did not.
    package var failure: StorageError?
    /// What was written to the log since the last one began, or since the start if there was none, in bytes; and how much of it asks
    /// for one.
    package var growth = 0
    package var growthLimit = 0
}

/// Measures the taking of snapshots, one at a time.
// Sound as Sendable: `measured` is read and written under `lock`.
final class SnapshotMeter: @unchecked Sendable {
    private let lock = Lock()
    private var measured = SnapshotStatistics()

    /// - Parameter last: the snapshot that was loaded.
    init(last: Snapshots.Info?) {
        measured.last = last
    }

    var statistics: SnapshotStatistics { lock.withLock { measured } }

    /// Runs `take`, which tells whether the snapshot is a new one.
    func measuring(_ take: () throws(StorageError) -> (info: Snapshots.Info, isNew: Bool)) throws(StorageError) -> Snapshots.Info {
        let start = SuspendingClock.now
        do throws(StorageError) {
            let (info, isNew) = try take()
            let duration = start.duration(to: .now)
            lock.withLock {
                measured.failure = nil
                guard isNew else { return }
                measured.taken += 1
                measured.duration += duration
                measured.last = info
                measured.lastDuration = duration
            }
            return info
        } catch {
            lock.withLock {
                measured.failed += 1
                measured.failure = error
            }
            throw error
        }
    }
}
