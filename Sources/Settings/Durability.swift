/// When an acknowledged write is on disk.
package enum Durability: Sendable, Equatable, CustomStringConvertible {
    /// Before the reply: one fdatasync for all who wait.
    case always
    /// At most this many milliseconds after the reply.
    case interval(milliseconds: Int)
    /// Whenever the operating system writes it back.
    case os

    static let intervalRange = 1...60_000

    /// Reads `always`, `interval:<milliseconds>` or `os`.
    init?(_ text: String) {
        switch text {
        case "always": self = .always
        case "os": self = .os
        default:
            guard text.hasPrefix("interval:"), let milliseconds = decimal(text.dropFirst("interval:".count)),
                Self.intervalRange.contains(milliseconds)
            else { return nil }
            self = .interval(milliseconds: milliseconds)
        }
    }

    package var description: String {
        switch self {
        case .always: "always"
        case .interval(let milliseconds): "interval:\(milliseconds)"
        case .os: "os"
        }
    }
}

/// A non-negative decimal number of digits only: no sign, no blanks, no underscores, no other base.
func decimal(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    return Int(text)
}
