import Locks

/// The log of a database: records appended in order, on disk before they count, given back in the same order at the next start.
///
/// `append` from any thread puts a record into the queue, `waitUntilCommitted` returns when it is safe as the policy says. One
/// writer thread does the I/O; whoever appends while it syncs shares the next sync. The format is in `RecordHeader`,
/// `SegmentHeader` and docs/file-formats.md.
///
/// Takes no lock on the directory: hold a `DirectoryLock`. Has to be closed; a log that is not keeps its thread until the process
/// ends, which loses nothing that was acknowledged.
package final class WriteAheadLog: Sendable {
    package let databaseID: DatabaseID
    package let recovery: RecoveryReport
    private let directory: String
    private let fileSystem: any FileSystem
    private let queue: LogQueue
    private let retained: RetainedSegments
    private let writer: LogWriter
    private let lifecycle = Lifecycle()

    /// Reads the log in `directory`, an existing one, and calls `replay` for each record in order; creates the log if there is none.
    /// A torn tail is copied to a `.torn` file and cut off.
    ///
    /// When the state up to a record is known from elsewhere, `base` is that record: only later ones are replayed, segments that
    /// cannot hold any are not even read, and the log is refused if it leaves a gap behind `base` or does not reach it. It is
    /// refused as well if it is of another database than `expectedDatabaseID`; a log that is created is of that one.
    ///
    /// Throws `damaged` or `unsupportedFormat` when the log cannot be trusted; no file is changed then, and nothing that was
    /// replayed may be used. An error thrown by `replay` ends the same way: `malformedPayload` and `unsupportedRecord` become
    /// `damaged`, with the place of the record, others pass unchanged. Reads each byte once; memory stays at 1 MiB and a record.
    package static func open(
        directory: String, fileSystem: any FileSystem, policy: DurabilityPolicy, options: LogOptions = LogOptions(),
        after base: SequenceNumber = .zero, expectedDatabaseID: DatabaseID? = nil, replay: (LogRecord) throws -> Void
    ) throws -> WriteAheadLog {
        var recovery = LogRecovery(
            directory: directory, fileSystem: fileSystem, after: base, expectedDatabaseID: expectedDatabaseID)
        let found = try recovery.run(replay: replay)
        // From here on files change: everything that could be refused has been read.
        var report = recovery.report
        for name in report.removedFiles { try fileSystem.remove("\(directory)/\(name)") }
        if let found, let tornEnd = found.tornEnd {
            report.tornFile = try cutTail(of: found, end: tornEnd, in: directory, fileSystem)
            report.truncatedBytes = tornEnd - found.offset
        }
        let position =
            switch found {
            case let found? where found.hasRecords: found
            case let found?: try namedAgain(found, in: directory, fileSystem, options.allocation)
            case nil:
                try SegmentWriter.create(
                    .first(of: expectedDatabaseID ?? options.newDatabaseID), in: directory, fileSystem: fileSystem,
                    allocation: options.allocation)
            }
        let segment = try SegmentWriter(position, in: directory, fileSystem: fileSystem, allocation: options.allocation)
        // A process that was killed may have left records, and file names, that only the page cache has. They were replayed, so
        // they count; and what is written next will call them synced.
        try segment.writeAgain(from: position.provenEnd)
        try segment.synchronize()
        try fileSystem.synchronizeDirectory(directory)
        let queue = LogQueue(lastSequence: position.lastSequence, options: options)
        let retained = RetainedSegments(finished: recovery.finished, currentBytes: segment.end)
        let writer = LogWriter(
            queue: queue, retained: retained, segment: segment, position: position, directory: directory, fileSystem: fileSystem,
            policy: policy, options: options)
        return WriteAheadLog(
            databaseID: position.header.databaseID, recovery: report, directory: directory, fileSystem: fileSystem, queue: queue,
            retained: retained, writer: writer)
    }

    private init(
        databaseID: DatabaseID, recovery: RecoveryReport, directory: String, fileSystem: any FileSystem, queue: LogQueue,
        retained: RetainedSegments, writer: LogWriter
    ) {
        self.databaseID = databaseID
        self.recovery = recovery
        self.directory = directory
        self.fileSystem = fileSystem
        self.queue = queue
        self.retained = retained
        self.writer = writer
    }

    /// Copies the torn bytes away, durably, before they are cut off; only a full disk goes without the copy. Interrupted anywhere, the
    /// next start does the same again.
    private static func cutTail(
        of position: LogRecovery.Position, end: UInt64, in directory: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> String? {
        let path = "\(directory)/\(position.header.fileName)"
        let name = String(position.header.fileName.dropLast(".log".count)) + tornSuffix
        let segment = try fileSystem.open(path, for: .updating)
        var copy: String? = name
        do {
            try fileSystem.createWhole(name, in: directory) { (file) throws(StorageError) in
                try file.copy(position.offset..<end, of: segment)
            }
        } catch let error where error.asInsufficientSpace != nil {
            // These bytes were never acknowledged, and what a full disk needs is a server that deletes.
            copy = nil
        }
        try segment.truncate(to: position.offset)
        try segment.synchronize()
        try segment.close()
        return copy
    }

    /// Makes a segment without records once more. The sync that was to keep its name may have failed, and ended the process: then the name
    /// is in the cache, and no later sync of the directory is about it. A full disk goes on with what there is.
    private static func namedAgain(
        _ position: LogRecovery.Position, in directory: String, _ fileSystem: any FileSystem, _ allocation: LogOptions.Allocation
    ) throws(StorageError) -> LogRecovery.Position {
        do {
            return try SegmentWriter.create(position.header, in: directory, fileSystem: fileSystem, allocation: allocation)
        } catch let error where error.asInsufficientSpace != nil {
            return position
        }
    }

    // MARK: Use

    /// Starts the writer thread. Call once, before the first `append` is waited for.
    ///
    /// Both observers run on the writer thread, with no lock of the log held. `committed` is called in order with the last record
    /// of a batch, once the batch is safe as the policy says and before its waiters wake. `failed` is called before the waiters of
    /// a batch that could not be written wake, with `insufficientSpace` or `readOnly`, after which `resume` lets records in again (also from
    /// inside the call), or once with `poisoned`, after which nothing does.
    package func start(
        committed: @escaping @Sendable (_ through: SequenceNumber) -> Void, failed: @escaping @Sendable (StorageError) -> Void
    ) throws(StorageError) {
        try lifecycle.start { [writer] () throws(StorageError) in
            try writer.run(LogWriter.Observer(committed: committed, failed: failed))
        }
    }

    /// Gives the record the next sequence number and queues it. Does no I/O and waits for none.
    ///
    /// The order of calls is the order in the log: hold the lock under which the record was validated. `type` is not 0. A record that
    /// gives space back may use the reserve of a full disk; it fails there only together with one that may not, and not twice.
    /// Throws `recordTooLarge`, `queueFull`, `insufficientSpace` and `readOnly` until `resume`, `poisoned`, `closed`; no number is used up then.
    package func append(
        type: UInt8, version: UInt8 = 1, flags: RecordFlags = [], payload: [UInt8], mayUseReserve: Bool = false
    ) throws(StorageError) -> PendingRecord {
        precondition(type != RecordHeader.sealType, "record type 0 is the log's own")
        return try queue.append(type: type, version: version, flags: flags, payload: payload, mayUseReserve: mayUseReserve)
    }

    /// Returns when the record is on disk (policy `always`) or in the file (the others), and `committed` has seen it. Throws what
    /// kept it from there.
    package func waitUntilCommitted(_ record: PendingRecord) throws(StorageError) {
        try queue.wait(for: record.commit)
    }

    /// The last record that was appended and did not fail.
    package var lastSequence: SequenceNumber { queue.lastSequence }

    /// The last record known to be on disk.
    package var durableSequence: SequenceNumber { queue.durableSequence }

    /// Lets records in again after `insufficientSpace` or `readOnly`; the next one follows the last that was written. Call it once what the
    /// failed records would have changed is forgotten. Does nothing in any other state.
    package func resume() {
        queue.resume()
    }

    /// Poisons the log for a failure that was met outside it: the names in a directory are synced together, so a failed sync for
    /// another file leaves nobody knowing whether the log's are on disk. `error` is `ioFailed`.
    package func poison(_ error: StorageError) {
        queue.reportFailure(error)
    }

    // MARK: Segments

    /// Has the segment end behind what was appended before the call, and returns when that is so. Not from an observer.
    ///
    /// Whatever the policy, these records are on disk then. They stay in the current segment if there is no space for another one,
    /// which is no error. A segment without records goes on. Costs the writer a few syncs, one of them of a new file of
    /// `allocation.first` bytes. Throws `poisoned`, `closed`.
    package func rotate() throws(StorageError) {
        try queue.wait(for: try queue.requestRotation())
    }

    /// Removes the finished segments that hold no record after `sequence`, oldest first, and returns how many. The current segment
    /// always stays. From any thread, beside everything else.
    ///
    /// From then on the log opens only after a record from `sequence` on: that state has to be safe elsewhere before. Nothing is
    /// synced. A power loss may bring back any of the files, and such a start does not need, read or miss what ends before its
    /// record; and a failed sync of the directory here would hide from the writer that the name of its new segment is not on disk.
    ///
    /// Throws `ioFailed`; what was to be removed then stays until the next start finds it.
    package func removeSegments(through sequence: SequenceNumber) throws(StorageError) -> Int {
        var count = 0
        while let segment = retained.takeOldest(through: sequence) {
            try fileSystem.remove("\(directory)/\(SegmentHeader.fileName(segment.number))")
            count += 1
        }
        return count
    }

    /// Checks the segments that no record is added to any more. From any thread, beside everything else: those that are removed
    /// meanwhile are left out.
    package func checkFinishedSegments() -> [CheckedComponent] {
        let files = LogFiles(directory: directory, fileSystem: fileSystem)
        var end: LogFiles.End?
        return retained.finishedSegments.compactMap { segment in
            let component = files.check(SegmentHeader.fileName(segment.number), isLast: false, after: &end)
            // One that is removed is no longer among the finished before its file goes.
            return retained.finishedSegments.contains { $0.number == segment.number } ? component : nil
        }
    }

    /// The bytes of all segments together, without zeros written ahead: what a start would read at most. Cheap, from any thread.
    package var retainedBytes: UInt64 { retained.bytes }

    /// Cheap, from any thread.
    package var statistics: LogStatistics {
        var statistics = writer.meter.statistics
        (statistics.queuedRecords, statistics.queuedBytes) = queue.waiting
        statistics.retainedBytes = Int(retainedBytes)
        return statistics
    }

    /// Writes what is queued, syncs, seals the log, ends the thread. Not from an observer. A second call returns the same.
    /// Throws what poisoned the log, now or before.
    package func close() throws(StorageError) {
        queue.beginClosing()
        try lifecycle.finish(
            unstarted: { [writer] () throws(StorageError) in
                try writer.run(LogWriter.Observer(committed: { _ in }, failed: { _ in }))
            }, release: { [writer] () throws(StorageError) in try writer.close() })
    }
}
