/// The place of a record in the log: 1 for the first record ever written, then one more for each. The only ordering key there is;
/// clocks play no part.
package struct SequenceNumber: RawRepresentable, Comparable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Before the first record: the state of an empty log.
    package static let zero = SequenceNumber(rawValue: 0)

    /// The one that follows. 2^64 records are not reached.
    package var next: SequenceNumber { SequenceNumber(rawValue: rawValue + 1) }

    package static func < (a: SequenceNumber, b: SequenceNumber) -> Bool { a.rawValue < b.rawValue }

    package var description: String { String(rawValue) }
}
