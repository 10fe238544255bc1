/// A secret that a provider knows its customer by. It can be sent, and not shown: whatever prints it, or a value that holds it, prints
/// dots.
package struct APIKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let secret: String

    /// `nil` for what no provider gives out and no header can carry: nothing, and anything but visible ASCII.
    package init?(_ secret: String) {
        guard !secret.isEmpty, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.secret = secret
    }

    /// The header of a request (RFC 6750, section 2.1). The only way to the secret.
    var authorization: String { "Authorization: Bearer \(secret)" }

    package var description: String { "•••" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
