import Database
import HTTP
import HTTPTypes
import Logging
import Settings
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import API

/// A line for each request, and for each slow search.
struct RequestLogTests {
    private let recorder = LogRecorder()

    private func server(_ environment: [String: String] = [:]) throws -> TestServer {
        try TestServer(environment, logger: recorder.logger)
    }

    @Test("a request is one line with its id, route, status, duration, size and library")
    func oneLine() throws {
        let server = try server()
        let library = server.vectors()
        let before = recorder.lines.count

        let reply = server.get(library + "/statistics")

        let lines = recorder.lines.dropFirst(before)
        let line = try #require(lines.first)
        #expect(lines.count == 1)
        #expect(line.message == "request" && line.level == .info)
        #expect(line["request_id"] == "test-1")
        #expect(line["method"] == "GET" && line["route"] == "/v1/libraries/{id}/statistics" && line["status"] == "200")
        #expect(line["bytes"] == "\(reply.body.count)")
        #expect(line["library_id"] == String(library.suffix(36)))
        #expect(try #require(line["milliseconds"].flatMap(Double.init)) >= 0)
        #expect(line["error_type"] == nil)
        #expect(line["queue_milliseconds"] == "0.0")
        #expect(
            line.metadata.keys.sorted() == [
                "bytes", "library_id", "method", "milliseconds", "queue_milliseconds", "request_id", "route", "status",
            ])
    }

    @Test("the library is that of the document or chunk too, also when that is gone afterwards")
    func library() throws {
        let server = try server()
        let library = server.vectors()
        let document = server.add([[1, 0, 0], [0, 1, 0]], to: library).json
        let (id, chunk) = try (#require(document["id"]?.string), #require(document["chunks"]?[0]?["id"]?.string))
        let before = recorder.lines("request").count

        let statuses = [
            server.get("/v1/documents/\(id)"), server.get("/v1/chunks/\(chunk)"), server.delete("/v1/chunks/\(chunk)"),
            server.delete("/v1/documents/\(id)"), server.get("/v1/documents/\(id)"), server.get("/v1/documents/x"),
        ].map(\.status)

        #expect(statuses == [200, 200, 204, 204, 404, 422])
        let named = String(library.suffix(36))
        #expect(recorder.lines("request").dropFirst(before).map { $0["library_id"] } == [named, named, named, named, nil, nil])
    }

    @Test("the level is that of the status, and who asks whether all is well is not among the others")
    func levels() throws {
        let server = try server()
        let library = server.vectors()

        _ = server.get("/health")
        _ = server.get(library)
        _ = server.get("/nowhere")
        _ = server.delete("/health")
        _ = server.post("\(library)/documents", ["title": "t", "texts": ["x"]])

        #expect(recorder.lines("request").map(\.level) == [.info, .debug, .info, .notice, .notice, .notice])
        #expect(recorder.lines("request").map { $0["route"] }[3...5] == ["none", "none", "/v1/libraries/{id}/documents"])
        #expect(recorder.lines("request").last?["error_type"] == "InvalidRequestError")
        server.service.fail(.closed)
        _ = server.get(library)
        #expect(recorder.lines("request").last?.level == .warning)
        let monitor = RequestMonitor(routes: [(.get, "/x")], registry: server.service.metrics, log: .all, logger: recorder.logger)
        let request = Request(method: .get, path: "/x", id: "1")
        _ = monitor.observe(request, PathParameters(pattern: "/x")) { (Response(status: .internalServerError), nil) }
        #expect(recorder.lines("request").last?.level == .error)
    }

    @Test("no line has anything of a body, a query string, a path, a method or a key")
    func nothingPrivate() throws {
        let server = try server(["SLOW_QUERY_MS": "1"])
        let library = server.vectors()
        let marker = "s3cr3t"
        let headers: HTTPFields = [.authorization: "Bearer \(marker)"]
        let body: JSON = ["title": .string(marker), "chunks": [["text": .string(marker), "embedding": [1, 2, 3]]]]

        _ = server.post("\(library)/documents/with-embeddings", body, headers)
        _ = server.post(
            "\(library)/search/embedding?\(marker)=1", ["embedding": [1, 2, 3], "filter": ["title": .string(marker)]], headers)
        _ = server.post("\(library)/search/embedding", ["embedding": [1, 2, 3], marker: 1], headers)
        _ = server.get("/\(marker)", headers)
        _ = server.get("/v1/libraries/\(marker)", headers)
        _ = server.api.respond(to: Request(method: HTTPRequest.Method(marker)!, path: "/health", id: "1"))

        #expect(recorder.lines("request").count == 7)
        #expect(!recorder.lines.contains { "\($0)".contains(marker) })
        #expect(recorder.lines("request").suffix(2).map { $0["library_id"] } == [nil, nil])
    }

    @Test("requests that the settings do not want to see are not logged", arguments: [("off", 0), ("errors", 1), ("all", 2)])
    func choice(setting: String, count: Int) throws {
        let server = try server(["REQUEST_LOG": setting])

        _ = server.get("/v1/libraries")
        _ = server.get("/v1/nowhere")

        #expect(recorder.lines("request").count == count)
    }

    @Test("a request that the transport refuses is a line of the route that it was for")
    func refused() throws {
        let server = try server()

        _ = server.api.refuse(Request(method: .post, path: "/v1/libraries", id: "r"), .bodyTooLarge(limit: 5))
        _ = server.api.refuse(Request(method: .get, path: "", id: "r"), .malformed("no path"))

        let lines = recorder.lines("request")
        #expect(lines.map { $0["route"] } == ["/v1/libraries", "none"])
        #expect(lines.map { $0["status"] } == ["413", "400"])
        #expect(lines[0]["error_type"] == "PayloadTooLargeError")
    }

    @Test("a streamed response is a line when it has ended, with its size, also when it broke off")
    func streams() throws {
        let monitor = RequestMonitor(
            routes: [(.get, "/x")], registry: try TestServer().service.metrics, log: .all, logger: recorder.logger)
        let path = PathParameters(pattern: "/x")
        func answer(_ method: HTTPRequest.Method) -> Response {
            monitor.observe(Request(method: method, path: "/x", id: "1"), path) {
                var response = Response(status: .ok)
                response.stream = { put in for _ in 0..<3 { try [1, 2, 3, 4].withUnsafeBytes { try put($0) } } }
                return (response, nil)
            }
        }

        let whole = answer(.get)
        #expect(recorder.lines.isEmpty && monitor.inFlight == 1)
        #expect(whole.wholeBody.count == 3 * 4 * MemoryLayout<Int>.size)
        #expect(recorder.lines.map { $0["bytes"] } == ["96"] && monitor.inFlight == 0)
        let broken = try #require(answer(.get).stream)
        var pieces = 0
        #expect(throws: IncomingBodyError.clientGone) {
            try broken { _ in
                pieces += 1
                if pieces == 2 { throw IncomingBodyError.clientGone }
            }
        }
        #expect(recorder.lines.last?["bytes"] == "32" && monitor.inFlight == 0)
        // Nobody reads the body of a response to HEAD.
        _ = answer(.head)
        #expect(recorder.lines.count == 3 && monitor.inFlight == 0)
    }

    @Test("a search that took longer than the limit is a warning with its plan")
    func slowSearch() throws {
        let server = try server()
        let library = server.vectors()
        server.add([[1, 2, 3], [3, 2, 1]], to: library)
        let id = try #require(LibraryID(String(library.suffix(36))))
        var query = SearchQuery(vector: [1, 2, 3], count: 5)
        query.filter = .condition(.title, .exists)
        let result = try server.database.search(in: id, query)
        let slow = SlowQueryLog(milliseconds: 100, logger: recorder.logger)
        let request = Request(method: .post, path: "/", id: "slow-1")

        slow.note(request, in: id, query, result, embedding: .milliseconds(40), searching: .milliseconds(60))
        slow.note(request, in: id, query, result, embedding: .milliseconds(40), searching: .milliseconds(61))
        SlowQueryLog(milliseconds: 0, logger: recorder.logger)
            .note(request, in: id, query, result, embedding: .zero, searching: .seconds(100))

        let lines = recorder.lines("slow search")
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(line.level == .warning)
        #expect(line["request_id"] == "slow-1" && line["library_id"] == id.description)
        #expect(line["milliseconds"] == "101.0" && line["embedding_milliseconds"] == "40.0")
        #expect(line["mode"] == "vector" && line["k"] == "5" && line["offset"] == "0" && line["results"] == "2")
        #expect(line["index"] == "brute_force" && line["exact"] == "true" && line["scored"] == "2")
        #expect(line["filter_selectivity"] == "1.0" && line["filter_strategy"] != nil && line["short_by"] == "filter")
    }
}
