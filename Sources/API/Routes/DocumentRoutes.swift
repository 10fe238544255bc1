import Database
import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings
import Storage

struct DocumentRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/libraries/{id}/documents", addTexts)
        router.add(.post, "/v1/libraries/{id}/documents/with-embeddings", addWithEmbeddings)
        router.add(.get, "/v1/libraries/{id}/documents", list)
        router.add(.get, "/v1/documents/{id}", get)
        router.add(.delete, "/v1/documents/{id}", delete)
    }

    @Sendable private func addTexts(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let options = try AddOptions(request)
        let (document, texts) = try NewDocument.readTexts(request.jsonReader(), service.settings)
        // No lock is held while the provider works.
        let embeddings = try service.embed(texts, as: .document, for: library)
        let chunks = texts.enumerated().map { index, text in
            ChunkRecord(id: .random(), text: text, pageNumber: nil, embedding: Array(embeddings[index]))
        }
        return try put(document, chunks, in: library, options, database)
    }

    @Sendable private func addWithEmbeddings(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let options = try AddOptions(request)
        let (document, chunks) = try NewDocument.readChunks(request.jsonReader(), service.settings, for: library)
        return try put(document, chunks, in: library, options, database)
    }

    private struct AddOptions {
        let includeEmbeddings: Bool
        let onConflict: ConflictPolicy

        init(_ request: Request) throws {
            (includeEmbeddings, onConflict) = try request.readQuery { query in
                (query.bool("include_embeddings"), query.choice("on_conflict", default: .error))
            }
        }
    }

    private func put(
        _ new: NewDocument, _ chunks: [ChunkRecord], in library: LibraryRecord, _ options: AddOptions, _ database: Database
    ) throws -> Response {
        let document = try database.putDocument(
            id: new.id, in: library.id, metadata: new.metadata, chunks: chunks, onConflict: options.onConflict,
            documentLimit: service.settings.maxDocumentsPerLibrary)
        var headers: HTTPFields = [.eTag: document.sequence.entityTag]
        headers[.location] = "/v1/documents/\(document.id)"
        return Response(json: .created, headers: headers, capacity: 512 * chunks.count) { json in
            json.write(document, chunks: .included(options.includeEmbeddings ? chunks.map(\.embedding) : nil))
        }
    }

    @Sendable private func list(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        let (limit, cursor) = try request.readQuery { query in
            (query.integer("limit", in: 1...1000, default: 100), query.cursor())
        }
        let page = try database.documents(in: id, after: cursor, limit: limit)
        return Response(json: .ok, headers: .linkToNext(page.next, path: request.path, limit: limit)) { json in
            json.array { json in
                for document in page.elements { json.write(document, chunks: .omitted) }
            }
        }
    }

    @Sendable private func get(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: DocumentID = try path.identifier("id")
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let view = try database.document(id, withEmbeddings: includeEmbeddings)
        let headers: HTTPFields = [.eTag: view.document.sequence.entityTag]
        if request.hasCurrent(view.document.sequence) { return Response(status: .notModified, headers: headers) }
        return Response(json: .ok, headers: headers) { $0.write(view.document, chunks: .included(view.embeddings)) }
    }

    @Sendable private func delete(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: DocumentID = try path.identifier("id")
        try request.readQuery { _ in }
        let current = try database.document(id).document.sequence
        try database.deleteDocument(id, expecting: request.expectedSequence(current: current))
        return .noContent
    }
}

extension HTTPFields {
    /// The `Link` header that leads to the next page (RFC 8288), or nothing on the last one.
    static func linkToNext(_ next: SequenceNumber?, path: String, limit: Int) -> HTTPFields {
        guard let next else { return [:] }
        return [.link: "<\(path)?limit=\(limit)&cursor=\(next)>; rel=\"next\""]
    }
}

extension Service {
    /// Text as vectors of the library's model.
    ///
    /// Documents take their turn at the gate; a query is short and goes straight ahead.
    ///
    /// - Throws: 400 for a library that takes only vectors, 503 if the model's provider is missing or fails, or if it is not done in
    ///   time: a reply that nginx no longer waits for must not be a write.
    func embed(_ texts: [String], as inputType: EmbeddingInputType, for library: LibraryRecord) throws -> Embeddings {
        guard library.model != LibraryRecord.externalModel else {
            throw APIError(.invalidRequest, "The library takes only precomputed vectors: its embedding_model is '\(library.model)'")
        }
        let catalogue = try catalogue
        guard let model = catalogue.model(named: library.model) else {
            throw EmbeddingError.providerUnavailable(model: library.model, reason: "this version's catalogue does not have it")
        }
        let provider = try catalogue.provider(for: model)
        let deadline = ContinuousClock.now + Self.embeddingLimit
        guard inputType == .document else { return try provider.embed(texts, as: inputType, deadline: deadline) }
        return try embeddingGate.pass(before: deadline) { try provider.embed(texts, as: inputType, deadline: deadline) }
    }
}
