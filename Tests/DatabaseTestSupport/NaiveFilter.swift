package import Database

/// What filters ask of a chunk.
package struct ChunkFacts {
    private let documentID: DocumentID
    private let metadata: DocumentMetadata
    private let createdAt: Timestamp
    private let index: Int
    private let pageNumber: Int?
    private let custom: CustomFields

    /// - Parameters:
    ///   - documentID, metadata, createdAt: of its document.
    ///   - index: its place in the document.
    package init(
        documentID: DocumentID, metadata: DocumentMetadata, createdAt: Timestamp, index: Int, pageNumber: Int?, custom: CustomFields
    ) {
        self.documentID = documentID
        self.metadata = metadata
        self.createdAt = createdAt
        self.index = index
        self.pageNumber = pageNumber
        self.custom = custom
    }

    /// What the chunk has in a field; nil if it does not have it.
    package func value(of field: FilterField) -> CustomFields.Value? {
        switch field {
        case .title: .string(metadata.title)
        case .author: metadata.author.map { .string($0) }
        case .documentType: .string(metadata.documentType)
        case .sourceURL: metadata.sourceURL.map { .string($0) }
        case .tags: metadata.tags.isEmpty ? nil : .strings(metadata.tags)
        case .createdAt: .number(Double(createdAt.milliseconds))
        case .pageNumber: pageNumber.map { .number(Double($0)) }
        case .chunkIndex: .number(Double(index))
        case .documentID: .string(documentID.description)
        case .custom(let name): custom[name] ?? metadata.custom[name]
        }
    }
}

/// What a filter means, by its definition: asked of one chunk, with no index.
extension Filter {
    package func admits(_ chunk: ChunkFacts) -> Bool {
        switch self {
        case .all(let parts): parts.allSatisfy { $0.admits(chunk) }
        case .any(let parts): parts.contains { $0.admits(chunk) }
        case .not(let part): !part.admits(chunk)
        case .condition(let field, let condition): condition.holds(for: chunk.value(of: field))
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

extension CustomFields.Value {
    /// A list in its parts.
    package var elements: [FilterValue] {
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
