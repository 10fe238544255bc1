import CCrypto

/// The SHA-256 (FIPS 180-4) of a secret: all that is kept of it.
///
/// Nothing slower is needed. Slow hashes are for passwords, which can be guessed; a secret has 256 random bits.
struct SecretDigest: Sendable, Equatable {
    private static let byteCount = 32

    private let bytes: [UInt8]

    init(of secret: String) {
        var secret = secret
        bytes = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { digest, count in
            let result = secret.withUTF8 { SHA256($0.baseAddress, $0.count, digest.baseAddress) }
            precondition(result != nil, "the digest of bytes in memory cannot fail")
            count = Self.byteCount
        }
    }

    /// Reads 64 lower-case hexadecimal digits.
    init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap(hexadecimalValue)
        guard text.utf8.count == 2 * Self.byteCount, digits.count == text.utf8.count else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    var hexadecimal: String { hexadecimalText(bytes) }

    /// Takes the same time wherever the two differ.
    static func == (left: SecretDigest, right: SecretDigest) -> Bool {
        CRYPTO_memcmp(left.bytes, right.bytes, byteCount) == 0
    }
}

func hexadecimalText(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// Of a lower-case digit.
func hexadecimalValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
}
