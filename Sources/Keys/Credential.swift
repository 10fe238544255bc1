/// What a client shows to be known: `qk_<id>_<secret>`. Whatever prints it, or a value that holds it, prints dots.
package struct Credential: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private static let prefix = "qk_"
    private static let secretBytes = 32

    let id: KeyID
    /// 64 hexadecimal digits.
    let secret: String

    /// A new secret of 256 bits from the system's generator.
    init(for id: KeyID) {
        self.id = id
        secret = hexadecimalText(randomBytes(Self.secretBytes))
    }

    /// `nil` for what `quire keys` never made, which nothing needs to be looked up for.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, let id = KeyID(String(parts[0])), parts[1].utf8.count == 2 * Self.secretBytes,
            parts[1].utf8.allSatisfy({ hexadecimalValue($0) != nil })
        else { return nil }
        self.id = id
        secret = String(parts[1])
    }

    /// What the client sends, for whoever made the key: the only way to the secret.
    package func reveal() -> String { "\(Self.prefix)\(id)_\(secret)" }

    package var description: String { "\(Self.prefix)\(id)_•••" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a key is spoken of by. No secret.
package struct KeyID: Hashable, Sendable, CustomStringConvertible {
    private static let byteCount = 6

    package let description: String

    static func random() -> KeyID { KeyID(hexadecimalText(randomBytes(byteCount)))! }

    /// Reads 12 lower-case hexadecimal digits.
    package init?(_ text: String) {
        guard text.utf8.count == 2 * Self.byteCount, text.utf8.allSatisfy({ hexadecimalValue($0) != nil }) else { return nil }
        description = text
    }
}

/// From the kernel's generator, which is fit for secrets.
private func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
