/// The first 64 bytes of a snapshot. Little endian.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | magic | the 8 bytes `QUIRESNP` |
/// | 8 | major version u16 | readers refuse a newer one |
/// | 10 | minor version u16 | readers accept a newer one |
/// | 12 | header length u32 | 64: where the first section starts |
/// | 16 | database id | 16 bytes |
/// | 32 | sequence u64 | the last record of the log whose change is in the snapshot |
/// | 40 | made at i64 | milliseconds since 1970, for people |
/// | 48 | | 12 zeros |
/// | 60 | checksum u32 | CRC-32C of bytes 0..<60; the start value of the sections' checksums |
struct SnapshotHeader: Equatable {
    static let length = 64
    static let magic = Array("QUIRESNP".utf8)
    static let majorVersion: UInt16 = 1
    static let minorVersion: UInt16 = 0

    var databaseID: DatabaseID
    var sequence: SequenceNumber
    var madeAt: Int64

    func encoded() -> (bytes: [UInt8], checksum: UInt32) {
        var bytes = Self.magic
        bytes.appendLittleEndian(Self.majorVersion)
        bytes.appendLittleEndian(Self.minorVersion)
        bytes.appendLittleEndian(UInt32(Self.length))
        bytes.appendLittleEndian(databaseID.high.byteSwapped)
        bytes.appendLittleEndian(databaseID.low.byteSwapped)
        bytes.appendLittleEndian(sequence.rawValue)
        bytes.appendLittleEndian(madeAt)
        bytes += [UInt8](repeating: 0, count: 12)
        let checksum = bytes.withUnsafeBytes { crc32c(0, $0) }
        bytes.appendLittleEndian(checksum)
        return (bytes, checksum)
    }

    /// Throws `damaged` and `unsupportedFormat`. The version is looked at before the checksum: a newer one may have moved it.
    static func decode(_ bytes: UnsafeRawBufferPointer, of path: String) throws(StorageError) -> (header: SnapshotHeader, checksum: UInt32)
    {
        func damaged(_ reason: String) -> StorageError {
            .damagedSnapshot(file: path, offset: 0, reason: reason)
        }
        guard bytes.count >= length else { throw damaged("the header is cut off") }
        guard bytes.prefix(magic.count).elementsEqual(magic) else { throw damaged("not a snapshot") }
        let major = bytes.littleEndian(UInt16.self, at: 8)
        let minor = bytes.littleEndian(UInt16.self, at: 10)
        guard major <= majorVersion else { throw .unsupportedFormat(file: path, major: major, minor: minor) }
        let checksum = bytes.littleEndian(UInt32.self, at: 60)
        guard crc32c(0, UnsafeRawBufferPointer(rebasing: bytes[..<60])) == checksum else {
            throw damaged("the header does not match its checksum")
        }
        guard major == majorVersion, bytes.littleEndian(UInt32.self, at: 12) == UInt32(length) else {
            throw damaged("the header has an impossible version or length")
        }
        let header = SnapshotHeader(
            databaseID: DatabaseID(
                high: bytes.littleEndian(UInt64.self, at: 16).byteSwapped, low: bytes.littleEndian(UInt64.self, at: 24).byteSwapped),
            sequence: SequenceNumber(rawValue: bytes.littleEndian(UInt64.self, at: 32)),
            madeAt: bytes.littleEndian(Int64.self, at: 40))
        return (header, checksum)
    }
}
