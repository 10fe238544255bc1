/// What the first 64 bytes of every file of a database have in common: who wrote it, in which format, and that they are whole.
/// Little endian.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | magic | 8 bytes that name the kind of file |
/// | 8 | major version u16 | readers refuse a newer one |
/// | 10 | minor version u16 | readers accept a newer one |
/// | 12 | header length u32 | 64: where the contents start |
/// | 16 | database id | 16 bytes |
/// | 32 | | 28 bytes of the kind of file |
/// | 60 | checksum u32 | CRC-32C of bytes 0..<60; the start value of the checksums of the contents |
struct FileHeader {
    static let length = 64
    private static let fieldsOffset = 32
    private static let checksumOffset = 60

    let kind: Kind
    let databaseID: DatabaseID

    struct Kind {
        /// 8 bytes.
        let magic: String
        /// For messages.
        let name: String
        /// The current version. Files of all from 1 on are read.
        let major: UInt16
        let minor: UInt16
    }

    /// What is wrong with the bytes of a header.
    enum Flaw: Error, Equatable {
        case damaged(String)
        case newerVersion(major: UInt16, minor: UInt16)
    }

    /// The header's bytes and the checksum in them.
    ///
    /// - Parameters:
    ///   - fields: 28 bytes.
    ///   - major: the version of the file, where that is not the current one.
    func encoded(fields: [UInt8], major: UInt16? = nil) -> (bytes: [UInt8], checksum: UInt32) {
        var bytes = Array(kind.magic.utf8)
        bytes.appendLittleEndian(major ?? kind.major)
        bytes.appendLittleEndian(kind.minor)
        bytes.appendLittleEndian(UInt32(Self.length))
        bytes.appendLittleEndian(databaseID.high.byteSwapped)
        bytes.appendLittleEndian(databaseID.low.byteSwapped)
        bytes += fields
        precondition(bytes.count == Self.checksumOffset, "magic and fields have their sizes")
        let checksum = bytes.withUnsafeBytes { crc32c(0, $0) }
        bytes.appendLittleEndian(checksum)
        return (bytes, checksum)
    }

    /// Reads a header. The version is looked at before the checksum: a newer one may have moved it.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, of kind: Kind
    ) throws(Flaw) -> (databaseID: DatabaseID, major: UInt16, fields: UnsafeRawBufferPointer, checksum: UInt32) {
        guard bytes.count >= length else { throw .damaged("the \(kind.name) header is cut off") }
        guard bytes.prefix(kind.magic.utf8.count).elementsEqual(kind.magic.utf8) else { throw .damaged("not a \(kind.name)") }
        let major = bytes.littleEndian(UInt16.self, at: 8)
        let minor = bytes.littleEndian(UInt16.self, at: 10)
        guard major <= kind.major else {
            // A newer header cannot fit its checksum with a version of ours in it: one that does is ours, with a damaged version.
            guard !(1...kind.major).contains(where: { matchesChecksum(bytes, major: $0, minor: kind.minor) }) else {
                throw .damaged("the \(kind.name) header has an impossible version")
            }
            throw .newerVersion(major: major, minor: minor)
        }
        let checksum = bytes.littleEndian(UInt32.self, at: checksumOffset)
        guard crc32c(0, UnsafeRawBufferPointer(rebasing: bytes[..<checksumOffset])) == checksum else {
            throw .damaged("the \(kind.name) header does not match its checksum")
        }
        guard major > 0, bytes.littleEndian(UInt32.self, at: 12) == UInt32(length) else {
            throw .damaged("the \(kind.name) header has an impossible version or length")
        }
        let databaseID = DatabaseID(
            high: bytes.littleEndian(UInt64.self, at: 16).byteSwapped, low: bytes.littleEndian(UInt64.self, at: 24).byteSwapped)
        return (databaseID, major, UnsafeRawBufferPointer(rebasing: bytes[fieldsOffset..<checksumOffset]), checksum)
    }

    private static func matchesChecksum(_ bytes: UnsafeRawBufferPointer, major: UInt16, minor: UInt16) -> Bool {
        var fields = Array(bytes[..<checksumOffset])
        var version: [UInt8] = []
        version.appendLittleEndian(major)
        version.appendLittleEndian(minor)
        fields.replaceSubrange(8..<12, with: version)
        return fields.withUnsafeBytes { crc32c(0, $0) } == bytes.littleEndian(UInt32.self, at: checksumOffset)
    }
}
