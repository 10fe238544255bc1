/// Appends values to a payload: little endian, nothing between them.
package struct BinaryWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func write(_ value: UInt8) { append(value) }
    package mutating func write(_ value: UInt32) { append(value) }
    package mutating func write(_ value: Int64) { append(value) }
    package mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// A UUID: 16 bytes in the order in which they are printed.
    package mutating func write(uuid: (high: UInt64, low: UInt64)) {
        append(uuid.high.byteSwapped)
        append(uuid.low.byteSwapped)
    }

    /// A count of bytes (u32), then the UTF-8. Stops the process beyond 4 GiB, which no payload may hold.
    package mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            write(UInt32(utf8.count))
            bytes.append(contentsOf: utf8)
        }
    }

    /// The bits of `values`, without a count: the reader knows how many there are.
    package mutating func write(floats values: [Float]) {
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
