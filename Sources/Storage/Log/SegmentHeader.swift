/// The first 64 bytes of a segment file. Little endian.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | | as `FileHeader` has it, with the magic `QUIREWAL` |
/// | 32 | segment number u64 | 1 for the first; equal to the file's name |
/// | 40 | first sequence u64 | of the first record here |
/// | 48 | previous last sequence u64 | first sequence - 1 |
/// | 56 | previous checksum u32 | chain of the segment before; 0 in the first |
/// | 60 | checksum u32 | as `FileHeader` has it |
///
/// The chain of a segment is the CRC-32C over the checksums of its records, seals included, in order, continued from `checksum`.
struct SegmentHeader: Equatable {
    static let length = FileHeader.length
    private static let kind = FileHeader.Kind(magic: "QUIREWAL", name: "log segment", major: Version.current.rawValue, minor: 0)

    /// The major version of the segment's format: how its records are checked.
    enum Version: UInt16, CaseIterable {
        /// The checksum at the end of a record runs over the header and its checksum: a CRC over bytes and their own CRC is the same
        /// for all bytes, so it says nothing about the header. Read, and written only to a segment that has it.
        case unbound = 1
        /// It continues from the header's: a payload checks under its own header only.
        case bound = 2

        static let current = bound
    }

    var version = Version.current
    var databaseID: DatabaseID
    var number: UInt64
    var firstSequence: SequenceNumber
    var previousLastSequence: SequenceNumber
    var previousChecksum: UInt32

    static func first(of databaseID: DatabaseID) -> SegmentHeader { following(.zero, of: databaseID) }

    /// The header of a segment that goes on behind a known state, and behind no other segment.
    static func following(_ last: SequenceNumber, of databaseID: DatabaseID, number: UInt64 = 1) -> SegmentHeader {
        SegmentHeader(
            databaseID: databaseID, number: number, firstSequence: last.next, previousLastSequence: last, previousChecksum: 0)
    }

    /// Whether there were records before this segment. They were on disk before its header was written, which therefore proves as
    /// much as a seal.
    var provesEarlierRecords: Bool { previousLastSequence > .zero }

    /// The header of the segment behind this one, which ends with the record `last` and has the chain `checksum`.
    func next(after last: SequenceNumber, checksum: UInt32) -> SegmentHeader {
        SegmentHeader(
            databaseID: databaseID, number: number + 1, firstSequence: last.next, previousLastSequence: last, previousChecksum: checksum)
    }

    /// `wal-` and the number in 16 decimal digits, so that names sort as numbers do.
    var fileName: String { Self.fileName(number) }

    static func fileName(_ number: UInt64) -> String {
        let digits = String(number)
        return "wal-" + String(repeating: "0", count: max(0, 16 - digits.count)) + digits + ".log"
    }

    /// The number in a segment's file name; nil for any other name.
    static func number(fileName: String) -> UInt64? {
        guard fileName.hasPrefix("wal-"), fileName.hasSuffix(".log"), let number = UInt64(fileName.dropFirst(4).dropLast(4)),
            Self.fileName(number) == fileName
        else { return nil }
        return number
    }

    /// The header's 64 bytes and what the records behind it are checked with.
    func encoded() -> (bytes: [UInt8], seed: RecordSeed) {
        var fields: [UInt8] = []
        fields.appendLittleEndian(number)
        fields.appendLittleEndian(firstSequence.rawValue)
        fields.appendLittleEndian(previousLastSequence.rawValue)
        fields.appendLittleEndian(previousChecksum)
        let (bytes, checksum) = FileHeader(kind: Self.kind, databaseID: databaseID).encoded(fields: fields, major: version.rawValue)
        return (bytes, RecordSeed(version: version, checksum: checksum))
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) throws(FileHeader.Flaw) -> (header: SegmentHeader, seed: RecordSeed) {
        let (databaseID, major, fields, checksum) = try FileHeader.decode(bytes, of: kind)
        guard let version = Version(rawValue: major) else { throw .damaged("the log segment header has an impossible version") }
        let header = SegmentHeader(
            version: version, databaseID: databaseID, number: fields.littleEndian(UInt64.self, at: 0),
            firstSequence: SequenceNumber(rawValue: fields.littleEndian(UInt64.self, at: 8)),
            previousLastSequence: SequenceNumber(rawValue: fields.littleEndian(UInt64.self, at: 16)),
            previousChecksum: fields.littleEndian(UInt32.self, at: 24))
        // Subtracted, because adding to what a file says could overflow.
        guard header.firstSequence > .zero, header.previousLastSequence.rawValue == header.firstSequence.rawValue - 1 else {
            throw .damaged("the log segment header has impossible sequence numbers")
        }
        return (header, RecordSeed(version: version, checksum: checksum))
    }
}
