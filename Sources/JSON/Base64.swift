import FoundationEssentials

/// Vectors as text: the base64 (RFC 4648, section 4, with padding) of 32-bit floats, little-endian, one after another.
package enum Base64 {
    /// The floats, whatever their bits say; `nil` for text that is not such base64.
    package static func floats(_ text: String) -> [Float]? {
        // Foundation takes any number of "=" at the end.
        guard let data = Data(base64Encoded: text), text.utf8.count == (data.count + 2) / 3 * 4, data.count % 4 == 0 else { return nil }
        return data.withUnsafeBytes { buffer in
            (0..<buffer.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }

    package static func text(_ floats: some Sequence<Float>) -> String {
        floats.map(\.bitPattern.littleEndian).withUnsafeBytes { Data($0).base64EncodedString() }
    }
}
