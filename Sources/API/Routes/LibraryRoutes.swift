import Database
import Embedding
import HTTP
import HTTPTypes
import JSON
import Keys
import Settings
import VectorSearch

struct LibraryRoutes {
    let service: Service

    /// How many documents `?include_documents=true` shows.
    private static let includedDocuments = 100
    static let pageLimit = 1...1000

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/libraries", create)
        router.add(.get, "/v1/libraries", .personal(list))
        router.add(.get, "/v1/libraries/{id}", get)
        router.add(.patch, "/v1/libraries/{id}", update)
        router.add(.delete, "/v1/libraries/{id}", delete)
        router.add(.get, "/v1/libraries/{id}/statistics", statistics)
    }

    @Sendable private func create(_ request: Request, _: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let body = try NewLibrary(request.jsonReader(), service.catalogue, defaultModel: service.settings.embeddingModel)
        let library = try database.createLibrary(
            name: body.name, description: body.description, metric: body.metric, dimension: body.dimension, model: body.model,
            fingerprint: fingerprint(of: body.model), index: body.index, text: body.text,
            minimumRecall: body.minimumRecall)
        return respond(.created, library)
    }

    /// Of a model that is at hand; one over the network is asked for it when it first has to work.
    private func fingerprint(of name: String) throws -> [UInt8]? {
        let catalogue = try service.catalogue
        guard let model = catalogue.model(named: name), model.isLocal, catalogue.availability(of: model) == .available else { return nil }
        return try service.fingerprint(of: model).encoded
    }

    @Sendable private func list(_ request: Request, _: PathParameters, _ access: Access) throws -> Response {
        let database = try service.database
        let (limit, cursor) = try request.readQuery { query in
            (query.integer("limit", in: Self.pageLimit, default: Self.pageLimit.upperBound), query.cursor())
        }
        let page = database.libraries(after: cursor, limit: limit, among: access.libraries.ids)
        return Response(json: .ok, headers: .linkToNext(page.next, path: request.path, limit: limit)) { json in
            json.array { json in
                for library in page.elements { json.write(library, documents: nil) }
            }
        }
    }

    @Sendable private func get(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        let includesDocuments = try request.readQuery { $0.bool("include_documents") }
        let library = try database.library(id)
        if request.hasCurrent(library.sequence) {
            return Response(status: .notModified, headers: [.eTag: library.sequence.entityTag])
        }
        let documents = includesDocuments ? try database.documents(in: id, after: nil, limit: Self.includedDocuments).elements : []
        return respond(.ok, library, documents: documents)
    }

    @Sendable private func update(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        let current = try database.library(id)
        let change = try LibraryChange(request.jsonReader(), index: current.record.index.kind)
        let expected = try request.expectedSequence(current: current.sequence)
        // What changes nothing leaves no trace: neither a record nor a new ETag.
        guard change != LibraryChange() else { return respond(.ok, try database.library(id)) }
        return respond(.ok, try database.updateLibrary(id, change, expecting: expected))
    }

    @Sendable private func delete(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        let current = try database.library(id).sequence
        try database.deleteLibrary(id, expecting: request.expectedSequence(current: current))
        return .noContent
    }

    @Sendable private func statistics(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        let statistics = try database.statistics(of: id)
        return Response(json: .ok) { $0.write(statistics) }
    }

    private func respond(_ status: HTTPResponse.Status, _ library: LibraryView, documents: [Document] = []) -> Response {
        var headers: HTTPFields = [.eTag: library.sequence.entityTag]
        if status == .created { headers[.location] = "/v1/libraries/\(library.record.id)" }
        return Response(json: status, headers: headers) { $0.write(library, documents: documents) }
    }
}
