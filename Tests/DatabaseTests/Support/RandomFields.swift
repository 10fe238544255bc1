import TestSupport

@testable import Database

/// Fields and filters of few values, so that they meet.
extension SplitMix {
    private static let words = ["a", "ab", "b", "", "caf\u{e9}", "cafe\u{301}", "z"]

    mutating func word() -> String { Self.words.randomElement(using: &self)! }

    private mutating func smallNumber() -> Double { [-1, 0, 0.5, 1, 2, 1e300].randomElement(using: &self)! }

    mutating func custom() -> CustomFields {
        CustomFields(
            ["x", "y", "z"].filter { _ in chance(50) }.map { name in
                let value: CustomFields.Value =
                    switch Int.random(in: 0..<6, using: &self) {
                    case 0: .null
                    case 1: .bool(chance(50))
                    case 2: .number(smallNumber())
                    case 3: .string(word())
                    case 4: .numbers((0..<Int.random(in: 0...3, using: &self)).map { _ in smallNumber() })
                    default: .strings((0..<Int.random(in: 0...3, using: &self)).map { _ in word() })
                    }
                return (name: name, value: value)
            })!
    }

    mutating func metadata() -> DocumentMetadata {
        DocumentMetadata(
            title: word(), author: chance(50) ? word() : nil, documentType: word(), sourceURL: chance(50) ? word() : nil,
            tags: (0..<Int.random(in: 0...2, using: &self)).map { _ in word() }, custom: custom())
    }

    mutating func filter(depth: Int = 3) -> Filter {
        switch Int.random(in: 0..<(depth == 0 ? 4 : 8), using: &self) {
        case 4: .all((0..<Int.random(in: 1...3, using: &self)).map { _ in filter(depth: depth - 1) })
        case 5: .any((0..<Int.random(in: 1...3, using: &self)).map { _ in filter(depth: depth - 1) })
        case 6: .not(filter(depth: depth - 1))
        default: condition()
        }
    }

    private mutating func condition() -> Filter {
        let texts: [FilterField] = [.title, .author, .documentType, .sourceURL, .tags]
        let numbers: [FilterField] = [.pageNumber, .chunkIndex, .createdAt]
        switch Int.random(in: 0..<10, using: &self) {
        case 0:
            let ids: [FilterValue] = (0..<2).map { _ in
                .string(ExactText(DocumentID.number(Int.random(in: 0..<8, using: &self)).description))
            }
            return .condition(.documentID, chance(80) ? .isAny(of: ids) : .exists)
        case 1..<4: return .condition(texts.randomElement(using: &self)!, condition(number: false))
        case 4..<6: return .condition(numbers.randomElement(using: &self)!, condition(number: true))
        default: return .condition(.custom(["x", "y", "missing"].randomElement(using: &self)!), condition(number: chance(50)))
        }
    }

    private mutating func condition(number: Bool) -> Filter.Condition {
        func value() -> FilterValue { number ? .number(smallNumber()) : .string(ExactText(word())) }
        switch Int.random(in: 0..<6, using: &self) {
        case 0: return .exists
        case 1: return .contains(value())
        case 2..<4:
            if number { return .isWithin(FilterRange(.numbers(lower: bound { $0.smallNumber() }, upper: bound { $0.smallNumber() }))) }
            return .isWithin(FilterRange(.strings(lower: bound { ExactText($0.word()) }, upper: bound { ExactText($0.word()) })))
        default:
            let others: [FilterValue] = [.null, .bool(true), .bool(false), value(), value()]
            return .isAny(of: others.filter { _ in chance(40) } + [value()])
        }
    }

    private mutating func bound<Value>(_ value: (inout SplitMix) -> Value) -> FilterRange.Bound<Value>? {
        chance(70) ? FilterRange.Bound(value(&self), isIncluded: chance(50)) : nil
    }
}
