/// Records that reach the disk together: one write, one sync, one outcome.
///
/// `@unchecked Sendable`: everything here is guarded by the lock of the `LogQueue` it belongs to. Once taken from the queue, a
/// batch no longer changes and is the writer's to read.
final class LogBatch: @unchecked Sendable {
    struct QueuedRecord {
        let type: UInt8
        let version: UInt8
        let flags: RecordFlags
        let sequence: SequenceNumber
        let mayUseReserve: Bool
        let payload: [UInt8]
    }

    var records: [QueuedRecord] = []
    var payloadBytes = 0
    /// For those who wait for the records.
    let commit = Settlement()
    /// For those who asked that the segment ends behind the records, of which there may be none; nil when nobody did.
    var rotation: Settlement?

    var isEmpty: Bool { records.isEmpty && rotation == nil }

    var settlements: [Settlement] { rotation.map { [commit, $0] } ?? [commit] }
}

/// A record on its way to the disk: `append` gives it, `waitUntilCommitted` takes it.
///
/// Not just the sequence number, because numbers are handed out again when their records could not be written: who waits for a
/// failed record must not be answered for the one that got its number.
package struct PendingRecord: Sendable {
    package let sequence: SequenceNumber
    let commit: Settlement
}
