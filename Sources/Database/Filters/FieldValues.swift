import VectorSearch

/// What a chunk says in each field that conditions may be about.
enum FieldValues {
    /// Calls `body` for each field that the chunk has; for a list with all of its elements at once.
    static func forEach(of document: Document, chunkIndex: Int, _ body: (FilterField, Values) -> Void) {
        let (metadata, chunk) = (document.metadata, document.chunks[chunkIndex])
        body(.title, .one(.string(ExactText(metadata.title))))
        if let author = metadata.author { body(.author, .one(.string(ExactText(author)))) }
        body(.documentType, .one(.string(ExactText(metadata.documentType))))
        if let url = metadata.sourceURL { body(.sourceURL, .one(.string(ExactText(url)))) }
        if !metadata.tags.isEmpty { body(.tags, .list(metadata.tags.map { .string(ExactText($0)) })) }
        body(.createdAt, .one(.number(Double(document.createdAt.milliseconds))))
        if let page = chunk.pageNumber { body(.pageNumber, .one(.number(Double(page)))) }
        body(.chunkIndex, .one(.number(Double(chunkIndex))))
        for field in chunk.custom.fields { body(.custom(field.name), Values(field.value)) }
        for field in metadata.custom.fields where chunk.custom.isEmpty || chunk.custom[field.name] == nil {
            body(.custom(field.name), Values(field.value))
        }
    }

    enum Values {
        case one(FilterValue)
        case list([FilterValue])

        init(_ value: CustomFields.Value) {
            switch value {
            case .null: self = .one(.null)
            case .bool(let flag): self = .one(.bool(flag))
            case .number(let number): self = .one(.number(number))
            case .string(let text): self = .one(.string(ExactText(text)))
            case .numbers(let numbers): self = .list(numbers.map { .number($0) })
            case .strings(let strings): self = .list(strings.map { .string(ExactText($0)) })
            }
        }
    }
}
