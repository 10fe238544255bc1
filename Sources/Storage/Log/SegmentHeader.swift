/// The first 64 bytes of a segment file. Little endian.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | magic | the 8 bytes `QUIREWAL` |
/// | 8 | major version u16 | readers refuse a newer one |
/// | 10 | minor version u16 | readers accept a newer one |
/// | 12 | header length u32 | 64: where the first record starts |
/// | 16 | database id | 16 bytes |
/// | 32 | segment number u64 | 1 for the first; equal to the file's name |
/// | 40 | first sequence u64 | of the first record here |
/// | 48 | previous last sequence u64 | first sequence - 1 |
/// | 56 | previous checksum u32 | chain of the segment before; 0 in the first |
/// | 60 | checksum u32 | CRC-32C of bytes 0..<60; the start value of the records' checksums |
///
/// The chain of a segment is the CRC-32C over the checksums of its records, seals included, in order, continued from `checksum`.
struct SegmentHeader: Equatable {
    static let length = 64
    static let magic = Array("QUIREWAL".utf8)
    static let majorVersion: UInt16 = 1
    static let minorVersion: UInt16 = 0

    var databaseID: DatabaseID
    var number: UInt64
    var firstSequence: SequenceNumber
    var previousLastSequence: SequenceNumber
    var previousChecksum: UInt32

    static func first(of databaseID: DatabaseID) -> SegmentHeader {
        SegmentHeader(
            databaseID: databaseID, number: 1, firstSequence: SequenceNumber.zero.next, previousLastSequence: .zero, previousChecksum: 0)
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

    /// The header's 64 bytes and the checksum in them.
    func encoded() -> (bytes: [UInt8], checksum: UInt32) {
        var bytes = Self.magic
        bytes.appendLittleEndian(Self.majorVersion)
        bytes.appendLittleEndian(Self.minorVersion)
        bytes.appendLittleEndian(UInt32(Self.length))
        bytes.appendLittleEndian(databaseID.high.byteSwapped)
        bytes.appendLittleEndian(databaseID.low.byteSwapped)
        bytes.appendLittleEndian(number)
        bytes.appendLittleEndian(firstSequence.rawValue)
        bytes.appendLittleEndian(previousLastSequence.rawValue)
        bytes.appendLittleEndian(previousChecksum)
        let checksum = bytes.withUnsafeBytes { crc32c(0, $0) }
        bytes.appendLittleEndian(checksum)
        return (bytes, checksum)
    }

    /// What is wrong with the bytes of a header.
    enum Flaw: Error, Equatable {
        case damaged(String)
        case newerVersion(major: UInt16, minor: UInt16)
    }

    /// Reads a header. The version is looked at before the checksum: a newer one may have moved it.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws(Flaw) -> (header: SegmentHeader, checksum: UInt32) {
        guard bytes.count >= length else { throw .damaged("the segment header is cut off") }
        guard bytes.prefix(magic.count).elementsEqual(magic) else { throw .damaged("not a log segment") }
        let major = bytes.littleEndian(UInt16.self, at: 8)
        let minor = bytes.littleEndian(UInt16.self, at: 10)
        guard major <= majorVersion else { throw .newerVersion(major: major, minor: minor) }
        let checksum = bytes.littleEndian(UInt32.self, at: 60)
        guard crc32c(0, UnsafeRawBufferPointer(rebasing: bytes[..<60])) == checksum else {
            throw .damaged("the segment header does not match its checksum")
        }
        guard major == majorVersion, bytes.littleEndian(UInt32.self, at: 12) == UInt32(length) else {
            throw .damaged("the segment header has an impossible version or length")
        }
        let header = SegmentHeader(
            databaseID: DatabaseID(
                high: bytes.littleEndian(UInt64.self, at: 16).byteSwapped, low: bytes.littleEndian(UInt64.self, at: 24).byteSwapped),
            number: bytes.littleEndian(UInt64.self, at: 32),
            firstSequence: SequenceNumber(rawValue: bytes.littleEndian(UInt64.self, at: 40)),
            previousLastSequence: SequenceNumber(rawValue: bytes.littleEndian(UInt64.self, at: 48)),
            previousChecksum: bytes.littleEndian(UInt32.self, at: 56))
        // Subtracted, because adding to what a file says could overflow.
        guard header.firstSequence > .zero, header.previousLastSequence.rawValue == header.firstSequence.rawValue - 1 else {
            throw .damaged("the segment header has impossible sequence numbers")
        }
        return (header, checksum)
    }
}
