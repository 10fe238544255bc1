/// What a record means that is not what should stand in its place.
extension LogRecovery {
    /// Decides about a bad record at `position.offset`: a torn tail is noted in `position`, anything else refused.
    ///
    /// A record is refused when it had been on disk, and a later record of the segment proves it in one of two ways: it calls the
    /// missing sequence synced, or it is itself no later than the missing sequence. The second happens when a seal was damaged,
    /// for what follows a seal is written only after the seal was synced. For the proof an intact header is enough: a record whose
    /// own end is torn still tells what was on disk before it.
    func judge(
        _ reason: String, _ header: RecordHeader?, isLast: Bool, _ reader: SegmentReader, _ position: inout Position
    ) throws(StorageError) {
        let missing = position.lastSequence.next
        let later = try reader.laterRecords(behind: header, at: position.offset, seed: position.seed)
        guard isLast, !later.prove(missing) else {
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
            recordsAfter: try reader.laterRecords(from: next, seed: position.seed).intact)
    }
}
