/// Reads the bytes of a text index, and checks each number and each end.
struct TextIndexReader {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func byte() throws(TextIndexDecodingError) -> UInt8 {
        guard offset < bytes.count else { throw endsEarly }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// A number of at most 32 bits.
    @inline(__always)
    mutating func number() throws(TextIndexDecodingError) -> Int {
        // Nearly all are of one byte.
        if offset < bytes.count, bytes[offset] < 0x80 {
            offset += 1
            return Int(bytes[offset - 1])
        }
        return try longNumber()
    }

    private mutating func longNumber() throws(TextIndexDecodingError) -> Int {
        var value = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard offset < bytes.count else { throw endsEarly }
            let byte = bytes[offset]
            offset += 1
            value |= Int(byte & 0x7F) << shift
            guard byte & 0x80 != 0 else {
                guard value <= UInt32.max else { break }
                return value
            }
        }
        throw .damaged("a number of more than 32 bits before \(offset)")
    }

    mutating func range(count: Int) throws(TextIndexDecodingError) -> Range<Int> {
        guard count <= bytes.count - offset else { throw endsEarly }
        defer { offset += count }
        return offset..<offset + count
    }

    mutating func words(count: Int) throws(TextIndexDecodingError) -> [UInt64] {
        let range = try range(count: count * 8)
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound + 8 * $0, as: UInt64.self)) }
        }
    }

    /// Passes `count` distances between positions that ascend, the first one from 0 on.
    @inline(__always)
    mutating func skipPositions(count: Int) throws(TextIndexDecodingError) {
        var position = try number()
        for _ in 1..<count {
            let distance = try number()
            position += distance
            guard distance > 0, position <= UInt32.max else { throw .damaged("positions that do not ascend, before \(offset)") }
        }
    }

    func isAscending(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        bytes[left].lexicographicallyPrecedes(bytes[right])
    }

    private var endsEarly: TextIndexDecodingError { .damaged("a text index that ends early, at \(bytes.count)") }
}
