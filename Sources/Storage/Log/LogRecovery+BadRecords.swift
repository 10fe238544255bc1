/// What a record means that is not what should stand in its place.
extension LogRecovery {
    /// Decides about a bad record at `position.offset`: a torn tail is noted in `position`, anything else refused.
    ///
    /// A record is refused when it had been on disk, and a later record of the segment proves it in one of two ways: it calls the
    /// missing sequence synced, or it is itself no later than the missing sequence. The second happens when a seal was damaged,
    /// for what follows a seal is written only after the seal was synced. For the proof an intact header is enough: a record whose
    /// own end is torn still tells what was on disk before it.
    func judge(
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

    /// Says that an intact record cannot stand where it does.
    func damaged(
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
