import Glibc

/// An IP address. `description` is what inet_ntop prints, never the text that was given.
package struct IPAddress: Sendable, Equatable, CustomStringConvertible {
    /// 4 or 16, most significant first.
    let bytes: [UInt8]

    /// Reads an IPv4 or IPv6 literal, without zone and brackets; nil for everything else, names included.
    package init?(_ text: String) {
        // inet_pton reads a C string: a NUL would hide what follows it.
        guard !text.utf8.contains(0) else { return nil }
        let family = text.utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
        var bytes = [UInt8](repeating: 0, count: family == AF_INET6 ? 16 : 4)
        guard inet_pton(family, text, &bytes) == 1 else { return nil }
        self.bytes = bytes
    }

    init(bytes: [UInt8]) {
        precondition(bytes.count == 4 || bytes.count == 16, "an address has 4 or 16 bytes")
        self.bytes = bytes
    }

    package var isIPv6: Bool { bytes.count == 16 }

    /// Whether no other machine can reach it: 127.0.0.0/8 or ::1.
    package var isLoopback: Bool { isIPv6 ? bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1 : bytes[0] == 127 }

    package var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let text = inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, buffer.baseAddress, socklen_t(buffer.count))
            precondition(text != nil, "every address can be printed")
            return String(cString: buffer.baseAddress!)
        }
    }

    /// The address as nginx's `listen` and a URL want it: IPv6 in brackets.
    package var inURL: String { isIPv6 ? "[\(description)]" : description }
}

/// The addresses that begin with the same bits: `10.0.0.0/8`, or one address alone.
package struct NetworkBlock: Sendable, Equatable, CustomStringConvertible {
    /// The first one: the bits behind the prefix are zero.
    let address: IPAddress
    /// In bits; never 0, which would be everybody.
    let prefixLength: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        let bits = 8 * address.bytes.count
        guard let length = parts.count == 1 ? bits : decimal(parts[1]), (1...bits).contains(length) else { return nil }
        prefixLength = length
        self.address = IPAddress(
            bytes: address.bytes.enumerated().map { index, byte in
                let kept = min(8, max(0, length - 8 * index))
                return byte & UInt8(truncatingIfNeeded: 0xff00 >> kept)
            })
    }

    package var description: String { prefixLength == 8 * address.bytes.count ? "\(address)" : "\(address)/\(prefixLength)" }
}
