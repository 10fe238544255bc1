/// Names one database for life: 16 random bytes in every file that belongs to it, so that a file of another database is noticed.
package struct DatabaseID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new name, as a random UUID (RFC 9562, version 4).
    package static func random() -> DatabaseID {
        DatabaseID(
            high: .random(in: 0...UInt64.max) & 0xffff_ffff_ffff_0fff | 0x4000,
            low: .random(in: 0...UInt64.max) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
    }

    package var description: String {
        let digits = high.hexadecimal + low.hexadecimal
        let bounds = [0, 8, 12, 16, 20, 32]
        return zip(bounds, bounds.dropFirst()).map { digits.dropFirst($0).prefix($1 - $0) }.joined(separator: "-")
    }
}

extension UInt64 {
    /// 16 digits.
    package var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
