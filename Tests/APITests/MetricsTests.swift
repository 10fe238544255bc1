import Database
import HTTP
import HTTPTypes
import Logging
import Prometheus
import Storage
import TestSupport
import Testing

@testable import API
@testable import Embedding

/// What Prometheus reads.
struct MetricsTests {
    private func read(_ server: TestServer) throws -> PrometheusText {
        let reply = server.get("/metrics")
        #expect(reply.status == 200 && reply.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        return try PrometheusText(reply.body)
    }

    @Test("requests are counted and timed by the pattern of their route, method and status")
    func requests() throws {
        let server = try TestServer()
        let library = server.vectors()
        for _ in 0..<3 { _ = server.get(library) }
        _ = server.get("/v1/libraries/3f2a8c1e-0000-4000-8000-000000000000")
        _ = server.send(.head, library)
        _ = server.get("/v1/none/of/these")
        _ = server.delete("/v1/libraries")
        for number in 0..<50 { _ = server.api.respond(to: Request(method: HTTPRequest.Method("M\(number)")!, path: "/health", id: "1")) }

        let text = try read(server)

        let route = "/v1/libraries/{id}"
        #expect(text.value("quire_http_requests_total", ["route": route, "method": "GET", "status": "200"]) == 3)
        #expect(text.value("quire_http_requests_total", ["route": route, "method": "GET", "status": "404"]) == 1)
        #expect(text.value("quire_http_requests_total", ["route": route, "method": "HEAD", "status": "200"]) == 1)
        #expect(text.value("quire_http_requests_total", ["route": "/v1/libraries", "method": "POST", "status": "201"]) == 1)
        #expect(text.value("quire_http_requests_total", ["route": "none", "status": "404"]) == 1)
        #expect(text.value("quire_http_requests_total", ["route": "none", "method": "other", "status": "405"]) == 51)
        #expect(text.value("quire_http_request_duration_seconds_count", ["route": route, "method": "GET"]) == 4)
        #expect(try #require(text.value("quire_http_request_duration_seconds_sum", ["route": route, "method": "GET"])) > 0)
        // This one.
        #expect(text.value("quire_http_requests_in_flight") == 1)
        #expect(text.value("metrics_overflowed_label_sets_total") == 0)
    }

    @Test("log, snapshots, libraries, memory and disk are as they are")
    func state() throws {
        let server = try TestServer(durability: .always)
        #expect(try read(server).value("quire_snapshot_age_seconds") == nil)
        let library = server.vectors()
        server.add([[1, 2, 3], [4, 5, 6]], to: library)
        try server.waitUntilIndexed(library)
        let before = try read(server)
        let snapshot = server.post("/v1/admin/snapshots", text: "").json

        let text = try read(server)

        #expect(before.value("quire_log_records_total") == 2)
        #expect(try #require(before.value("quire_log_appended_bytes_total")) > 0)
        #expect(try #require(before.value("quire_log_sync_duration_seconds_count")) >= 1)
        #expect(before.value("quire_log_poisoned") == 0 && before.value("quire_log_queued_records") == 0)
        #expect(before.value("quire_log_last_sequence") == 2 && before.value("quire_log_durable_sequence") == 2)
        #expect(before.value("quire_snapshots_total", ["outcome": "taken"]) == 0)
        #expect(try #require(before.value("quire_snapshot_log_growth_bytes")) > 0)
        #expect(text.value("quire_snapshots_total", ["outcome": "taken"]) == 1)
        #expect(text.value("quire_snapshot_last_bytes") == snapshot["bytes"]?.number)
        #expect(try #require(text.value("quire_snapshot_age_seconds")) >= 0)
        #expect(try #require(text.value("quire_snapshot_seconds_total")) > 0)
        #expect(text.value("quire_snapshot_log_growth_bytes") == 0)
        #expect(text.value("quire_libraries") == 1 && text.value("quire_documents") == 1 && text.value("quire_chunks") == 2)
        #expect(text.value("quire_index_rows", ["state": "indexed"]) == 2)
        #expect(text.value("quire_library_chunks", ["library": String(library.suffix(36))]) == 2)
        let components = Set(text.samples("quire_memory_bytes").compactMap { $0.labels["component"] })
        #expect(components == ["vectors", "indexes", "text_indexes", "documents", "texts", "columns", "query_cache"])
        for component in ["vectors", "text_indexes", "documents", "columns"] {
            #expect(try #require(text.value("quire_memory_bytes", ["component": component])) > 0, "\(component)")
        }
        #expect(try #require(text.value("quire_memory_in_use_bytes")) > 1e6)
        #expect(try #require(text.value("quire_disk_free_bytes")) > 0)
        #expect(text.value("quire_ready") == 1)
        #expect(try #require(text.value("process_cpu_seconds_total")) > 0)
        #expect(try #require(text.value("process_open_fds")) > 3)
        #expect(text.samples("quire_build_info").map { $0.labels["version"] } == ["0.1.0"])
    }

    @Test("the largest libraries have series of their own, all others only count")
    func bounded() throws {
        let server = try TestServer()
        let count = Exposition.librariesShown + 5
        for number in 0..<count {
            let library = server.vectors()
            if number >= 5 { server.add([[1, 2, Double(number)]], to: library) }
        }

        let text = try read(server)

        let series = text.samples("quire_library_chunks")
        #expect(series.count == Exposition.librariesShown)
        #expect(series.allSatisfy { $0.value == 1 })
        #expect(text.samples("quire_library_index_rows").count == 2 * Exposition.librariesShown)
        #expect(text.value("quire_libraries") == Double(count))
        #expect(text.value("quire_chunks") == Double(Exposition.librariesShown))
    }

    @Test("embeddings are counted by model, provider and outcome, and what the cache spares them")
    func embeddings() throws {
        let stub = StubServer { request, before in
            if before == 2 { return .json(400, ["error": ["message": "no"]]) }
            let inputs = request.json["input"]?.array ?? []
            return .json(
                200,
                [
                    "data": .array(inputs.indices.map { ["index": .number(Double($0)), "embedding": [1, 2, 3, 4]] }),
                    "usage": ["prompt_tokens": 7, "total_tokens": 7],
                ])
        }
        let model = RemoteModel(name: "m", provider: .openai, dimension: 4, maxTokens: 99, baseURL: stub.url, summary: "s")
        let server = try TestServer(catalogue: ModelCatalogue(modelDirectory: nil, configured: [model]))
        let library = try #require(server.post("/v1/libraries", ["name": "l", "embedding_model": "m"]).headers[.location])
        // Its fingerprint is a call of its own.
        #expect(server.post("\(library)/documents", ["title": "t", "texts": ["a", "b"]]).status == 201)
        #expect(server.post("\(library)/documents", ["title": "t", "texts": ["c"]]).status == 503)
        for _ in 0..<3 { #expect(server.post("\(library)/search", ["query": "q"]).status == 200) }
        let missing = try #require(server.post("/v1/libraries", ["name": "l"]).headers[.location])
        #expect(server.post("\(missing)/search", ["query": "q"]).status == 503)

        let text = try read(server)

        let labels = ["model": "m", "provider": "openai"]
        #expect(text.value("quire_embedding_calls_total", labels.merging(["outcome": "ok"]) { $1 }) == 2)
        #expect(text.value("quire_embedding_calls_total", labels.merging(["outcome": "failed"]) { $1 }) == 1)
        #expect(text.value("quire_embedding_calls_total", ["model": "all-minilm-l6-v2", "outcome": "unavailable"]) == 1)
        #expect(text.value("quire_embedding_texts_total", labels) == 3)
        #expect(text.value("quire_embedding_tokens_total", labels) == 14)
        #expect(text.value("quire_embedding_duration_seconds_count", labels) == 3)
        #expect(text.value("quire_query_cache_lookups_total", ["result": "hit"]) == 2)
        #expect(text.value("quire_query_cache_lookups_total", ["result": "miss"]) == 2)
        #expect(text.value("quire_query_cache_entries") == 1)
        #expect(text.value("quire_embedding_callers") == 0 && text.value("quire_embedding_callers_waiting") == 0)
    }

    @Test("the transport's load is shown where one is watched")
    func transport() throws {
        let server = try TestServer()
        #expect(try read(server).value("quire_worker_threads") == nil)

        server.service.watch(transport: {
            TransportLoad(
                workers: 16, busyWorkers: 3, streams: 1, accepted: 99, waiting: [.search: 4], waitingLimit: 32, turnedAway: [.write: 7])
        })
        let text = try read(server)

        #expect(text.value("quire_worker_threads") == 16 && text.value("quire_worker_threads_busy") == 3)
        #expect(text.value("quire_streams_running") == 1 && text.value("quire_connections_accepted_total") == 99)
        #expect(text.value("quire_requests_waiting", ["class": "search"]) == 4 && text.value("quire_requests_waiting_limit") == 32)
        #expect(text.value("quire_requests_waiting", ["class": "write"]) == 0)
        #expect(text.value("quire_requests_turned_away_total", ["class": "write"]) == 7)
    }

    @Test("figures are there while the server starts and after its storage failed")
    func always() throws {
        let starting = try TestServer(starts: false)
        let failed = try TestServer()
        failed.service.fail(.closed)

        for server in [starting, failed] {
            _ = server.get("/v1/libraries")
            let text = try read(server)
            #expect(text.value("quire_ready") == 0)
            #expect(text.value("quire_http_requests_total", ["route": "/v1/libraries", "status": "503"]) == 1)
            #expect(text.value("quire_libraries") == nil)
        }
    }

    @Test("every name is in docs/monitoring.md, and no other")
    func documented() throws {
        let server = try TestServer()
        server.service.watch(transport: {
            TransportLoad(workers: 1, busyWorkers: 1, streams: 0, accepted: 1, waiting: [:], waitingLimit: 1, turnedAway: [:])
        })
        _ = server.vectors()
        _ = server.post("/v1/admin/snapshots", text: "")
        let text = try #require(server.post("/v1/libraries", ["name": "l"]).headers[.location])
        _ = server.post("\(text)/search", ["query": "q"])

        let names = try read(server).families.keys

        let document = String(decoding: try contents(of: checkout + "/docs/monitoring.md"), as: UTF8.self)
        let documented = document.matches(of: /\n\| `([a-z_]+)`/).map { String($0.1) }
        let codes = Set(ServerIssue.Code.allCases.map(\.rawValue))
        #expect(Set(documented.filter { !codes.contains($0) }) == Set(names))
        #expect(codes.isSubset(of: documented), "\(codes.subtracting(documented))")
    }
}
