import FoundationEssentials

/// RFC 4648, section 4, with padding; `nil` for anything else.
func base64Decoded(_ text: String) -> [UInt8]? {
    // Foundation takes any number of "=" at the end.
    guard let data = Data(base64Encoded: text), text.utf8.count == (data.count + 2) / 3 * 4 else { return nil }
    return Array(data)
}
