import Locks

/// The segments that a log consists of, as bookkeeping beside the writer: how large they are, and which of them may go. Does no I/O.
///
/// `@unchecked Sendable`: what changes is touched with `lock` held only.
final class RetainedSegments: @unchecked Sendable {
    /// A segment that no record is added to any more.
    struct Finished: Sendable {
        let number: UInt64
        /// Its last record, or a later one where that is not known.
        let lastSequence: SequenceNumber
        let bytes: UInt64
    }

    private let lock = Lock()
    /// Oldest first. The current segment is not among them, so it is never taken.
    private var finished: [Finished]
    private var currentBytes: UInt64

    init(finished: [Finished], currentBytes: UInt64) {
        self.finished = finished
        self.currentBytes = currentBytes
    }

    var finishedSegments: [Finished] { lock.withLock { finished } }

    var bytes: UInt64 { lock.withLock { finished.reduce(currentBytes) { $0 + $1.bytes } } }

    /// Notes where the current segment ends.
    func setCurrent(bytes: UInt64) {
        lock.withLock { currentBytes = bytes }
    }

    /// Notes that the current segment is finished and that one of `bytes` took its place.
    func finishCurrent(as segment: Finished, next bytes: UInt64) {
        lock.withLock {
            finished.append(segment)
            currentBytes = bytes
        }
    }

    /// Takes the oldest finished segment out, if it ends at or before `sequence`. No two callers get the same.
    func takeOldest(through sequence: SequenceNumber) -> Finished? {
        lock.withLock {
            guard let oldest = finished.first, oldest.lastSequence <= sequence else { return nil }
            return finished.removeFirst()
        }
    }
}
