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
        router.add(.post, "/v1/libraries/{id}/documents/delete", deleteMany)
        router.add(.get, "/v1/libraries/{id}/count", count)
        router.add(.post, "/v1/libraries/{id}/count", countPassing)
        router.add(.get, "/v1/documents/{id}", get)
        router.add(.put, "/v1/documents/{id}", replace)
        router.add(.patch, "/v1/documents/{id}", update)
        router.add(.delete, "/v1/documents/{id}", delete)
    }

    @Sendable private func addTexts(_ request: Request, _ path: PathParameters) throws -> Response {
        try add(.texts, request, path)
    }

    @Sendable private func addWithEmbeddings(_ request: Request, _ path: PathParameters) throws -> Response {
        try add(.vectors, request, path)
    }

    private func add(_ form: NewDocument.Form, _ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let (includeEmbeddings, onConflict) = try request.readQuery { query in
            (query.bool("include_embeddings"), query.choice("on_conflict", default: ConflictPolicy.error))
        }
        let new = try NewDocument.read(request.jsonReader(), form, service.rules(for: library))
        let (chunks, model) = try service.records(of: new.chunks, for: library)
        let document = try database.putDocument(
            id: new.id, in: library.id, metadata: new.metadata, chunks: chunks, by: model, onConflict: onConflict,
            documentLimit: service.settings.maxDocumentsPerLibrary)
        return respond(.created, document, includeEmbeddings ? chunks.map(\.embedding) : nil)
    }

    private func respond(_ status: HTTPResponse.Status, _ document: Document, _ embeddings: [[Float]]?) -> Response {
        var headers: HTTPFields = [.eTag: document.sequence.entityTag]
        if status == .created { headers[.location] = "/v1/documents/\(document.id)" }
        return Response(json: status, headers: headers, capacity: 512 * document.chunks.count) { json in
            json.write(document, chunks: .included(embeddings))
        }
    }

    @Sendable private func list(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        let (limit, cursor, filter) = try request.readQuery { query in
            (query.integer("limit", in: 1...1000, default: 100), query.cursor(), try query.filter())
        }
        let page =
            try filter.map { try database.documents(in: id, passing: $0.filter, after: cursor, limit: limit) }
            ?? database.documents(in: id, after: cursor, limit: limit)
        let headers = HTTPFields.linkToNext(
            page.next, path: request.path, limit: limit, parameters: filter.map { [("filter", $0.text)] } ?? [])
        return Response(json: .ok, headers: headers) { json in
            json.array { json in
                for document in page.elements { json.write(document, chunks: .omitted) }
            }
        }
    }

    @Sendable private func count(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        return respond(try database.count(in: id, passing: nil))
    }

    @Sendable private func countPassing(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        _ = try database.library(id)
        let reader = try request.jsonReader()
        var filter: Filter?
        reader.readObject { object in filter = object.optional("filter") { $0.filter() } }
        try reader.finish()
        return respond(try database.count(in: id, passing: filter))
    }

    private func respond(_ count: MatchCount) -> Response {
        Response(json: .ok) { json in
            json.object { json in
                json.member("documents", count.documents)
                json.member("chunks", count.chunks)
            }
        }
    }

    @Sendable private func deleteMany(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        _ = try database.library(id)
        let deleted =
            switch try DocumentSelection.read(request.jsonReader()) {
            case .ids(let ids): try database.deleteDocuments(ids, in: id)
            case .filter(let filter): try database.deleteDocuments(in: id, passing: filter)
            }
        return Response(json: .ok) { json in
            json.object { $0.member("deleted", deleted) }
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

    @Sendable private func replace(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: DocumentID = try path.identifier("id")
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let old = try database.document(id).document
        let library = try database.library(old.libraryID).record
        let expected = try request.expectedSequence(current: old.sequence)
        let new = try NewDocument.read(request.jsonReader(), .any, service.rules(for: library))
        if let other = new.id, other != id {
            let message = "must be absent, or the id of the path"
            throw APIError([JSONProblem(location: [.key("body"), .key("id")], message: message, kind: .invalidID)])
        }
        let (chunks, model) = try service.records(of: new.chunks, for: library)
        let document = try database.replaceDocument(id, metadata: new.metadata, chunks: chunks, by: model, expecting: expected)
        return respond(.ok, document, includeEmbeddings ? chunks.map(\.embedding) : nil)
    }

    @Sendable private func update(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: DocumentID = try path.identifier("id")
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let expected = try request.expectedSequence(current: database.document(id).document.sequence)
        let change = try MetadataChange.read(request.jsonReader(), service.settings)
        var embeddings: [[Float]]?
        let document = try database.updateDocument(
            id, expecting: expected, withEmbeddings: includeEmbeddings
        ) { view throws(DatabaseError) in
            embeddings = view.embeddings
            return DocumentEdit(metadata: try change.applied(to: view.document.metadata))
        }
        return respond(.ok, document, embeddings)
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
    static func linkToNext(
        _ next: (some CustomStringConvertible)?, path: String, limit: Int, parameters: [(name: String, value: String)] = []
    ) -> HTTPFields {
        guard let next else { return [:] }
        let rest = parameters.map { "&\($0.name)=\(percentEncoded($0.value))" }.joined()
        return [.link: "<\(path)?limit=\(limit)&cursor=\(next)\(rest)>; rel=\"next\""]
    }
}
