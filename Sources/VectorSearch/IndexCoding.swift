/// Why bytes are not an index.
package struct IndexDecodingError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Writes an index as little-endian numbers, one after the other.
struct IndexEncoder {
    private(set) var bytes: [UInt8] = []

    /// Begins with what the reader checks first.
    ///
    /// - Parameter rowCount: the rows that the store had when the index was as it is written; it may have more by now.
    init(_ kind: IndexKind, version: UInt32, dimension: Int, rowCount: Int) {
        write(Self.magic(of: kind))
        write(version)
        write(UInt32(dimension))
        write(UInt32(rowCount))
    }

    static func magic(of kind: IndexKind) -> UInt32 {
        kind.rawValue.utf8.reduce(0x5175_6900) { $0 &* 31 &+ UInt32($1) }
    }

    mutating func write(_ value: UInt32) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ value: Float) {
        write(value.bitPattern)
    }

    /// The count, then the values.
    mutating func write<Value: BitwiseCopyable>(_ values: UnsafeBufferPointer<Value>) {
        write(UInt32(values.count))
        // All machines this runs on are little endian; a table is written as it lies in memory.
        bytes.append(contentsOf: UnsafeRawBufferPointer(values))
    }

    mutating func write<Value: BitwiseCopyable>(_ values: [Value]) {
        values.withUnsafeBufferPointer { write($0) }
    }
}

/// Reads what `IndexEncoder` wrote, and takes nothing on trust.
struct IndexDecoder {
    private let bytes: [UInt8]
    private var offset = 0
    /// Rows of the store that the index was written over, which may be fewer than it has now.
    private(set) var rowLimit = 0

    init(_ bytes: [UInt8], _ kind: IndexKind, version: UInt32, store: VectorStore) throws(IndexDecodingError) {
        self.bytes = bytes
        guard try readUInt32() == IndexEncoder.magic(of: kind) else { throw IndexDecodingError("not an index of kind \(kind.rawValue)") }
        let found = try readUInt32()
        guard found == version else { throw IndexDecodingError("version \(found) of \(kind.rawValue), not \(version)") }
        let dimension = Int(try readUInt32())
        guard dimension == store.dimension else { throw IndexDecodingError("dimension \(dimension), not \(store.dimension)") }
        rowLimit = Int(try readUInt32())
        guard rowLimit <= store.usedRows else { throw IndexDecodingError("\(rowLimit) rows, where the store has \(store.usedRows)") }
    }

    mutating func readUInt32() throws(IndexDecodingError) -> UInt32 {
        try read(UInt32.self, count: 1)[0]
    }

    mutating func readFloat() throws(IndexDecodingError) -> Float {
        Float(bitPattern: try readUInt32())
    }

    /// A count and as many values.
    ///
    /// - Parameter count: what the count must be, if that is known.
    mutating func readArray<Value: BitwiseCopyable>(of type: Value.Type, count: Int? = nil) throws(IndexDecodingError) -> [Value] {
        let found = Int(try readUInt32())
        guard count == nil || count == found else { throw IndexDecodingError("\(found) values at \(offset - 4), not \(count!)") }
        return try read(type, count: found)
    }

    /// A count and as many row numbers of the store.
    mutating func readRows(count: Int? = nil) throws(IndexDecodingError) -> [UInt32] {
        let start = offset
        let rows = try readArray(of: UInt32.self, count: count)
        guard rows.allSatisfy({ $0 < rowLimit }) else { throw IndexDecodingError("a row beyond \(rowLimit) after \(start)") }
        return rows
    }

    /// Nothing follows.
    func finish() throws(IndexDecodingError) {
        guard offset == bytes.count else { throw IndexDecodingError("\(bytes.count - offset) bytes too many") }
    }

    private mutating func read<Value: BitwiseCopyable>(_: Value.Type, count: Int) throws(IndexDecodingError) -> [Value] {
        let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
        guard !overflow, size <= bytes.count - offset else { throw IndexDecodingError("ends early, at \(bytes.count)") }
        let start = offset
        offset += size
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { bytes.loadUnaligned(fromByteOffset: start + $0 * MemoryLayout<Value>.stride, as: Value.self) }
        }
    }
}
