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
        let (embedding, results) = try run(&queries, in: library, includeEmbeddings)
        let (result, searching) = results[0]
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
        let (_, results) = try run(&queries, in: library, includeEmbeddings)
        // Their texts are embedded together: that is no one's alone.
        for (query, (result, time)) in zip(queries, results) {
            slow.note(request, in: library.id, query, result, embedding: .zero, searching: time)
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

    /// Runs searches that are valid together: embeds their texts, and tells how long that took, then searches one after another. If meanwhile
    /// the library has got vectors of another model than that of the texts, all of it is done once more.
    private func run(
        _ queries: inout [SearchQuery], in library: LibraryRecord, _ includeEmbeddings: Bool
    ) throws -> (embedding: Duration, results: [(result: SearchResult, time: Duration)]) {
        for index in queries.indices { queries[index].withEmbeddings = includeEmbeddings }
        let (database, waiting) = (try service.database, service.briefly)
        func search() throws -> [(result: SearchResult, time: Duration)] {
            try queries.map { query in try measured { try database.search(in: library.id, query) } }
        }
        let first = try measured { try complete(&queries, library, waiting) }
        do {
            return (first.time, try search())
        } catch DatabaseError.modelChanged {
            for index in queries.indices where queries[index].source != nil { queries[index].vector = [] }
            let again = try measured { try complete(&queries, database.library(library.id).record, waiting) }
            return (first.time + again.time, try search())
        }
    }

    /// Gives searches by text their vectors.
    private func complete(_ queries: inout [SearchQuery], _ library: LibraryRecord, _ waiting: Service.Waiting) throws {
        let incomplete = queries.indices.filter { queries[$0].needsVector }
        guard !incomplete.isEmpty else { return }
        let embeddings = try service.embed(incomplete.map { queries[$0].text }, as: .query, for: library, waiting)
        for (position, index) in incomplete.enumerated() {
            queries[index].vector = Array(embeddings[position])
            queries[index].source = library.source
        }
    }

    private func measured<Result>(_ body: () throws -> Result) rethrows -> (result: Result, time: Duration) {
        let start = ContinuousClock.now
        return (try body(), ContinuousClock.now - start)
    }
}
