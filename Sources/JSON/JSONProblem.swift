/// One thing wrong with a JSON text, and where.
package struct JSONProblem: Equatable, Sendable {
    /// The path to the offender: `["body", "chunks", 3, "embedding"]`.
    package let location: [JSONPathComponent]
    package let message: String
    package let kind: Kind

    package init(location: [JSONPathComponent], message: String, kind: Kind) {
        self.location = location
        self.message = message
        self.kind = kind
    }

    /// A stable word for programs. Readers of a body may add kinds of their own.
    package struct Kind: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        package static let missing = Kind(rawValue: "missing")
        package static let unknownField = Kind(rawValue: "unknown_field")
        package static let wrongType = Kind(rawValue: "wrong_type")
        package static let outOfRange = Kind(rawValue: "out_of_range")
        package static let tooShort = Kind(rawValue: "too_short")
        package static let tooLong = Kind(rawValue: "too_long")
        package static let unknownValue = Kind(rawValue: "unknown_value")
        /// A number that no 32-bit float can hold.
        package static let notFinite = Kind(rawValue: "not_finite")
        package static let invalidID = Kind(rawValue: "invalid_id")
    }
}

package enum JSONPathComponent: Equatable, Sendable {
    case key(String)
    case index(Int)
}

/// All problems found in one body; thrown by `JSONReader.finish`.
package struct JSONProblems: Error, Equatable {
    /// At most `JSONReader.maxProblems`.
    package let problems: [JSONProblem]

    package init(_ problems: [JSONProblem]) {
        self.problems = problems
    }
}
