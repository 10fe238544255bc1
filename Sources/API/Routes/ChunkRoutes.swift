import Database
import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings

/// The chunks of a document, and a chunk by itself. Its `ETag` is its document's, for it is a part of it.
struct ChunkRoutes {
    let service: Service

    private static let pageLimit = 1...1000

    func add(to router: inout Router<Handler>) {
        router.add(.get, "/v1/documents/{id}/chunks", list)
        router.add(.post, "/v1/documents/{id}/chunks", append)
        router.add(.get, "/v1/chunks/{id}", get)
        router.add(.patch, "/v1/chunks/{id}", update)
        router.add(.delete, "/v1/chunks/{id}", delete)
    }

    @Sendable private func list(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: DocumentID = try path.identifier("id")
        let (limit, cursor, includeEmbeddings) = try request.readQuery { query in
            (
                query.integer("limit", in: Self.pageLimit, default: Self.pageLimit.upperBound), query.chunkCursor(),
                query.bool("include_embeddings")
            )
        }
        let view = try database.document(id, withEmbeddings: includeEmbeddings)
        let chunks = view.document.chunks
        let start = cursor?.start(in: view.document) ?? 0
        let page = start..<min(start + limit, chunks.count)
        let next = page.upperBound < chunks.count ? ChunkCursor(before: page.upperBound, in: chunks) : nil
        var headers = HTTPFields.linkToNext(next, path: request.path, limit: limit)
        headers[.eTag] = view.document.sequence.entityTag
        return Response(json: .ok, headers: headers) { json in
            json.array { json in
                for index in page { json.writeChunk(index, of: view.document, embedding: view.embeddings?[index]) }
            }
        }
    }

    @Sendable private func append(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: DocumentID = try path.identifier("id")
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let old = try database.document(id).document
        let library = try database.library(old.libraryID).record
        let expected = try request.expectedSequence(current: old.sequence)
        let reader = try request.jsonReader()
        let rules = try service.rules(for: library)
        var new: [NewChunk]?
        reader.readObject { new = [NewChunk](&$0, .any, rules) }
        try reader.finish()
        let (chunks, model) = try service.records(of: new!, for: library)
        let limit = service.settings.maxChunksPerDocument
        let document = try database.updateDocument(id, by: model, expecting: expected) { view throws(DatabaseError) in
            guard view.document.chunks.count + chunks.count <= limit else { throw .tooManyChunks(limit: limit) }
            // Put, it would take the place of the one that there is.
            if let taken = chunks.first(where: { view.document.chunk($0.id) != nil }) { throw .chunkExists(taken.id) }
            return DocumentEdit(put: chunks)
        }
        let indices = document.chunks.indices.suffix(chunks.count)
        return Response(json: .created, headers: [.eTag: document.sequence.entityTag]) { json in
            json.array { json in
                for (index, chunk) in zip(indices, chunks) {
                    json.writeChunk(index, of: document, embedding: includeEmbeddings ? chunk.embedding : nil)
                }
            }
        }
    }

    @Sendable private func get(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: ChunkID = try path.identifier("id")
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let view = try database.view(of: id, withEmbedding: includeEmbeddings)
        let headers: HTTPFields = [.eTag: view.document.sequence.entityTag]
        if request.hasCurrent(view.document.sequence) { return Response(status: .notModified, headers: headers) }
        return Response(json: .ok, headers: headers) { $0.writeChunk(view.index, of: view.document, embedding: view.embedding) }
    }

    @Sendable private func update(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: ChunkID = try path.identifier("id")
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let old = try database.view(of: id).document
        let library = try database.library(old.libraryID).record
        let expected = try request.expectedSequence(current: old.sequence)
        let change = try ChunkChange.read(request.jsonReader(), service.settings, for: library)
        let made = change.embedding == nil ? try change.text.map { Array(try service.embed([$0], as: .document, for: library)[0]) } : nil
        let vector = change.embedding ?? made
        let document = try database.updateDocument(
            old.id, by: made == nil ? nil : library.model, expecting: expected, withEmbeddings: vector == nil
        ) {
            view throws(DatabaseError) in
            guard let index = view.document.chunks.firstIndex(where: { $0.id == id }) else { throw .chunkNotFound(id) }
            return DocumentEdit(put: [try change.applied(to: view.document.chunks[index], vector ?? view.embeddings![index])])
        }
        guard let index = document.chunks.firstIndex(where: { $0.id == id }) else { preconditionFailure("a chunk that was put is there") }
        let embedding = includeEmbeddings ? try database.view(of: id, withEmbedding: true).embedding : nil
        return Response(json: .ok, headers: [.eTag: document.sequence.entityTag]) {
            $0.writeChunk(index, of: document, embedding: embedding)
        }
    }

    @Sendable private func delete(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: ChunkID = try path.identifier("id")
        try request.readQuery { _ in }
        let old = try database.view(of: id).document
        let expected = try request.expectedSequence(current: old.sequence)
        _ = try database.updateDocument(old.id, expecting: expected) { view throws(DatabaseError) in
            guard view.document.chunk(id) != nil else { throw .chunkNotFound(id) }
            return DocumentEdit(removed: [id])
        }
        return .noContent
    }
}
