import Database
import Settings
import Storage

/// The limits of requests, held to what is stored: nothing in a database that only requests have filled is beyond them.
struct StoredLimits {
    private let settings: Settings
    private let maxNumber: Double

    /// - Parameter hasPlantedBug: whether to take numbers of more than four digits for a mistake; none of the seeds has one.
    init(_ settings: Settings, hasPlantedBug: Bool) {
        self.settings = settings
        maxNumber = hasPlantedBug ? 9999 : .greatestFiniteMagnitude
    }

    func check(_ database: Database) throws {
        for library in database.libraries(after: nil, limit: 100).elements {
            try check(library.record.name, 1...255, "a name")
            try check(library.record.description, 0...10_000, "a description")
            try promise((1...Limits.maxDimension).contains(library.record.dimension), "a dimension of \(library.record.dimension)")
            for document in try database.documents(in: library.record.id, after: nil, limit: 100).elements {
                let view = try database.document(document.id, withEmbeddings: true)
                try check(view.document, view.embeddings ?? [], dimension: library.record.dimension)
            }
        }
    }

    private func check(_ document: Document, _ embeddings: [[Float]], dimension: Int) throws {
        let metadata = document.metadata
        try check(metadata.title, 1...settings.maxTitleLength, "a title")
        try check(metadata.author, 1...settings.maxAuthorLength, "an author")
        try check(metadata.documentType, 1...100, "a type")
        try check(metadata.sourceURL, 1...2048, "a source")
        try promise(metadata.tags.count <= settings.maxTagsPerDocument, "\(metadata.tags.count) tags")
        for tag in metadata.tags { try check(tag, 1...settings.maxTagLength, "a tag") }
        try check(metadata.custom)
        try promise((1...settings.maxChunksPerDocument).contains(document.chunks.count), "\(document.chunks.count) chunks")
        for (chunk, embedding) in zip(document.chunks, embeddings) {
            try check(chunk.text, 1...settings.maxChunkLength, "a chunk")
            try promise(chunk.text.unicodeScalars.contains { !$0.properties.isWhitespace }, "a chunk of nothing")
            if let page = chunk.pageNumber { try promise((0...Int(Int32.max)).contains(page) && Double(page) <= maxNumber, "page \(page)") }
            try promise(embedding.count == dimension && embedding.allSatisfy(\.isFinite), "a vector \(embedding)")
            try check(chunk.custom)
        }
    }

    private func check(_ custom: CustomFields) throws {
        try promise(custom.fields.count <= Limits.maxCustomFields && custom.size <= Limits.maxCustomBytes, "\(custom.size) bytes of fields")
        for field in custom.fields {
            try promise(CustomFields.isValid(name: field.name), "a field with the name \(field.name)")
            switch field.value {
            case .number(let number): try promise(number.magnitude <= maxNumber, "a field \(number)")
            case .numbers(let numbers): try promise(numbers.allSatisfy { $0.magnitude <= maxNumber }, "a field \(numbers)")
            case .null, .bool, .string, .strings: break
            }
        }
    }

    /// In Unicode scalars.
    private func check(_ text: String?, _ length: ClosedRange<Int>, _ what: String) throws {
        guard let count = text?.unicodeScalars.count else { return }
        try promise(length.contains(count), "\(what) of \(count) scalars, not \(length)")
    }
}
