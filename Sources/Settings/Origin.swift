/// Where a page comes from whose scripts may read replies: scheme, host and, unless it is the scheme's own, port, as browsers send it
/// in `Origin`. https://www.rfc-editor.org/rfc/rfc6454#section-6
package struct Origin: Sendable, Equatable, CustomStringConvertible {
    /// Made of what was understood, never the text that was given.
    package let description: String

    /// Reads `http` or `https`, a host in lower case or an IP address, and perhaps a port; nil for everything else, `*` included.
    init?(_ text: String) {
        guard let scheme = ["http", "https"].first(where: { text.hasPrefix($0 + "://") }) else { return nil }
        let rest = text.dropFirst(scheme.count + 3)
        // An IPv6 address has colons of its own.
        let hostEnd = rest.hasPrefix("[") ? rest.firstIndex(of: "]").map(rest.index(after:)) : rest.firstIndex(of: ":") ?? rest.endIndex
        guard let hostEnd, let host = Self.host(rest[..<hostEnd]) else { return nil }
        var port = ""
        if hostEnd < rest.endIndex {
            guard rest[hostEnd] == ":", let number = decimal(rest[hostEnd...].dropFirst()), (1...65_535).contains(number) else {
                return nil
            }
            // A browser leaves the scheme's own port out, so one that names it would never match.
            if number != (scheme == "http" ? 80 : 443) { port = ":\(number)" }
        }
        description = "\(scheme)://\(host)\(port)"
    }

    private static func host(_ text: Substring) -> String? {
        if text.hasPrefix("["), text.hasSuffix("]") {
            return IPAddress(String(text.dropFirst().dropLast())).flatMap { $0.isIPv6 ? $0.inURL : nil }
        }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-" && label.utf8.allSatisfy(isHostByte)
        }
        return isName && text.utf8.count <= 253 ? String(text) : nil
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
