import Glibc

/// An address of this machine that no other machine can reach.
///
/// Without API keys nothing else is safe to listen on, so no other address can be expressed.
/// `description` is what inet_ntop prints, never the text that was given.
package struct LoopbackAddress: Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package let isIPv6: Bool

    /// Reads an IP literal in 127.0.0.0/8, `::1`, or `localhost` (127.0.0.1); nil for everything else.
    package init?(_ text: String) {
        // inet_pton reads a C string: a NUL would hide what follows it.
        guard !text.utf8.contains(0) else { return nil }
        if text == "localhost" {
            description = "127.0.0.1"
            isIPv6 = false
        } else if let printed = Self.loopbackIPv4(text) {
            description = printed
            isIPv6 = false
        } else if let printed = Self.loopbackIPv6(text) {
            description = printed
            isIPv6 = true
        } else {
            return nil
        }
    }

    /// The address as nginx's `listen` and a URL want it: IPv6 in brackets.
    package var inURL: String { isIPv6 ? "[\(description)]" : description }

    private static func loopbackIPv4(_ text: String) -> String? {
        var address = in_addr()
        guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
        // Network byte order: the first byte in memory is the first of the dotted form.
        guard withUnsafeBytes(of: address, { $0[0] == 127 }) else { return nil }
        return printed(&address, AF_INET)
    }

    private static func loopbackIPv6(_ text: String) -> String? {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        guard withUnsafeBytes(of: address, { $0.dropLast().allSatisfy { $0 == 0 } && $0[15] == 1 }) else { return nil }
        return printed(&address, AF_INET6)
    }

    private static func printed(_ address: UnsafeRawPointer, _ family: Int32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            inet_ntop(family, address, buffer.baseAddress, socklen_t(buffer.count)).map { String(cString: $0) }
        }
    }
}
