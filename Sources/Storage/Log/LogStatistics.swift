import Locks

/// What a log has done since it was opened, and how it is.
package struct LogStatistics: Sendable, Equatable {
    /// Records, without seals.
    package var records = 0
    /// Bytes of these records as they are in the file.
    package var appendedBytes = 0
    /// Groups of records that were written, and synced if the policy says so, in one go.
    package var batches = 0
    /// Syncs of data that succeeded.
    package var syncs = DurationHistogram()
    /// Nothing is acknowledged any more.
    package var isPoisoned = false
    /// Records, and bytes of their payloads, that wait to be written.
    package var queuedRecords = 0
    package var queuedBytes = 0
    /// Of all segments, without zeros written ahead.
    package var retainedBytes = 0
}

/// How long things took: how many of them not above each of some limits, and all together.
package struct DurationHistogram: Sendable, Equatable {
    /// Seconds, ascending: a disk with a cache that keeps its word, one without, one in trouble.
    package static let limits = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// For each limit those that are not above it and above the one before; the last are above all limits.
    package private(set) var counts = [Int](repeating: 0, count: limits.count + 1)
    /// In seconds.
    package private(set) var sum = 0.0

    package init() {}

    package var count: Int { counts.reduce(0, +) }

    package mutating func record(_ duration: Duration) {
        let seconds = max(0, duration / .seconds(1))
        counts[Self.limits.firstIndex { seconds <= $0 } ?? Self.limits.count] += 1
        sum += seconds
    }
}

/// Counts what the writer does, for whoever asks. Costs the writer a lock a batch and one a sync.
// Sound as Sendable: `statistics` is read and written under `lock`.
final class LogMeter: @unchecked Sendable {
    private let lock = Lock()
    private var counted = LogStatistics()

    var statistics: LogStatistics { lock.withLock { counted } }

    func wrote(records: Int, bytes: Int) {
        lock.withLock {
            counted.records += records
            counted.appendedBytes += bytes
            counted.batches += 1
        }
    }

    func synced(in duration: Duration) {
        lock.withLock { counted.syncs.record(duration) }
    }

    func poisoned() {
        lock.withLock { counted.isPoisoned = true }
    }
}
