import Database
import JSON
import Settings
import Storage
import VectorSearch

extension JSONWriter {
    enum Chunks {
        case omitted
        /// With their vectors, if there are any.
        case included([[Float]]?)
    }

    mutating func write(_ document: Document, chunks: Chunks) {
        object { json in
            json.member("id", document.id.description)
            json.member("library_id", document.libraryID.description)
            json.member("num_chunks", document.chunks.count)
            if case .included(let embeddings) = chunks {
                json.key("chunks")
                json.array { json in
                    for index in document.chunks.indices {
                        json.writeChunk(index, of: document, embedding: embeddings?[index])
                    }
                }
            }
            json.key("metadata")
            json.object { json in
                json.member("title", document.metadata.title)
                json.member("author", document.metadata.author)
                json.member("created_at", document.createdAt.description)
                json.member("updated_at", document.updatedAt.description)
                json.member("document_type", document.metadata.documentType)
                json.member("source_url", document.metadata.sourceURL)
                json.key("tags")
                json.array(document.metadata.tags)
                json.key("custom")
                json.write(document.metadata.custom)
            }
        }
    }

    /// Where a chunk stood in the text that the server cut, if it did.
    mutating func write(offsets: Range<Int>?) {
        guard let offsets else { return }
        member("start_offset", offsets.lowerBound)
        member("end_offset", offsets.upperBound)
    }

    mutating func writeChunk(_ index: Int, of document: Document, embedding: [Float]?) {
        let chunk = document.chunks[index]
        object { json in
            json.member("id", chunk.id.description)
            json.member("text", chunk.text)
            if let embedding {
                json.key("embedding")
                json.array(embedding)
            }
            json.key("metadata")
            json.object { json in
                json.member("created_at", chunk.createdAt.description)
                json.member("page_number", chunk.pageNumber)
                json.member("chunk_index", index)
                json.member("source_document_id", document.id.description)
                json.write(offsets: chunk.offsets)
                json.key("custom")
                json.write(chunk.custom)
            }
        }
    }
}

/// A document that a client sends.
struct NewDocument {
    /// How it says what its chunks are.
    enum Form {
        /// `texts` or `text`, which the server embeds.
        case texts
        /// `chunks` with their vectors.
        case vectors
        /// `texts`, `text`, or `chunks` with or without vectors.
        case any
    }

    let id: DocumentID?
    let metadata: DocumentMetadata
    let chunks: [NewChunk]

    static let documentTypeLength = 1...100
    static let sourceURLLength = 1...2048

    /// A body that is nothing but the document.
    static func read(_ reader: JSONReader, _ form: Form, _ rules: DocumentRules) throws -> NewDocument {
        let document = NewDocument(reader.root, form, rules)
        try reader.finish()
        return document!
    }

    /// `nil` after a problem.
    init?(_ value: JSONValue, _ form: Form, _ rules: DocumentRules) {
        var document: NewDocument?
        value.object { document = NewDocument(&$0, form, rules) }
        guard let document else { return nil }
        self = document
    }

    /// `nil` after a problem.
    private init?(_ object: inout JSONObject, _ form: Form, _ rules: DocumentRules) {
        let settings = rules.settings
        id = object.optional("id") { $0.identifier() }
        let title = object.required("title") { $0.string(length: 1...settings.maxTitleLength) }
        let author = object.optional("author") { $0.string(length: 1...settings.maxAuthorLength) }
        let type = object.optional("document_type") { $0.string(length: Self.documentTypeLength) }
        let url = object.optional("source_url") { $0.string(length: Self.sourceURLLength) }
        let tags = object.optional("tags") { $0.tags(settings) }
        let custom = object.optional("custom") { $0.customFields() }
        let chunks = [NewChunk](anyForm: &object, form, rules)
        guard let title, let chunks else { return nil }
        metadata = DocumentMetadata(
            title: title, author: author, documentType: type ?? "text", sourceURL: url, tags: tags ?? [], custom: custom ?? CustomFields())
        self.chunks = chunks
    }
}

/// A chunk that a client sends; without a vector, the server makes it.
struct NewChunk {
    var id: ChunkID?
    let text: String
    var pageNumber: Int?
    /// Where it stood in the text that was divided, in Unicode scalars.
    var offsets: Range<Int>?
    var custom = CustomFields()
    var embedding: [Float]?

    func record(_ embedding: [Float]) -> ChunkRecord {
        ChunkRecord(id: id ?? .random(), text: text, pageNumber: pageNumber, offsets: offsets, custom: custom, embedding: embedding)
    }
}

extension [NewChunk] {
    /// `text` to be divided, or the chunks one by one; `nil` after a problem.
    fileprivate init?(anyForm object: inout JSONObject, _ form: NewDocument.Form, _ rules: DocumentRules) {
        let others: [StaticString] = form == .texts ? ["texts"] : ["texts", "chunks"]
        let other = others.first { object.has($0) }
        let chunks: [NewChunk]?
        if form != .vectors, object.has("text"), other == nil {
            chunks = [NewChunk](dividing: &object, rules)
        } else {
            if form != .vectors, let other { object.refuse("text", beside: other) }
            chunks = [NewChunk](&object, form, rules)
        }
        guard let chunks else { return nil }
        self = chunks
    }

    /// The members of a body that say what the chunks are, one by one; `nil` after a problem.
    init?(_ object: inout JSONObject, _ form: NewDocument.Form, _ rules: DocumentRules) {
        let settings = rules.settings
        let count = 1...settings.maxChunksPerDocument
        let chunks: [NewChunk]? =
            switch form == .any && object.has("chunks") ? .vectors : form {
            case .texts, .any:
                object.required("texts") { texts in
                    texts.array(count: count) { $0.text(maxLength: settings.maxChunkLength).map { NewChunk(text: $0) } }
                }
            case .vectors:
                object.required("chunks") { chunks in
                    chunks.array(count: count) { $0.chunk(settings, for: rules.library, needsEmbedding: form == .vectors) }
                }
            }
        guard let chunks else { return nil }
        self = chunks
    }
}

extension JSONObject {
    /// Notes that `name` is there besides `other`, which is there.
    mutating func refuse(_ name: StaticString, beside other: StaticString) {
        guard has(name) else { return }
        note(.unknownField, at: name, "\(other) or \(name), not both")
        _ = optional(name) { _ in Optional<Never>.none }
    }
}

/// Which documents are meant.
enum DocumentSelection {
    case ids([DocumentID])
    case filter(Filter)

    private static let idCount = 1...10_000

    /// The body of `POST /v1/libraries/{id}/documents/delete`.
    static func read(_ reader: JSONReader) throws -> DocumentSelection {
        var selection: DocumentSelection?
        reader.readObject { object in
            if object.has("ids"), object.has("filter") { object.note(.unknownField, at: "filter", "ids or a filter, not both") }
            let ids = object.optional("ids") { ids in ids.array(count: Self.idCount) { $0.identifier() as DocumentID? } }
            if let ids { selection = .ids(ids) }
            guard !object.has("ids") else { return _ = object.optional("filter") { $0.filter() } }
            if let filter = object.required("filter", { $0.filter() }) { selection = .filter(filter) }
        }
        try reader.finish()
        return selection!
    }
}

/// What a client changes of a document's metadata. A field that is absent or null stays as it is; an empty author or source is removed;
/// of the custom fields those that are named change, and those that are null go.
struct MetadataChange {
    private let title: String?
    private let author: String?
    private let documentType: String?
    private let sourceURL: String?
    private let tags: [String]?
    private let custom: CustomFields?

    /// The body of `PATCH /v1/documents/{id}`.
    static func read(_ reader: JSONReader, _ settings: Settings) throws -> MetadataChange {
        var change: MetadataChange?
        reader.readObject { change = MetadataChange(&$0, settings) }
        try reader.finish()
        return change!
    }

    private init(_ object: inout JSONObject, _ settings: Settings) {
        title = object.optional("title") { $0.string(length: 1...settings.maxTitleLength) }
        author = object.optional("author") { $0.string(length: 0...settings.maxAuthorLength) }
        documentType = object.optional("document_type") { $0.string(length: NewDocument.documentTypeLength) }
        sourceURL = object.optional("source_url") { $0.string(length: 0...NewDocument.sourceURLLength.upperBound) }
        tags = object.optional("tags") { $0.tags(settings) }
        custom = object.optional("custom") { $0.customFields() }
    }

    /// - Throws: `tooManyCustomFields`.
    func applied(to old: DocumentMetadata) throws(DatabaseError) -> DocumentMetadata {
        DocumentMetadata(
            title: title ?? old.title, author: author.map { $0.isEmpty ? nil : $0 } ?? old.author,
            documentType: documentType ?? old.documentType, sourceURL: sourceURL.map { $0.isEmpty ? nil : $0 } ?? old.sourceURL,
            tags: tags ?? old.tags, custom: try old.custom.changed(by: custom))
    }
}

extension CustomFields {
    /// - Throws: `tooManyCustomFields`, if old and new ones together are more than there may be.
    func changed(by changes: CustomFields?) throws(DatabaseError) -> CustomFields {
        guard let changes else { return self }
        let result = merging(changes)
        guard result.fields.count <= Limits.maxCustomFields, result.size <= Limits.maxCustomBytes else { throw .tooManyCustomFields }
        return result
    }
}

extension JSONValue {
    func identifier<Object>() -> Identifier<Object>? {
        guard let text = string() else { return nil }
        let id = Identifier<Object>(text)
        if id == nil { note(.invalidID, "must be a UUID") }
        return id
    }

    /// Text that says something: neither too long nor blank.
    func text(maxLength: Int) -> String? {
        guard let text = string(length: 1...maxLength) else { return nil }
        guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            note(.blank, "is blank")
            return nil
        }
        return text
    }

    /// A vector for the library: an array of numbers, or the base64 of little-endian 32-bit floats.
    func embedding(for library: LibraryRecord) -> [Float]? {
        let vector: [Float]?
        if type == .string {
            vector = string().flatMap(Base64.floats)
            if vector == nil { note(.invalidBase64, "must be an array of numbers or the base64 of little-endian 32-bit floats") }
        } else {
            vector = floats(expected: library.dimension)
        }
        guard let vector else { return nil }
        if let problem = VectorStore.validate(vector.span, metric: library.metric, dimension: library.dimension) {
            note(problem.kind, problem.message)
            return nil
        }
        return vector
    }

    fileprivate func tags(_ settings: Settings) -> [String]? {
        array(count: 0...settings.maxTagsPerDocument) { $0.string(length: 1...settings.maxTagLength) }
    }

    fileprivate func chunk(_ settings: Settings, for library: LibraryRecord, needsEmbedding: Bool) -> NewChunk? {
        var chunk: NewChunk?
        object { object in
            let id: ChunkID? = object.optional("id") { $0.identifier() }
            let text = object.required("text") { $0.text(maxLength: settings.maxChunkLength) }
            let embedding =
                needsEmbedding
                ? object.required("embedding") { $0.embedding(for: library) } : object.optional("embedding") { $0.embedding(for: library) }
            let page = object.optional("page_number") { $0.pageNumber() }
            let custom = object.optional("custom") { $0.customFields() }
            guard let text, embedding != nil || !needsEmbedding else { return }
            chunk = NewChunk(id: id, text: text, pageNumber: page, custom: custom ?? CustomFields(), embedding: embedding)
        }
        return chunk
    }

    func pageNumber() -> Int? { integer(in: 0...Int(Int32.max)) }
}
