import Database
import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings
import VectorSearch

struct SearchRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/libraries/{id}/search", byText)
        router.add(.post, "/v1/libraries/{id}/search/embedding", byEmbedding)
    }

    @Sendable private func byText(_ request: Request, _ path: PathParameters) throws -> Response {
        let start = ContinuousClock.now
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        var query = try SearchQuery.readText(request.jsonReader(), service.settings, for: library)
        if query.mode != .keyword { query.vector = Array(try service.embed([query.text], as: .query, for: library)[0]) }
        query.withEmbeddings = includeEmbeddings
        return try search(query, library, database, since: start)
    }

    @Sendable private func byEmbedding(_ request: Request, _ path: PathParameters) throws -> Response {
        let start = ContinuousClock.now
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        var query = try SearchQuery.readEmbedding(request.jsonReader(), service.settings, for: library)
        query.withEmbeddings = includeEmbeddings
        return try search(query, library, database, since: start)
    }

    private func search(
        _ query: SearchQuery, _ library: LibraryRecord, _ database: Database, since start: ContinuousClock.Instant
    ) throws -> Response {
        let result = try database.search(in: library.id, query)
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        return Response(json: .ok, capacity: 1024 * (1 + result.hits.count)) { json in
            json.write(result, metric: library.metric, milliseconds: milliseconds)
        }
    }
}
