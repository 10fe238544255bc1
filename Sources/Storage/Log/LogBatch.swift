import Locks

/// Records that reach the disk together: one write, one sync, one outcome.
///
/// `@unchecked Sendable`: everything here is guarded by the lock of the `LogQueue` it belongs to. Once taken from the queue,
/// `records` no longer changes and is the writer's to read.
final class LogBatch: @unchecked Sendable {
    struct QueuedRecord {
        let type: UInt8
        let version: UInt8
        let flags: RecordFlags
        let sequence: SequenceNumber
        let payload: [UInt8]
    }

    enum Outcome {
        case committed
        case failed(StorageError)
    }

    var records: [QueuedRecord] = []
    var payloadBytes = 0
    /// nil until decided.
    var outcome: Outcome?
    /// Signalled once `outcome` is there.
    let settled = Condition()
}

/// A record on its way to the disk: `append` gives it, `waitUntilCommitted` takes it.
///
/// Not just the sequence number, because numbers are handed out again when their records could not be written: who waits for a
/// failed record must not be answered for the one that got its number.
package struct PendingRecord: Sendable {
    package let sequence: SequenceNumber
    let batch: LogBatch
}
