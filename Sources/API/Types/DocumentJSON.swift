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
            }
        }
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
                json.member("created_at", document.updatedAt.description)
                json.member("page_number", chunk.pageNumber)
                json.member("chunk_index", index)
                json.member("source_document_id", document.id.description)
            }
        }
    }
}

/// What both forms of a new document share.
struct NewDocument {
    let id: DocumentID?
    let metadata: DocumentMetadata

    private static let documentTypeLength = 1...100
    private static let sourceURLLength = 1...2048

    /// Reads the members of a body that are not the chunks; `nil` after a problem.
    init?(_ object: inout JSONObject, _ settings: Settings) {
        id = object.optional("id") { $0.identifier() }
        let title = object.required("title") { $0.string(length: 1...settings.maxTitleLength) }
        let author = object.optional("author") { $0.string(length: 1...settings.maxAuthorLength) }
        let type = object.optional("document_type") { $0.string(length: Self.documentTypeLength) }
        let url = object.optional("source_url") { $0.string(length: Self.sourceURLLength) }
        let tags = object.optional("tags") { tags in
            tags.array(count: 0...settings.maxTagsPerDocument) { $0.string(length: 1...settings.maxTagLength) }
        }
        guard let title else { return nil }
        metadata = DocumentMetadata(title: title, author: author, documentType: type ?? "text", sourceURL: url, tags: tags ?? [])
    }

    /// The body of `POST /v1/libraries/{id}/documents`: texts that the server embeds.
    static func readTexts(_ reader: JSONReader, _ settings: Settings) throws -> (document: NewDocument, texts: [String]) {
        var document: NewDocument?
        var texts: [String]?
        reader.readObject { object in
            document = NewDocument(&object, settings)
            texts = object.required("texts") { texts in
                texts.array(count: 1...settings.maxChunksPerDocument) { $0.text(maxLength: settings.maxChunkLength) }
            }
        }
        try reader.finish()
        return (document!, texts!)
    }

    /// The body of `POST /v1/libraries/{id}/documents/with-embeddings`: chunks with their vectors.
    static func readChunks(
        _ reader: JSONReader, _ settings: Settings, for library: LibraryRecord
    ) throws -> (document: NewDocument, chunks: [ChunkRecord]) {
        var document: NewDocument?
        var chunks: [ChunkRecord]?
        reader.readObject { object in
            document = NewDocument(&object, settings)
            chunks = object.required("chunks") { chunks in
                chunks.array(count: 1...settings.maxChunksPerDocument) { $0.chunk(settings, for: library) }
            }
        }
        try reader.finish()
        return (document!, chunks!)
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
            vector = string().flatMap(floats(fromBase64:))
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

    fileprivate func chunk(_ settings: Settings, for library: LibraryRecord) -> ChunkRecord? {
        var chunk: ChunkRecord?
        object { object in
            let id: ChunkID? = object.optional("id") { $0.identifier() }
            let text = object.required("text") { $0.text(maxLength: settings.maxChunkLength) }
            let embedding = object.required("embedding") { $0.embedding(for: library) }
            let page = object.optional("page_number") { $0.integer(in: 0...Int(Int32.max)) }
            guard let text, let embedding else { return }
            chunk = ChunkRecord(id: id ?? .random(), text: text, pageNumber: page, embedding: embedding)
        }
        return chunk
    }

    private func floats(fromBase64 text: String) -> [Float]? {
        guard let bytes = base64Decoded(text), bytes.count % 4 == 0 else {
            note(.invalidBase64, "must be an array of numbers or the base64 of little-endian 32-bit floats")
            return nil
        }
        return bytes.withUnsafeBytes { buffer in
            (0..<bytes.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }
}
