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
        let (query, parameters) = try SearchParameters.readQuery(request.jsonReader(), service.settings, for: library)
        let embedding = try service.embed([query], as: .query, for: library)
        return try search(Array(embedding[0]), parameters, library, includeEmbeddings, database, since: start)
    }

    @Sendable private func byEmbedding(_ request: Request, _ path: PathParameters) throws -> Response {
        let start = ContinuousClock.now
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        let (embedding, parameters) = try SearchParameters.readEmbedding(request.jsonReader(), service.settings, for: library)
        return try search(embedding, parameters, library, includeEmbeddings, database, since: start)
    }

    private func search(
        _ query: [Float], _ parameters: SearchParameters, _ library: LibraryRecord, _ includeEmbeddings: Bool, _ database: Database,
        since start: ContinuousClock.Instant
    ) throws -> Response {
        let result = try database.search(
            in: library.id, query: query, count: parameters.count, threshold: parameters.threshold, ef: parameters.ef,
            isExact: parameters.isExact, filter: parameters.filter, withEmbeddings: includeEmbeddings)
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        return Response(json: .ok, capacity: 1024 * (1 + result.hits.count)) { json in
            json.write(result, metric: library.metric, milliseconds: milliseconds)
        }
    }
}
