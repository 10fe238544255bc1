/// What stands at a place of a segment, for whoever replays, checks or shows it.
extension SegmentReader {
    struct Record {
        let header: RecordHeader
        let payload: [UInt8]
        let checksum: UInt32
    }

    enum Finding {
        case record(Record)
        /// No record that can be trusted; with its header if that is intact, which then tells where the record ends.
        case bad(String, RecordHeader?)
        /// Nothing, up to the end of the file.
        case end
    }

    func finding(at offset: UInt64, seed: RecordSeed) throws(StorageError) -> Finding {
        guard offset < size else { return .end }
        let start = try bytes(at: offset, count: RecordHeader.length)
        if start.isZero, try isZero(from: offset) { return .end }
        // `start` is gone after the look ahead, so it is asked for again.
        let bytes = try bytes(at: offset, count: RecordHeader.length)
        guard let header = RecordHeader.decode(bytes, seed: seed) else { return .bad("no valid record header", nil) }
        let record = try self.bytes(at: offset, count: header.recordLength)
        guard record.count == header.recordLength,
            let checksum = RecordHeader.validChecksum(record, seed: seed)
        else { return .bad("the record does not match its checksum", header) }
        let payload = Array(record[RecordHeader.length..<(RecordHeader.length + header.payloadLength)])
        return .record(Record(header: header, payload: payload, checksum: checksum))
    }

    /// Where the next intact record header stands: at a multiple of 8 bytes from `offset` on, before `end`; nil if there is none.
    func nextHeader(
        from offset: UInt64, before end: UInt64, seed: RecordSeed
    ) throws(StorageError) -> (offset: UInt64, header: RecordHeader)? {
        var offset = offset
        while offset < end {
            let bytes = try bytes(at: offset, count: RecordHeader.length)
            if let header = RecordHeader.decode(bytes, seed: seed) { return (offset, header) }
            offset += 8
        }
        return nil
    }

    /// What the records behind a bad one say.
    struct LaterRecords {
        fileprivate(set) var intact = 0
        fileprivate var highestSynced = SequenceNumber.zero
        fileprivate var lowestSequence: SequenceNumber?

        /// Whether there is not even the header of one.
        var isEmpty: Bool { lowestSequence == nil }

        /// Whether they prove that the record that is missing before them had been on disk.
        func prove(_ missing: SequenceNumber) -> Bool {
            highestSynced >= missing || lowestSequence.map { $0 <= missing } ?? false
        }
    }

    /// Looks for records behind a bad one at `offset`, whose header may be intact.
    func laterRecords(behind header: RecordHeader?, at offset: UInt64, seed: RecordSeed) throws(StorageError) -> LaterRecords {
        try laterRecords(from: offset + UInt64(header?.recordLength ?? 8), seed: seed)
    }

    func laterRecords(from start: UInt64, seed: RecordSeed) throws(StorageError) -> LaterRecords {
        var found = LaterRecords()
        let end = try endOfContent(from: start)
        var offset = start
        while let (place, header) = try nextHeader(from: offset, before: end, seed: seed) {
            found.highestSynced = max(found.highestSynced, header.syncedSequence)
            found.lowestSequence = min(found.lowestSequence ?? header.sequence, header.sequence)
            if header.type != RecordHeader.sealType, case .record = try finding(at: place, seed: seed) {
                found.intact += 1
            }
            offset = place + UInt64(header.recordLength)
        }
        return found
    }
}

extension LogRecord {
    init(_ header: RecordHeader, _ payload: [UInt8]) {
        self.init(type: header.type, version: header.version, flags: header.flags, sequence: header.sequence, payload: payload)
    }
}
