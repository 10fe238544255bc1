/// A hash of the bits of a vector, in the manner of wyhash: each step multiplies 64-bit words to 128 bits and folds them.
///
/// The keys are drawn when the process starts, so nobody can prepare vectors that all fall into one place of the table.
enum VectorHash {
    private static let keys = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max) | 1)

    static func hash(_ vector: Span<Float>) -> UInt32 {
        let keys = keys
        let bytes = vector.bytes
        var state = keys.0 ^ UInt64(bytes.byteCount)
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            let word = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state = fold(word ^ keys.1, state ^ keys.0)
            offset += 8
        }
        if offset < bytes.byteCount {
            let word = UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
            state = fold(word ^ keys.1, state ^ keys.0)
        }
        state = fold(state, keys.1)
        return UInt32(truncatingIfNeeded: state ^ state >> 32)
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
