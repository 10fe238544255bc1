import Database
import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings
import VectorSearch

struct SearchRoutes {
    let service: Service
    let slow: SlowQueryLog

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/libraries/{id}/search", byText)
        router.add(.post, "/v1/libraries/{id}/search/embedding", byEmbedding)
        router.add(.post, "/v1/libraries/{id}/search/batch", batch)
    }

    @Sendable private func byText(_ request: Request, _ path: PathParameters) throws -> Response {
        try search(request, path, { try SearchQuery.readText($0, $1, for: $2) })
    }

    @Sendable private func byEmbedding(_ request: Request, _ path: PathParameters) throws -> Response {
        try search(request, path, { try SearchQuery.readEmbedding($0, $1, for: $2) })
    }

    private func search(
        _ request: Request, _ path: PathParameters, _ read: (JSONReader, Settings, LibraryRecord) throws -> SearchQuery
    ) throws -> Response {
        let start = ContinuousClock.now
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        var queries = [try read(request.jsonReader(), service.settings, library)]
        let embedding = try complete(&queries, library, includeEmbeddings)
        let (result, searching) = try measured { try run(queries[0], in: library.id) }
        slow.note(request, in: library.id, queries[0], result, embedding: embedding, searching: searching)
        return Response(json: .ok, capacity: 1024 * (1 + result.hits.count)) { json in
            json.write(result, metric: library.metric, time: ContinuousClock.now - start)
        }
    }

    /// Searches that are valid together are run one after another, each as if it had come alone; their texts are embedded together.
    @Sendable private func batch(_ request: Request, _ path: PathParameters) throws -> Response {
        let start = ContinuousClock.now
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let includeEmbeddings = try request.readQuery { $0.bool("include_embeddings") }
        var queries = try SearchQuery.readBatch(request.jsonReader(), service.settings, for: library)
        // Their texts are embedded together: that is no one's alone.
        _ = try complete(&queries, library, includeEmbeddings)
        let results = try queries.map { query in
            let (result, time) = try measured { try run(query, in: library.id) }
            slow.note(request, in: library.id, query, result, embedding: .zero, searching: time)
            return (result: result, time: time)
        }
        return Response(json: .ok, capacity: 1024 * results.reduce(1) { $0 + 1 + $1.result.hits.count }) { json in
            json.object { json in
                json.key("searches")
                json.array { json in
                    for (result, time) in results { json.write(result, metric: library.metric, time: time) }
                }
                json.member(milliseconds: ContinuousClock.now - start)
            }
        }
    }

    /// Gives searches by text their vectors, and tells how long that took.
    private func complete(_ queries: inout [SearchQuery], _ library: LibraryRecord, _ includeEmbeddings: Bool) throws -> Duration {
        let start = ContinuousClock.now
        let incomplete = queries.indices.filter { queries[$0].needsVector }
        if !incomplete.isEmpty {
            let embeddings = try service.embed(incomplete.map { queries[$0].text }, as: .query, for: library)
            for (position, index) in incomplete.enumerated() {
                queries[index].vector = Array(embeddings[position])
                queries[index].source = library.source
            }
        }
        for index in queries.indices { queries[index].withEmbeddings = includeEmbeddings }
        return ContinuousClock.now - start
    }

    /// Searches. Where the library has got vectors of another model since the text was embedded, that is done once more.
    private func run(_ query: SearchQuery, in library: LibraryID) throws -> SearchResult {
        let database = try service.database
        do {
            return try database.search(in: library, query)
        } catch .modelChanged {
            var queries = [query]
            queries[0].vector = []
            _ = try complete(&queries, database.library(library).record, query.withEmbeddings)
            return try database.search(in: library, queries[0])
        }
    }

    private func measured<Result>(_ body: () throws -> Result) rethrows -> (result: Result, time: Duration) {
        let start = ContinuousClock.now
        return (try body(), ContinuousClock.now - start)
    }
}
