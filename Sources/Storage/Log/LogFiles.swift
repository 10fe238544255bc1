/// The files of a log, for those who look at them while nobody appends, or who set a new one beside damaged ones.
package struct LogFiles: Sendable {
    private let directory: String
    private let fileSystem: any FileSystem

    package init(directory: String, fileSystem: any FileSystem) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    /// The names of the segments, in order.
    package func segments() throws(StorageError) -> [String] {
        try fileSystem.list(directory).filter(Self.isSegment).sorted()
    }

    package static func isSegment(_ name: String) -> Bool { SegmentHeader.number(fileName: name) != nil }

    package func scan(_ name: String) throws(StorageError) -> SegmentScan {
        try SegmentScan(name, in: directory, fileSystem: fileSystem)
    }

    /// Reads the log as `WriteAheadLog.open` does, refuses what that refuses, and changes nothing. A torn tail that a start would cut
    /// is in the report, and is still there.
    package func read(
        after base: SequenceNumber, expectedDatabaseID: DatabaseID?, replay: (LogRecord) throws -> Void
    ) throws -> RecoveryReport {
        var recovery = LogRecovery(
            directory: directory, fileSystem: fileSystem, after: base, expectedDatabaseID: expectedDatabaseID)
        let end = try recovery.run(replay: replay)
        var report = recovery.report
        if let end, let tornEnd = end.tornEnd { report.truncatedBytes = tornEnd - end.offset }
        return report
    }

    /// Creates a segment behind all that are there, whole and durably, whose first record is the one after `last`. A start that has the
    /// state after `last` reads it and none before it.
    package func beginAnew(after last: SequenceNumber, of databaseID: DatabaseID) throws(StorageError) {
        let number = try segments().last.flatMap(SegmentHeader.number(fileName:)) ?? 0
        let header = SegmentHeader.following(last, of: databaseID, number: number + 1)
        // Without zeros: the first record that is written brings them.
        _ = try SegmentWriter.create(header, in: directory, fileSystem: fileSystem, allocation: LogOptions.Allocation(first: 0))
        try fileSystem.synchronizeDirectory(directory)
    }
}
