import FoundationEssentials

/// RFC 4648, section 4, with padding; `nil` for anything else.
func base64Decoded(_ text: String) -> [UInt8]? {
    Data(base64Encoded: text).map(Array.init)
}
