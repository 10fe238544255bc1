import Glibc

/// The 32 bytes before a payload. Little endian; a record starts at a multiple of 8 bytes.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | magic u32 | `QREC` |
/// | 4 | payload length u32 | L, at most 64 MiB |
/// | 8 | type u8 | 0 is a seal |
/// | 9 | version u8 | of the payload's layout |
/// | 10 | flags u16 | bit 0: skippable |
/// | 12 | sequence u64 | |
/// | 20 | synced sequence u64 | the highest one known to be on disk when this record was written |
/// | 28 | header checksum u32 | of bytes 0..<28 |
/// | 32 | payload | L bytes |
/// | 32 + L | padding | zeros: (4 - L) mod 8 bytes |
/// | end - 4 | checksum u32 | of payload and padding, continued from the header checksum |
///
/// The header checksum is continued from the checksum in the header of the segment. In a segment of version 1 the last checksum is
/// continued from there too, over all bytes before it.
struct RecordHeader: Equatable {
    static let magic: UInt32 = 0x4345_5251
    static let length = 32
    static let checksumOffset = 28
    static let sealType: UInt8 = 0

    var payloadLength: Int
    var type: UInt8
    var version: UInt8
    var flags: RecordFlags
    var sequence: SequenceNumber
    var syncedSequence: SequenceNumber

    /// Bytes of the whole record: header, payload, padding and checksum.
    var recordLength: Int { Self.length + (payloadLength + 4 + 7) & ~7 }

    static func seal(_ sequence: SequenceNumber) -> RecordHeader {
        RecordHeader(payloadLength: 0, type: sealType, version: 1, flags: [], sequence: sequence, syncedSequence: sequence)
    }

    /// Appends the record to `output`. `seed` is that of the segment it goes to. Returns the record's checksum.
    @discardableResult
    func encode(payload: [UInt8], seed: RecordSeed, into output: inout [UInt8]) -> UInt32 {
        precondition(payload.count == payloadLength, "a header describes its payload")
        let start = output.count
        output.appendLittleEndian(Self.magic)
        output.appendLittleEndian(UInt32(payloadLength))
        output.append(type)
        output.append(version)
        output.appendLittleEndian(flags.rawValue)
        output.appendLittleEndian(sequence.rawValue)
        output.appendLittleEndian(syncedSequence.rawValue)
        output.appendLittleEndian(output.withUnsafeBytes { seed.headerChecksum(UnsafeRawBufferPointer(rebasing: $0[start...])) })
        output.append(contentsOf: payload)
        for _ in 0..<(recordLength - Self.length - payloadLength - 4) { output.append(0) }
        let checksum = output.withUnsafeBytes { seed.recordChecksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        output.appendLittleEndian(checksum)
        return checksum
    }

    /// The header in the first 32 of `bytes`, or nil when they are not one: wrong magic or checksum, or a length no record has.
    static func decode(_ bytes: UnsafeRawBufferPointer, seed: RecordSeed) -> RecordHeader? {
        guard bytes.count >= length, bytes.littleEndian(UInt32.self, at: 0) == magic,
            seed.headerChecksum(bytes) == bytes.littleEndian(UInt32.self, at: checksumOffset)
        else { return nil }
        let payloadLength = Int(bytes.littleEndian(UInt32.self, at: 4))
        guard payloadLength <= LogRecord.maximumPayloadLength else { return nil }
        return RecordHeader(
            payloadLength: payloadLength, type: bytes[8], version: bytes[9],
            flags: RecordFlags(rawValue: bytes.littleEndian(UInt16.self, at: 10)),
            sequence: SequenceNumber(rawValue: bytes.littleEndian(UInt64.self, at: 12)),
            syncedSequence: SequenceNumber(rawValue: bytes.littleEndian(UInt64.self, at: 20)))
    }

    /// The checksum at the end of a whole record whose header is intact, or nil when it does not fit its bytes.
    static func validChecksum(_ record: UnsafeRawBufferPointer, seed: RecordSeed) -> UInt32? {
        let end = record.count - 4
        let stored = record.littleEndian(UInt32.self, at: end)
        return seed.recordChecksum(UnsafeRawBufferPointer(rebasing: record[..<end])) == stored ? stored : nil
    }
}

extension [UInt8] {
    mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}

extension UnsafeRawBufferPointer {
    func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }

    /// Whether all bytes are zero. At the speed of memcmp: each byte equals the one before it, and the first is zero.
    package var isZero: Bool {
        guard let start = baseAddress, let first else { return true }
        return first == 0 && memcmp(start, start + 1, count - 1) == 0
    }
}
