/// Which chunks are meant: a tree of conditions, as it was read from the wire. Every value is of the type that its field has.
///
/// A condition on a list (tags, a custom field that is one) holds if it holds for any element. A field that a chunk does not have
/// fulfils no condition but "is null" and "does not exist"; so `not` of a condition is true for it.
package indirect enum Filter: Sendable, Equatable {
    case all([Filter])
    case any([Filter])
    case not(Filter)
    case condition(FilterField, Condition)

    package enum Condition: Sendable, Equatable {
        /// Is one of these; null also stands for a field that is not there.
        case isAny(of: [FilterValue])
        case isWithin(FilterRange)
        case exists
        /// A list has the element, or a string the substring, byte for byte.
        case contains(FilterValue)
    }

    package static func equals(_ field: FilterField, _ value: FilterValue) -> Filter { .condition(field, .isAny(of: [value])) }
}

/// What conditions are about.
package enum FilterField: Sendable, Hashable {
    case title
    case author
    case documentType
    case sourceURL
    case tags
    /// Of the document, in milliseconds.
    case createdAt
    case pageNumber
    case chunkIndex
    case documentID
    /// A chunk's own, and where it has none of the name its document's.
    case custom(String)
}

package enum FilterValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(Double)
    case string(ExactText)
}

/// A string that is equal to another only if their bytes are, and is ordered by them, which is the order of Unicode scalars. Swift's own
/// comparison makes one of the spellings of a character, and what is stored is never respelled.
package struct ExactText: Sendable, Hashable, Comparable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    package static func == (left: ExactText, right: ExactText) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    package static func < (left: ExactText, right: ExactText) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// Numbers between two others, or strings in the order of their bytes. No bound: no limit, but of the type of the other.
package struct FilterRange: Sendable, Equatable {
    package enum Bounds: Sendable, Equatable {
        case numbers(lower: Bound<Double>?, upper: Bound<Double>?)
        case strings(lower: Bound<ExactText>?, upper: Bound<ExactText>?)
    }

    package struct Bound<Value: Sendable & Equatable>: Sendable, Equatable {
        package let value: Value
        package let isIncluded: Bool

        package init(_ value: Value, isIncluded: Bool) {
            self.value = value
            self.isIncluded = isIncluded
        }
    }

    package let bounds: Bounds

    package init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    func contains(_ text: ExactText) -> Bool {
        guard case .strings(let lower, let upper) = bounds else { return false }
        if let lower, lower.isIncluded ? text < lower.value : text <= lower.value { return false }
        if let upper, upper.isIncluded ? text > upper.value : text >= upper.value { return false }
        return true
    }
}
