import CPlatform
import Glibc
import TestSupport
import Testing

@testable import Storage

@Suite("Bytes and values")
struct CodingTests {
    @Test("values are read back as they were written, to the bit")
    func roundTrip() throws {
        var writer = BinaryWriter(capacity: 100)
        writer.write(UInt32(4_000_000_000))
        writer.write(Int64.min)
        writer.write(true)
        writer.write(false)
        writer.write(uuid: (high: 1, low: 2))
        writer.write("grüße, 🗂")
        writer.write("")
        writer.write(floats: [1.5, -0.0, .infinity, .leastNonzeroMagnitude, Float(bitPattern: 0x7fc0_1234)])

        var reader = BinaryReader(writer.bytes)
        #expect(try reader.readUInt32() == 4_000_000_000)
        #expect(try reader.readInt64() == .min)
        #expect(try reader.readBool() == true)
        #expect(try reader.readBool() == false)
        #expect(try reader.readUUID() == (high: 1, low: 2))
        #expect(try reader.readString() == "grüße, 🗂")
        #expect(try reader.readString() == "")
        #expect(
            try reader.readFloats(count: 5).map(\.bitPattern)
                == [1.5, -0.0, .infinity, .leastNonzeroMagnitude, Float(bitPattern: 0x7fc0_1234)].map { ($0 as Float).bitPattern })
        try reader.finish()
    }

    @Test("numbers are little endian, identifiers are in the order they are printed")
    func byteOrder() {
        var writer = BinaryWriter()
        writer.write(UInt32(0x0102_0304))
        writer.write(uuid: (high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff))

        #expect(writer.bytes == [4, 3, 2, 1] + (0..<16).map { UInt8($0 * 0x11) })
    }

    @Test("what was cut off anywhere is an error, never a value")
    func truncation() {
        var writer = BinaryWriter()
        writer.write(7 as Int64)
        writer.write("text")
        writer.write(floats: [1, 2])
        let bytes = writer.bytes
        func read(_ bytes: some Sequence<UInt8>) throws(StorageError) {
            var reader = BinaryReader(Array(bytes))
            _ = try reader.readInt64()
            _ = try reader.readString()
            _ = try reader.readFloats(count: 2)
            try reader.finish()
        }

        #expect(throws: Never.self) { try read(bytes) }
        for count in 0..<bytes.count { #expect(throws: StorageError.self) { try read(bytes[..<count]) } }
        #expect(throws: StorageError.malformedPayload(offset: 24, reason: "1 bytes left over")) { try read(bytes + [0]) }
    }

    @Test("counts that no payload has, invalid text and truth values are errors with their place")
    func malformed() {
        #expect(throws: StorageError.malformedPayload(offset: 4, reason: "4294967295 bytes needed, 1 left")) {
            var reader = BinaryReader([255, 255, 255, 255, 0])
            _ = try reader.readString()
        }
        #expect(throws: StorageError.malformedPayload(offset: 4, reason: "invalid UTF-8")) {
            var reader = BinaryReader([2, 0, 0, 0, 0xc3, 0x28])
            _ = try reader.readString()
        }
        #expect(throws: StorageError.malformedPayload(offset: 0, reason: "a truth value of 2")) {
            var reader = BinaryReader([2])
            _ = try reader.readBool()
        }
        for count in [-1, .max, .max / 4 + 1, 2] {
            #expect(throws: StorageError.self) {
                var reader = BinaryReader([0, 0, 0, 0])
                _ = try reader.readFloats(count: count)
            }
        }
    }

    @Test("the checksum is CRC-32C, with and without the instruction, in one piece or in several")
    func checksums() {
        // RFC 3720, B.4.
        let ascending = (0..<32).map { UInt8($0) }
        #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { crc32c(0, $0) } == 0x8a91_36aa)
        #expect([UInt8](repeating: 0xff, count: 32).withUnsafeBytes { crc32c(0, $0) } == 0x62a8_ab43)
        #expect(ascending.withUnsafeBytes { crc32c(0, $0) } == 0x46dd_794e)

        var generator = SplitMix(seed: 5)
        let bytes = (0..<1000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        for count in [0, 1, 7, 8, 9, 63, 64, 65, 999, 1000] {
            bytes[..<count].withUnsafeBytes { part in
                let whole = crc32c(0, part)
                #expect(whole == quire_crc32c_portable(0, part.baseAddress, part.count))
                let half = count / 2
                let first = crc32c(0, UnsafeRawBufferPointer(rebasing: part[..<half]))
                #expect(whole == crc32c(first, UnsafeRawBufferPointer(rebasing: part[half...])))
            }
        }
    }

    @Test("records start at multiples of eight, and the layout is the documented one")
    func recordLayout() {
        let seed = RecordSeed(version: .bound, checksum: 9)
        let record = RecordHeader(
            payloadLength: 5, type: 7, version: 2, flags: .skippable, sequence: SequenceNumber(rawValue: 0x1122),
            syncedSequence: SequenceNumber(rawValue: 0x1121))
        var bytes: [UInt8] = []
        record.encode(payload: [1, 2, 3, 4, 5], seed: seed, into: &bytes)

        #expect(bytes.count == 48)
        #expect(Array(bytes[..<12]) == Array("QREC".utf8) + [5, 0, 0, 0, 7, 2, 1, 0])
        #expect(Array(bytes[12..<28]) == [0x22, 0x11, 0, 0, 0, 0, 0, 0, 0x21, 0x11, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[32..<44]) == [1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0])
        let checked = Array(bytes[..<28] + bytes[32..<44])
        #expect(checked.withUnsafeBytes { crc32c(9, $0) } == bytes.withUnsafeBytes { $0.littleEndian(UInt32.self, at: 44) })
        for count in 0...40 {
            let header = header(1, synced: 0, count: count)
            var bytes: [UInt8] = []
            header.encode(payload: [UInt8](repeating: 1, count: count), seed: seed, into: &bytes)
            #expect(bytes.count == header.recordLength && bytes.count % 8 == 0 && bytes.count - count - 36 < 8)
            #expect(bytes.withUnsafeBytes { RecordHeader.decode($0, seed: seed) } == header)
            #expect(bytes.withUnsafeBytes { RecordHeader.decode($0, seed: RecordSeed(version: .bound, checksum: 8)) } == nil)
        }
    }

    @Test("segments are named by their number, and nothing else is a segment's name")
    func segmentNames() {
        #expect(SegmentHeader.fileName(42) == "wal-0000000000000042.log")
        #expect(SegmentHeader.number(fileName: "wal-0000000000000042.log") == 42)
        #expect(SegmentHeader.number(fileName: SegmentHeader.fileName(.max)) == .max)
        for name in ["wal-42.log", "wal-0000000000000042.log.tmp", "wal-000000000000004x.log", "wal-+000000000000042.log", "wal-.log"] {
            #expect(SegmentHeader.number(fileName: name) == nil)
        }
    }

    @Test("a database's name is a random UUID")
    func databaseIDs() {
        #expect(testID.description == "01234567-89ab-4def-8123-456789abcdef")
        #expect(DatabaseID(high: 1, low: 2).description == "00000000-0000-0001-0000-000000000002")
        let names = (0..<100).map { _ in DatabaseID.random() }
        #expect(Set(names).count == 100)
        #expect(names.allSatisfy { $0.high >> 12 & 0xf == 4 && $0.low >> 62 == 2 })
    }

    @Test(
        "every error says what happened and what it means",
        arguments: [
            (
                StorageError.damaged(file: "f", offset: 8, sequence: SequenceNumber(rawValue: 3), reason: "why", recordsAfter: 2),
                "f is damaged at offset 8, record 3: why; 2 intact records follow", StorageError.Category.dataRefused
            ),
            (.unsupportedFormat(file: "f", major: 2, minor: 1), "f has format 2.1, which is newer than this program reads", .dataRefused),
            (.unsupportedRecord(type: 9, version: 1), "unknown record type 9, version 1", .dataRefused),
            (.malformedPayload(offset: 1, reason: "why"), "malformed payload at byte 1: why", .dataRefused),
            (.locked(path: "p", pid: 12), "p is held by process 12", .inUse),
            (.locked(path: "p", pid: nil), "p is held by another process", .inUse),
            (
                .ioFailed(operation: "open", path: "p", errno: ENOENT), "open of p failed: No such file or directory (errno 2)",
                .storageFailed
            ),
            (
                .poisoned(operation: "fdatasync", path: "p", errno: EIO),
                "storage stopped after a failed fdatasync of p: Input/output error (errno 5)", .storageFailed
            ),
            (.insufficientSpace(path: "p", errno: ENOSPC), "no space for p: No space left on device (errno 28)", .requestRefused),
            (.readOnly(path: "p"), "p is on a file system that is read-only by now", .requestRefused),
            (.recordTooLarge(bytes: 2, limit: 1), "a record of 2 bytes exceeds the limit of 1", .requestRefused),
            (.queueFull(bytes: 2, limit: 1), "2 bytes wait to be written, the limit is 1", .requestRefused),
            (.closed, "the log is closed", .requestRefused),
        ])
    func errors(error: StorageError, description: String, category: StorageError.Category) {
        #expect(error.description == description)
        #expect(error.category == category)
    }
}
