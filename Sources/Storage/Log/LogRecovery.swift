/// Reads the segments of a directory in order, hands out their records, and decides what a bad record means.
///
/// Changes no file. What has to change, a torn tail, is in the result for `WriteAheadLog.open` to do once everything was read.
struct LogRecovery {
    /// The place in the log that reading has reached.
    struct Position {
        var header: SegmentHeader
        var seed: RecordSeed
        /// The chain over the segment's record checksums so far.
        var chain: UInt32
        /// Where the next record starts.
        var offset: UInt64
        /// Where the records end of which a later one says that they are on disk.
        var provenEnd: UInt64
        var lastSequence: SequenceNumber
        /// Whether the last record is a seal, or the segment has none and its header proves those before it.
        var sealed: Bool
        /// Where the bytes of a torn tail end, when there is one; it starts at `offset`.
        var tornEnd: UInt64?

        var hasRecords: Bool { offset > UInt64(SegmentHeader.length) }

        /// Before the first record of a segment.
        init(startOf header: SegmentHeader, seed: RecordSeed) {
            self.header = header
            self.seed = seed
            chain = seed.checksum
            offset = UInt64(SegmentHeader.length)
            provenEnd = offset
            lastSequence = header.previousLastSequence
            sealed = header.provesEarlierRecords
        }
    }

    let fileSystem: any FileSystem
    let directory: String
    /// What came up to this record is known already; zero when nothing is.
    let base: SequenceNumber
    /// The database that the log has to be of, if that is known.
    let expectedDatabaseID: DatabaseID?
    private(set) var report = RecoveryReport()
    /// The segments before the last.
    private(set) var finished: [RetainedSegments.Finished] = []

    init(directory: String, fileSystem: any FileSystem, after base: SequenceNumber, expectedDatabaseID: DatabaseID?) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.base = base
        self.expectedDatabaseID = expectedDatabaseID
    }

    /// Replays the records after `base`. Returns where the log ends, or nil when there is no log yet.
    mutating func run(replay: (LogRecord) throws -> Void) throws -> Position? {
        let numbers = try withoutObsolete(try segmentNumbers())
        var position: Position?
        for number in numbers {
            let reader = try SegmentReader(path(number), fileSystem: fileSystem)
            var current = try start(reader, number: number, after: position)
            if let position {
                finished.append(
                    RetainedSegments.Finished(
                        number: position.header.number, lastSequence: position.lastSequence, bytes: position.offset))
            }
            try read(reader, isLast: number == numbers.last, &current, replay: replay)
            try reader.close()
            position = current
            report.segments += 1
        }
        try checkEnd(position)
        report.lastSequence = position?.lastSequence ?? .zero
        report.sealed = position?.sealed ?? false
        return position
    }

    /// Refuses a log that does not reach `base`: the records in between are lost, and their numbers would be given again.
    private func checkEnd(_ position: Position?) throws(StorageError) {
        guard let position else {
            guard base == .zero else {
                throw .damaged(
                    file: directory, offset: 0, sequence: base, reason: "there is no log, and it had reached record \(base)",
                    recordsAfter: 0)
            }
            return
        }
        guard position.lastSequence >= base else {
            let missing = position.lastSequence.next
            throw .damaged(
                file: path(position.header.number), offset: position.offset, sequence: missing,
                reason: "the log ends here: records \(missing) to \(base) are missing", recordsAfter: 0)
        }
    }

    private func path(_ number: UInt64) -> String { "\(directory)/\(SegmentHeader.fileName(number))" }

    // MARK: Segments

    /// Where the reading begins: with the last segment that starts at or before the record behind `base`. Those before it are
    /// neither read nor missed, so it does not matter which of them a removal, and a power loss behind it, has left.
    private mutating func withoutObsolete(_ numbers: [UInt64]) throws(StorageError) -> [UInt64] {
        guard base > .zero else { return numbers }
        for (index, number) in numbers.enumerated().reversed() {
            let reader = try SegmentReader(path(number), fileSystem: fileSystem)
            let header = try header(reader, number: number, expecting: base.next).header
            try reader.close()
            guard header.firstSequence <= base.next else { continue }
            for number in numbers[..<index] {
                report.obsoleteFiles.append(SegmentHeader.fileName(number))
                finished.append(
                    RetainedSegments.Finished(
                        number: number, lastSequence: header.previousLastSequence, bytes: try size(of: number)))
            }
            return Array(numbers[index...])
        }
        return numbers
    }

    private func size(of number: UInt64) throws(StorageError) -> UInt64 { try fileSystem.size(of: path(number)) }

    private mutating func segmentNumbers() throws(StorageError) -> [UInt64] {
        var numbers: [UInt64] = []
        for name in try fileSystem.list(directory).sorted() where name.hasPrefix("wal-") {
            // A directory of such a name is somebody else's.
            if let number = SegmentHeader.number(fileName: name), try fileSystem.status(of: "\(directory)/\(name)")?.kind == .file {
                numbers.append(number)
            } else if name.hasSuffix(temporarySuffix) {
                report.removedFiles.append(name)
            } else if !name.hasSuffix(tornSuffix) {
                report.ignoredFiles.append(name)
            }
        }
        numbers.sort()
        // An empty file after the last segment holds nothing and says nothing. As the only one, it would be a lost log.
        if numbers.count > 1, let last = numbers.last, try size(of: last) == 0 {
            report.ignoredFiles.append(SegmentHeader.fileName(last))
            numbers.removeLast()
        }
        return numbers
    }

    /// Checks a segment's header against what came before it.
    private func start(_ reader: SegmentReader, number: UInt64, after previous: Position?) throws(StorageError) -> Position {
        let expected = previous?.lastSequence.next ?? base.next
        let (header, seed) = try header(reader, number: number, expecting: expected)
        func damaged(_ reason: String) -> StorageError { Self.damaged(reader, reason, expecting: expected) }
        if let databaseID = previous?.header.databaseID ?? expectedDatabaseID, header.databaseID != databaseID {
            throw damaged("the segment belongs to database \(header.databaseID), not to \(databaseID)")
        }
        if let previous {
            guard number == previous.header.number + 1 else {
                throw damaged("segments \(previous.header.number + 1) to \(number - 1) are missing")
            }
            guard header.previousChecksum == previous.chain else { throw damaged("the segment does not follow the one before it") }
            guard header.firstSequence >= expected else { throw damaged("the segment starts with record \(header.firstSequence) again") }
        } else if base == .zero, number > 1 {
            throw damaged("segments 1 to \(number - 1) are missing")
        }
        // Only the first segment that is read may start before: with records that are part of the state that is there.
        guard header.firstSequence <= expected else {
            throw damaged(
                "the segment starts with record \(header.firstSequence): records \(expected) to \(header.previousLastSequence) are missing")
        }
        return Position(startOf: header, seed: seed)
    }

    /// The header of a segment, in order by itself and in the file that has its name.
    private func header(
        _ reader: SegmentReader, number: UInt64, expecting expected: SequenceNumber
    ) throws(StorageError) -> (header: SegmentHeader, seed: RecordSeed) {
        let bytes = try reader.bytes(at: 0, count: SegmentHeader.length)
        do throws(FileHeader.Flaw) {
            let found = try SegmentHeader.decode(bytes)
            guard found.header.number == number else { throw .damaged("the file holds segment \(found.header.number)") }
            return found
        } catch {
            switch error {
            case .damaged(let reason): throw Self.damaged(reader, reason, expecting: expected)
            case .newerVersion(let major, let minor): throw .unsupportedFormat(file: reader.path, major: major, minor: minor)
            }
        }
    }

    /// Says that the segment as such is none of this log.
    private static func damaged(_ reader: SegmentReader, _ reason: String, expecting expected: SequenceNumber) -> StorageError {
        .damaged(file: reader.path, offset: 0, sequence: expected, reason: reason, recordsAfter: 0)
    }

    private mutating func read(
        _ reader: SegmentReader, isLast: Bool, _ position: inout Position, replay: (LogRecord) throws -> Void
    ) throws {
        while true {
            let offset = position.offset
            let record: SegmentReader.Record
            switch try reader.finding(at: offset, seed: position.seed) {
            case .end: return
            case .bad(let reason, let header): return try judge(reason, header, isLast: isLast, reader, &position)
            case .record(let found): record = found
            }
            let header = record.header
            position.offset += UInt64(header.recordLength)
            if let reason = flaw(of: header, after: position.lastSequence) {
                throw try damaged(reader, at: offset, position, reason, from: position.offset)
            }
            if header.syncedSequence == position.lastSequence { position.provenEnd = offset }
            position.chain = withUnsafeBytes(of: record.checksum.littleEndian) { crc32c(position.chain, $0) }
            position.sealed = header.type == RecordHeader.sealType
            guard !position.sealed else { continue }
            guard header.sequence > base else {
                position.lastSequence = header.sequence
                report.recordsSkipped += 1
                continue
            }
            do {
                try replay(LogRecord(header, record.payload))
            } catch let error as StorageError where error.isRefusalOfRecord {
                throw try damaged(reader, at: offset, position, error.description, from: position.offset)
            }
            position.lastSequence = header.sequence
            report.recordsReplayed += 1
        }
    }

    /// What is wrong with an intact record in this place, if anything.
    private func flaw(of header: RecordHeader, after last: SequenceNumber) -> String? {
        if header.type == RecordHeader.sealType {
            return header.sequence == last && header.syncedSequence == last ? nil : "a seal of record \(header.sequence)"
        }
        guard header.sequence == last.next else { return "found record \(header.sequence)" }
        return header.syncedSequence <= last ? nil : "the record calls later ones synced"
    }
}

/// The end of the name of a file that holds a torn tail.
let tornSuffix = ".torn"

extension StorageError {
    /// Thrown by the reader of a record about that record: the log adds where it stands.
    fileprivate var isRefusalOfRecord: Bool {
        switch self {
        case .malformedPayload, .unsupportedRecord: true
        default: false
        }
    }
}
