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
    private let queue: LogQueue
    private let writer: LogWriter
    private let lifecycle = Lifecycle()

    /// Reads the log in `directory`, an existing one, and calls `replay` for each record in order; creates the log if there is none.
    /// A torn tail is copied to a `.torn` file and cut off.
    ///
    /// Throws `damaged` or `unsupportedFormat` when the log cannot be trusted; no file is changed then, and nothing that was
    /// replayed may be used. An error thrown by `replay` ends the same way: `malformedPayload` and `unsupportedRecord` become
    /// `damaged`, with the place of the record, others pass unchanged. Reads each byte once; memory stays at 1 MiB and a record.
    package static func open(
        directory: String, fileSystem: any FileSystem, policy: DurabilityPolicy, options: LogOptions = LogOptions(),
        replay: (LogRecord) throws -> Void
    ) throws -> WriteAheadLog {
        var recovery = LogRecovery(directory: directory, fileSystem: fileSystem)
        let found = try recovery.run(replay: replay)
        // From here on files change: everything that could be refused has been read.
        var report = recovery.report
        for name in report.removedFiles { try fileSystem.remove("\(directory)/\(name)") }
        if let found, let tornEnd = found.tornEnd {
            report.tornFile = try cutTail(of: found, end: tornEnd, in: directory, fileSystem)
            report.truncatedBytes = tornEnd - found.offset
        }
        let position =
            try found
            ?? SegmentWriter.create(
                .first(of: options.newDatabaseID), in: directory, fileSystem: fileSystem, allocation: options.allocation)
        let segment = try SegmentWriter(
            position, path: "\(directory)/\(position.header.fileName)", fileSystem: fileSystem, allocation: options.allocation)
        // A process that was killed may have left records, and file names, that only the page cache has. They were replayed, so
        // they count; and what is written next will call them synced.
        try segment.synchronize()
        try fileSystem.synchronizeDirectory(directory)
        return WriteAheadLog(position, report, segment, policy, options)
    }

    private init(
        _ position: LogRecovery.Position, _ report: RecoveryReport, _ segment: SegmentWriter, _ policy: DurabilityPolicy,
        _ options: LogOptions
    ) {
        databaseID = position.header.databaseID
        recovery = report
        queue = LogQueue(lastSequence: position.lastSequence, byteLimit: options.queueLimit)
        writer = LogWriter(
            queue: queue, segment: segment, policy: policy, idleBeforeSeal: options.idleBeforeSeal, position: position)
    }

    /// Copies the torn bytes away, durably, before they are cut off. Interrupted anywhere, the next start does the same again.
    private static func cutTail(
        of position: LogRecovery.Position, end: UInt64, in directory: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> String {
        let path = "\(directory)/\(position.header.fileName)"
        let name = String(position.header.fileName.dropLast(".log".count)) + tornSuffix
        let reader = try SegmentReader(path, fileSystem: fileSystem)
        try fileSystem.createWhole(name, in: directory) { (file) throws(StorageError) in
            var offset = position.offset
            while offset < end {
                let bytes = Array(try reader.bytes(at: offset, count: Int(min(end - offset, 1 << 20))))
                try file.writeFully(bytes[...], at: offset - position.offset)
                offset += UInt64(bytes.count)
            }
        }
        try reader.close()
        let file = try fileSystem.open(path, for: .updating)
        try file.truncate(to: position.offset)
        try file.synchronize()
        try file.close()
        return name
    }

    // MARK: Use

    /// Starts the writer thread. Call once, before the first `append` is waited for.
    ///
    /// Both observers run on the writer thread, with no lock of the log held. `committed` is called in order with the last record
    /// of a batch, once the batch is safe as the policy says and before its waiters wake. `failed` is called before the waiters of
    /// a batch that could not be written wake, with `insufficientSpace`, after which `resume` lets records in again (also from
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
    /// The order of calls is the order in the log: hold the lock under which the record was validated. `type` is not 0.
    /// Throws `recordTooLarge`, `queueFull`, `insufficientSpace` until `resume`, `poisoned`, `closed`; no number is used up then.
    package func append(
        type: UInt8, version: UInt8 = 1, flags: RecordFlags = [], payload: [UInt8]
    ) throws(StorageError) -> PendingRecord {
        precondition(type != RecordHeader.sealType, "record type 0 is the log's own")
        return try queue.append(type: type, version: version, flags: flags, payload: payload)
    }

    /// Returns when the record is on disk (policy `always`) or in the file (the others), and `committed` has seen it. Throws what
    /// kept it from there.
    package func waitUntilCommitted(_ record: PendingRecord) throws(StorageError) {
        try queue.wait(for: record)
    }

    /// The last record that was appended and did not fail.
    package var lastSequence: SequenceNumber { queue.lastSequence }

    /// The last record known to be on disk.
    package var durableSequence: SequenceNumber { queue.durableSequence }

    /// Lets records in again after `insufficientSpace`; the next one follows the last that was written. Call it once what the
    /// failed records would have changed is forgotten. Does nothing in any other state.
    package func resume() {
        queue.resume()
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
