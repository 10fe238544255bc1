/// How the records of a segment are checked: the version of the segment's format, and the checksum in its header, which theirs continue
/// from. A record therefore checks only in its own segment: one that a user's payload carries, or that was left by another database, is
/// never taken for a record of this log.
struct RecordSeed: Equatable {
    let version: SegmentHeader.Version
    /// The one in the segment's header.
    let checksum: UInt32

    /// The checksum of a record's header.
    ///
    /// - Parameter record: at least the 28 bytes before it.
    func headerChecksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
        crc32c(checksum, UnsafeRawBufferPointer(rebasing: record[..<RecordHeader.checksumOffset]))
    }

    /// The checksum of a record.
    ///
    /// - Parameter record: all its bytes before it, the header's checksum included.
    func recordChecksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
        switch version {
        case .unbound: crc32c(checksum, record)
        case .bound:
            crc32c(
                record.littleEndian(UInt32.self, at: RecordHeader.checksumOffset),
                UnsafeRawBufferPointer(rebasing: record[RecordHeader.length...]))
        }
    }
}
