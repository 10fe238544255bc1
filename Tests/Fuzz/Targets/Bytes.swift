import CPlatform

/// Numbers and checksums in files, as docs/file-formats.md has them and independent of the code that reads and writes them.
extension [UInt8] {
    /// The little-endian number at `offset`.
    func number<Number: FixedWidthInteger>(_: Number.Type = Number.self, at offset: Int) -> Number {
        self[offset..<(offset + MemoryLayout<Number>.size)].reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    mutating func set(_ number: some FixedWidthInteger, at offset: Int) {
        Swift.withUnsafeBytes(of: number.littleEndian) { bytes in
            for (index, byte) in bytes.enumerated() { self[offset + index] = byte }
        }
    }

    mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// The CRC-32C of the bytes in `range`, continued from `start`.
    func checksum(_ range: Range<Int>, from start: UInt32 = 0) -> UInt32 {
        withUnsafeBytes { quire_crc32c(start, $0.baseAddress.map { $0 + range.lowerBound }, range.count) }
    }

    /// The next `count` bytes after `position`, or as many as there are.
    func take(_ count: Int, from position: inout Int) -> [UInt8] {
        let end = Swift.min(self.count, position + Swift.min(count, self.count))
        defer { position = end }
        return Array(self[position..<end])
    }
}
