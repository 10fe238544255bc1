/// Reads what `BinaryWriter` wrote, in the same order. Every read is checked against the end, and a count never allocates more
/// than the bytes that are there; what does not fit throws `StorageError.malformedPayload`.
package struct BinaryReader {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package mutating func readUInt8() throws(StorageError) -> UInt8 { try integer() }
    package mutating func readUInt32() throws(StorageError) -> UInt32 { try integer() }
    package mutating func readInt64() throws(StorageError) -> Int64 { try integer() }

    package mutating func readBool() throws(StorageError) -> Bool {
        switch try integer() as UInt8 {
        case 0: return false
        case 1: return true
        case let other: throw malformed("a truth value of \(other)", before: 1)
        }
    }

    package mutating func readUUID() throws(StorageError) -> (high: UInt64, low: UInt64) {
        let (high, low): (UInt64, UInt64) = (try integer(), try integer())
        return (high: high.byteSwapped, low: low.byteSwapped)
    }

    package mutating func readString() throws(StorageError) -> String {
        let utf8 = try take(Int(try readUInt32()))
        guard let text = String(validating: utf8, as: UTF8.self) else { throw malformed("invalid UTF-8", before: utf8.count) }
        return text
    }

    package mutating func readFloats(count: Int) throws(StorageError) -> [Float] {
        let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.size)
        guard count >= 0, !overflow else { throw malformed("a count of \(count)", before: 0) }
        let source = try take(size)
        // As in `File.read`.
        guard count > 0 else { return [] }
        // The floats are copied bit for bit; both buffers have room for `size` bytes, the reader just checked its own.
        return [Float](unsafeUninitializedCapacity: count) { destination, initialized in
            source.withUnsafeBytes { UnsafeMutableRawBufferPointer(destination).copyMemory(from: $0) }
            initialized = count
        }
    }

    package mutating func readBytes(count: Int) throws(StorageError) -> [UInt8] { Array(try take(count)) }

    /// Throws unless everything was read: bytes left over mean that writer and reader disagree.
    package func finish() throws(StorageError) {
        guard remaining == 0 else { throw malformed("\(remaining) bytes left over", before: 0) }
    }

    package var isAtEnd: Bool { remaining == 0 }

    private var remaining: Int { bytes.count - position }

    private mutating func integer<Value: FixedWidthInteger>() throws(StorageError) -> Value {
        let source = try take(MemoryLayout<Value>.size)
        return Value(littleEndian: source.withUnsafeBytes { $0.loadUnaligned(as: Value.self) })
    }

    private mutating func take(_ count: Int) throws(StorageError) -> ArraySlice<UInt8> {
        guard count <= remaining else { throw malformed("\(count) bytes needed, \(remaining) left", before: 0) }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    private func malformed(_ reason: String, before count: Int) -> StorageError {
        .malformedPayload(offset: position - count, reason: reason)
    }
}
