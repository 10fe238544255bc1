import TestSupport

@testable import Database

/// What a filter means, by its definition: asked of one chunk, with no index.
extension Filter {
    func admits(_ chunk: DumpedChunk, at index: Int, of document: DumpedDocument) -> Bool {
        switch self {
        case .all(let parts): parts.allSatisfy { $0.admits(chunk, at: index, of: document) }
        case .any(let parts): parts.contains { $0.admits(chunk, at: index, of: document) }
        case .not(let part): !part.admits(chunk, at: index, of: document)
        case .condition(let field, let condition): condition.holds(for: field.value(in: chunk, at: index, of: document))
        }
    }
}

extension Filter.Condition {
    fileprivate func holds(for value: CustomFields.Value?) -> Bool {
        switch self {
        case .exists: value != nil
        case .isAny(of: let wanted):
            wanted.contains(.null) && (value == nil || value == .null)
                || value.map { $0.elements.contains { wanted.contains($0) } } ?? false
        case .isWithin(let range): value.map { $0.elements.contains { range.admits($0) } } ?? false
        case .contains(let wanted):
            switch (value, wanted) {
            case (.strings(let strings)?, .string(let text)): strings.contains { Array($0.utf8) == Array(text.text.utf8) }
            case (.numbers(let numbers)?, .number(let number)): numbers.contains(number)
            case (.string(let text)?, .string(let part)):
                part.text.isEmpty || text.utf8.indices.contains { Array(text.utf8[$0...]).starts(with: part.text.utf8) }
            default: false
            }
        }
    }
}

extension FilterRange {
    fileprivate func admits(_ value: FilterValue) -> Bool {
        switch (value, bounds) {
        case (.number(let number), .numbers(let lower, let upper)):
            (lower.map { number > $0.value || $0.isIncluded && number == $0.value } ?? true)
                && (upper.map { number < $0.value || $0.isIncluded && number == $0.value } ?? true)
        case (.string(let text), .strings(let lower, let upper)):
            (lower.map { text.bytes > $0.value.bytes || $0.isIncluded && text.bytes == $0.value.bytes } ?? true)
                && (upper.map { text.bytes < $0.value.bytes || $0.isIncluded && text.bytes == $0.value.bytes } ?? true)
        default: false
        }
    }
}

extension FilterField {
    fileprivate func value(in chunk: DumpedChunk, at index: Int, of document: DumpedDocument) -> CustomFields.Value? {
        switch self {
        case .title: .string(document.metadata.title)
        case .author: document.metadata.author.map { .string($0) }
        case .documentType: .string(document.metadata.documentType)
        case .sourceURL: document.metadata.sourceURL.map { .string($0) }
        case .tags: document.metadata.tags.isEmpty ? nil : .strings(document.metadata.tags)
        case .createdAt: .number(Double(document.createdAt.milliseconds))
        case .pageNumber: chunk.pageNumber.map { .number(Double($0)) }
        case .chunkIndex: .number(Double(index))
        case .documentID: .string(document.id.description)
        case .custom(let name): chunk.custom[name] ?? document.metadata.custom[name]
        }
    }
}

extension CustomFields.Value {
    fileprivate var elements: [FilterValue] {
        switch self {
        case .null: [.null]
        case .bool(let flag): [.bool(flag)]
        case .number(let number): [.number(number)]
        case .string(let text): [.string(ExactText(text))]
        case .numbers(let numbers): numbers.map { .number($0) }
        case .strings(let strings): strings.map { .string(ExactText($0)) }
        }
    }
}

extension ExactText {
    /// Its bytes as a string that compares as they do.
    fileprivate var bytes: String { text.utf8.map { String(UnicodeScalar(UInt32($0) + 0x4E00)!) }.joined() }
}

// MARK: Anything

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
