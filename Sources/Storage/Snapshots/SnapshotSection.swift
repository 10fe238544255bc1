/// A part of a snapshot: a type that says what it is, and bytes that its writer understands.
///
/// In the file, 24 bytes and the payload, padded with zeros to a multiple of 8. Little endian.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | magic u32 | `QSEC` |
/// | 4 | type u16 | 0 ends the snapshot |
/// | 6 | flags u16 | bit 0: skippable by a reader that does not know the type |
/// | 8 | ordinal u32 | 0 for the first section of the file, then one more for each |
/// | 12 | payload length u32 | at most 66 MiB |
/// | 16 | payload checksum u32 | CRC-32C of the payload and its padding |
/// | 20 | header checksum u32 | of bytes 0..<20 |
///
/// Both checksums continue from the file header's, so a section of another snapshot is not taken for one of this.
package struct SnapshotSection: Sendable {
    package let type: UInt16
    package let isSkippable: Bool
    package let payload: [UInt8]
    /// False when the payload does not match its checksum: whoever can do without it may go on.
    package let isIntact: Bool
    /// Where the section stands in the file.
    package let offset: UInt64

    static let headerLength = 24
    static let magic = UInt32(littleEndian: 0x4345_5351)
    static let endType: UInt16 = 0
    static let skippableFlag: UInt16 = 1

    /// What is larger is written as several sections of a type. Room for a document as large as a record of the log, which is not cut,
    /// behind others of up to 2 MiB.
    package static let maximumPayloadLength = LogRecord.maximumPayloadLength + (2 << 20)
}
