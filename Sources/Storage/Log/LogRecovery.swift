/// Reads the segments of a directory in order, hands out their records, and decides what a bad record means.
///
/// Changes no file. What has to change, a torn tail, is in the result for `WriteAheadLog.open` to do once everything was read.
struct LogRecovery {
    /// The place in the log that reading has reached.
    struct Position {
        var header: SegmentHeader
        var segmentChecksum: UInt32
        /// The chain over the segment's record checksums so far.
        var chain: UInt32
        /// Where the next record starts.
        var offset: UInt64
        var lastSequence: SequenceNumber
        /// Whether the last record is a seal.
        var sealed: Bool
        /// Where the bytes of a torn tail end, when there is one; it starts at `offset`.
        var tornEnd: UInt64?
    }

    let fileSystem: any FileSystem
    let directory: String
    private(set) var report = RecoveryReport()

    init(directory: String, fileSystem: any FileSystem) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    /// Replays all records. Returns where the log ends, or nil when there is no log yet.
    mutating func run(replay: (LogRecord) throws -> Void) throws -> Position? {
        let numbers = try segmentNumbers()
        var position: Position?
        for (index, number) in numbers.enumerated() {
            let reader = try SegmentReader("\(directory)/\(SegmentHeader.fileName(number))", fileSystem: fileSystem)
            // An empty file after the last segment holds nothing and says nothing. As the only one, it would be a lost log.
            if reader.size == 0, index > 0, index == numbers.count - 1 {
                report.ignoredFiles.append(SegmentHeader.fileName(number))
                try reader.close()
                break
            }
            var current = try start(reader, number: number, after: position)
            try read(reader, isLast: index == numbers.count - 1, &current, replay: replay)
            try reader.close()
            position = current
            report.segments += 1
        }
        report.lastSequence = position?.lastSequence ?? .zero
        report.sealed = position?.sealed ?? false
        return position
    }

    private mutating func segmentNumbers() throws(StorageError) -> [UInt64] {
        var numbers: [UInt64] = []
        for name in try fileSystem.list(directory).sorted() where name.hasPrefix("wal-") {
            if let number = SegmentHeader.number(fileName: name) {
                numbers.append(number)
            } else if name.hasSuffix(temporarySuffix) {
                report.removedFiles.append(name)
            } else if !name.hasSuffix(tornSuffix) {
                report.ignoredFiles.append(name)
            }
        }
        return numbers.sorted()
    }

    /// Checks a segment's header against what came before it.
    private func start(_ reader: SegmentReader, number: UInt64, after previous: Position?) throws(StorageError) -> Position {
        let expected = previous?.lastSequence.next ?? SequenceNumber.zero.next
        func damaged(_ reason: String) -> StorageError {
            .damaged(file: reader.path, offset: 0, sequence: expected, reason: reason, recordsAfter: 0)
        }
        let header: SegmentHeader
        let checksum: UInt32
        let bytes = try reader.bytes(at: 0, count: SegmentHeader.length)
        do throws(SegmentHeader.Flaw) {
            (header, checksum) = try SegmentHeader.decode(bytes)
        } catch {
            switch error {
            case .damaged(let reason): throw damaged(reason)
            case .newerVersion(let major, let minor): throw .unsupportedFormat(file: reader.path, major: major, minor: minor)
            }
        }
        guard header.number == number else { throw damaged("the file holds segment \(header.number)") }
        if let previous {
            guard header.databaseID == previous.header.databaseID else {
                throw damaged("the segment belongs to database \(header.databaseID), the one before to \(previous.header.databaseID)")
            }
            guard number == previous.header.number + 1 else {
                throw damaged("segments \(previous.header.number + 1) to \(number - 1) are missing")
            }
            guard header.previousChecksum == previous.chain else { throw damaged("the segment does not follow the one before it") }
        }
        guard header.firstSequence == expected, header.previousLastSequence == previous?.lastSequence ?? .zero else {
            throw damaged("the segment starts with record \(header.firstSequence): records in between are missing")
        }
        return Position(
            header: header, segmentChecksum: checksum, chain: checksum, offset: UInt64(SegmentHeader.length),
            lastSequence: previous?.lastSequence ?? .zero, sealed: previous?.sealed ?? false)
    }

    private mutating func read(
        _ reader: SegmentReader, isLast: Bool, _ position: inout Position, replay: (LogRecord) throws -> Void
    ) throws {
        while position.offset < reader.size {
            let offset = position.offset
            let start = try reader.bytes(at: offset, count: RecordHeader.length)
            if start.isZero, try reader.isZero(from: offset) { return }
            // `start` is gone after the look ahead, so it is asked for again.
            let bytes = try reader.bytes(at: offset, count: RecordHeader.length)
            guard let header = RecordHeader.decode(bytes, segmentChecksum: position.segmentChecksum) else {
                return try judge("no valid record header", headerLength: nil, isLast: isLast, reader, &position)
            }
            let record = try reader.bytes(at: offset, count: header.recordLength)
            guard record.count == header.recordLength,
                let checksum = RecordHeader.validChecksum(record, segmentChecksum: position.segmentChecksum)
            else {
                return try judge(
                    "the record does not match its checksum", headerLength: header.recordLength, isLast: isLast, reader, &position)
            }
            let payload = Array(record[RecordHeader.length..<(RecordHeader.length + header.payloadLength)])
            position.offset += UInt64(header.recordLength)
            if let reason = flaw(of: header, after: position.lastSequence) {
                throw try damaged(reader, at: offset, position, reason, from: position.offset)
            }
            position.chain = withUnsafeBytes(of: checksum.littleEndian) { crc32c(position.chain, $0) }
            position.sealed = header.type == RecordHeader.sealType
            guard !position.sealed else { continue }
            do {
                try replay(
                    LogRecord(
                        type: header.type, version: header.version, flags: header.flags, sequence: header.sequence, payload: payload))
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

    // MARK: Bad records

    /// Decides about a bad record at `position.offset`: a torn tail is noted in `position`, anything else refused.
    ///
    /// A record is refused when it had been on disk, and a later record of the segment proves it in one of two ways: it calls the
    /// missing sequence synced, or it is itself no later than the missing sequence. The second happens when a seal was damaged,
    /// for what follows a seal is written only after the seal was synced. For the proof an intact header is enough: a record whose
    /// own end is torn still tells what was on disk before it.
    private func judge(
        _ reason: String, headerLength: Int?, isLast: Bool, _ reader: SegmentReader, _ position: inout Position
    ) throws(StorageError) {
        let missing = position.lastSequence.next
        let later = try laterRecords(
            reader, from: position.offset + UInt64(headerLength ?? 8), segmentChecksum: position.segmentChecksum)
        let proved = later.highestSynced >= missing || later.lowestSequence.map { $0 <= missing } ?? false
        guard isLast, !proved else {
            let place = isLast ? "it had been on disk" : "the segment is not the last"
            throw .damaged(
                file: reader.path, offset: position.offset, sequence: missing, reason: "\(reason), and \(place)", recordsAfter: later.intact
            )
        }
        position.tornEnd = try reader.endOfContent(from: position.offset)
    }

    private func damaged(
        _ reader: SegmentReader, at offset: UInt64, _ position: Position, _ reason: String, from next: UInt64
    ) throws(StorageError) -> StorageError {
        .damaged(
            file: reader.path, offset: offset, sequence: position.lastSequence.next, reason: reason,
            recordsAfter: try laterRecords(reader, from: next, segmentChecksum: position.segmentChecksum).intact)
    }

    private struct LaterRecords {
        var intact = 0
        var highestSynced = SequenceNumber.zero
        var lowestSequence: SequenceNumber?
    }

    /// Looks for records at every multiple of 8 bytes from `start`.
    private func laterRecords(_ reader: SegmentReader, from start: UInt64, segmentChecksum: UInt32) throws(StorageError) -> LaterRecords {
        var found = LaterRecords()
        var offset = start
        let end = try reader.endOfContent(from: start)
        while offset < end {
            let bytes = try reader.bytes(at: offset, count: RecordHeader.length)
            guard let header = RecordHeader.decode(bytes, segmentChecksum: segmentChecksum) else {
                offset += 8
                continue
            }
            found.highestSynced = max(found.highestSynced, header.syncedSequence)
            found.lowestSequence = min(found.lowestSequence ?? header.sequence, header.sequence)
            let record = try reader.bytes(at: offset, count: header.recordLength)
            if record.count == header.recordLength,
                RecordHeader.validChecksum(record, segmentChecksum: segmentChecksum) != nil,
                header.type != RecordHeader.sealType
            {
                found.intact += 1
            }
            offset += UInt64(header.recordLength)
        }
        return found
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
