/// When an acknowledged record is safe from what.
package enum DurabilityPolicy: Sendable, Equatable {
    /// On disk before it is acknowledged: survives a power loss.
    case always
    /// On disk at most this long, and one sync, after it is acknowledged; survives a kill at once.
    case interval(milliseconds: Int)
    /// The operating system decides; survives a kill at once, a power loss only by luck.
    case os

    /// The longest interval taken: one minute.
    package static let longestInterval = 60_000

    /// Reads `always`, `interval:<ms>` with 1 to 60000 milliseconds, or `os`; nil for anything else.
    package static func parse(_ text: String) -> DurabilityPolicy? {
        switch text {
        case "always": return .always
        case "os": return .os
        default:
            let prefix = "interval:"
            guard text.hasPrefix(prefix) else { return nil }
            let digits = text.dropFirst(prefix.count)
            guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let milliseconds = Int(digits), (1...longestInterval).contains(milliseconds)
            else { return nil }
            return .interval(milliseconds: milliseconds)
        }
    }
}
