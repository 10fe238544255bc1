import HTTP
import HTTPTypes
import TestSupport
import Testing

@testable import API

/// What is wrong with a request before anything is looked up, and what every reply has.
struct RequestTests {
    @Test(
        "a path that is not there is 404",
        arguments: [
            "/v1", "/v1/", "/v1/nothing", "/v1/libraries/", "/libraries", "/v2/libraries", "/health/", "//health",
            "/v1/libraries//documents",
            "/v1/documents", "/v1/libraries/x/y/z/w", "/v1%2Flibraries", "/v1/libraries/%zz", "/v1/libraries/%ff", "",
        ])
    func notFound(path: String) throws {
        let server = try TestServer()

        let reply = server.get(path)

        #expect(reply.status == 404 && reply.errorType == "NotFoundError" && reply.json["error"] == "Not found")
    }

    @Test(
        "a method that a path does not have is 405 with those it has",
        arguments: [
            ("/v1/libraries", "PUT", "POST, GET, HEAD"), ("/v1/libraries", "DELETE", "POST, GET, HEAD"),
            ("/v1/libraries/x", "POST", "GET, PATCH, DELETE, HEAD"), ("/v1/documents/x", "POST", "GET, PUT, PATCH, DELETE, HEAD"),
            ("/v1/libraries/x/search", "GET", "POST"), ("/v1/libraries/x/search", "HEAD", "POST"), ("/health", "OPTIONS", "GET, HEAD"),
            ("/", "POST", "GET, HEAD"), ("/v1/models", "TRACE", "GET, HEAD"), ("/v1/libraries/x/documents", "BREW", "POST, GET, HEAD"),
        ])
    func methodNotAllowed(path: String, method: String, allowed: String) throws {
        let server = try TestServer()

        let reply = server.send(try #require(HTTPRequest.Method(method)), path)

        #expect(reply.status == 405 && reply.headers[.allow] == allowed)
        if method != "HEAD" { #expect(reply.errorType == "MethodNotAllowedError" && reply.detail == "This path knows \(allowed)") }
    }

    @Test("HEAD is GET without the body")
    func head() throws {
        let server = try TestServer(memoryInUse: { 1 << 20 })
        let library = server.vectors()
        let document = server.add([[1, 0, 0]], to: library).headers[.location]!
        // What `/ready` says is to be the same twice.
        try server.waitUntilIndexed(library)

        for path in [
            "/", "/health", "/ready", "/docs", "/openapi.json", "/v1/models", "/v1/libraries", library, document, "\(library)/statistics",
        ] {
            let (get, head) = (server.get(path), server.send(.head, path))
            #expect(head.status == 200 && head.body.isEmpty && !get.body.isEmpty, "\(path)")
            #expect(head.headers == get.headers)
            #expect(head.headers[.contentLength] == "\(get.body.count)")
        }
        #expect(server.send(.head, "/v1/libraries/\(library.dropFirst(14).reversed())x").status == 422)
        #expect(server.send(.head, library, [.ifNoneMatch: "*"]).status == 304)
    }

    @Test(
        "a body is JSON unless it is said to be something else",
        arguments: [
            (nil, true), ("application/json", true), ("application/json; charset=utf-8", true),
            ("Application/JSON ; Charset=\"UTF-8\"", true),
            ("application/json; profile=x", true), ("application/json;charset=latin1", false), ("application/x-www-form-urlencoded", false),
            ("text/plain", false), ("application/jsonp", false), ("application/x-ndjson", false), ("", false), (";", false),
        ])
    func contentType(type: String?, isAccepted: Bool) throws {
        let server = try TestServer()
        let headers: HTTPFields = type.map { [.contentType: $0] } ?? [:]

        let reply = server.post("/v1/libraries", ["name": "n"], headers)

        #expect(reply.status == (isAccepted ? 201 : 415))
        #expect(reply.errorType == (isAccepted ? nil : "UnsupportedMediaTypeError"))
    }

    @Test("a content type means nothing where there is no body to read")
    func contentTypeOfGet() throws {
        let server = try TestServer()

        #expect(server.get("/v1/libraries", [.contentType: "text/plain"]).status == 200)
    }

    @Test(
        "an id in a path that is no UUID is 422",
        arguments: [
            "x", "3f2a8c1e00004000800000000000000", "3f2a8c1e-0000-4000-8000-00000000000", "3f2a8c1e-0000-4000-8000-0000000000000",
            "3f2a8c1g-0000-4000-8000-000000000000", "%F0%9F%98%80", "3f2a8c1e_0000_4000_8000_000000000000",
        ])
    func identifiers(id: String) throws {
        let server = try TestServer()
        let (libraries, documents) = ("/v1/libraries/\(id)", "/v1/documents/\(id)")

        let replies = [
            server.get(libraries), server.patch(libraries, [:]), server.delete(libraries), server.get("\(libraries)/statistics"),
            server.get("\(libraries)/documents"), server.post("\(libraries)/documents", [:]), server.post("\(libraries)/search", [:]),
            server.post("\(libraries)/documents/with-embeddings", [:]), server.post("\(libraries)/search/embedding", [:]),
            server.get(documents), server.delete(documents),
        ]

        for reply in replies {
            #expect(reply.status == 422 && reply.locations == ["path.id"] && reply.problemTypes == ["invalid_id"])
            #expect(reply.detail == "path.id: must be a UUID")
        }
    }

    @Test("a parameter that nobody reads is refused by name")
    func unknownParameters() throws {
        let server = try TestServer()
        let library = server.vectors()
        let document = server.add([[1, 0, 0]], to: library).headers[.location]!

        let replies = [
            server.get("/?x=1"), server.get("/v1/models?x=1"), server.get("/v1/libraries?x=1"),
            server.post("/v1/libraries?x=1", ["name": "n"]),
            server.get("\(library)?x=1"), server.patch("\(library)?x=1", [:]), server.delete("\(library)?x=1"),
            server.get("\(library)/statistics?x=1"), server.get("\(library)/documents?x=1"), server.post("\(library)/documents?x=1", [:]),
            server.post("\(library)/documents/with-embeddings?x=1", [:]), server.post("\(library)/search?x=1", [:]),
            server.post("\(library)/search/embedding?x=1", [:]), server.get("\(document)?x=1"), server.delete("\(document)?x=1"),
        ]

        for reply in replies {
            #expect(reply.status == 422 && reply.locations == ["query.x"] && reply.problemTypes == ["unknown_field"])
        }
        for path in ["/health", "/ready", "/docs", "/openapi.json"] { #expect(server.get("\(path)?x=1").status == 200) }
    }

    @Test("every problem of a query string is reported, at most twenty")
    func queryProblems() throws {
        let server = try TestServer()

        let three = server.get("/v1/libraries?limit=0&cursor=x&y=1")
        let many = server.get("/v1/libraries?" + (0..<30).map { "p\($0)=1" }.joined(separator: "&"))
        let conflict = server.add([[1, 0, 0]], to: server.vectors(), query: "?on_conflict=ignore")

        #expect(three.locations == ["query.limit", "query.cursor", "query.y"])
        #expect(many.locations.count == 20)
        #expect(conflict.status == 422 && conflict.detail == "query.on_conflict: unknown value; known: 'error', 'replace'")
    }

    @Test("a query string that is not percent-encoded UTF-8 is 400", arguments: ["limit=%zz", "limit=%f", "%ff=1", "limit=%c0%af"])
    func malformedQuery(query: String) throws {
        let server = try TestServer()

        let reply = server.get("/v1/libraries?\(query)")

        #expect(reply.status == 400 && reply.errorType == "InvalidRequestError")
    }

    @Test("a query string is decoded")
    func decodedQuery() throws {
        let server = try TestServer()

        #expect(server.get("/v1/libraries?%6Cimit=%31&&").status == 200)
    }

    @Test("no error repeats more than eighty characters of what was sent")
    func echoes() throws {
        let server = try TestServer()
        let library = server.vectors()
        for offender in [String(repeating: "Q", count: 5000), "z" + String(repeating: "\u{301}", count: 5000)] {
            let (value, scalar) = (JSON.string(offender), offender.unicodeScalars.last!)
            let encoded = offender.utf8.map { "%" + String($0, radix: 16) }.joined()

            let replies = [
                server.post("/v1/libraries", ["name": "n", offender: 1]), server.post("/v1/libraries", ["name": value]),
                server.post("/v1/libraries", ["name": "n", "metric": value]),
                server.post("/v1/libraries", ["name": "n", "embedding_model": value]),
                server.post("/v1/libraries", ["name": "n", "index_params": [offender: 1]]), server.get("/v1/libraries?\(encoded)=1"),
                server.get("/v1/libraries?limit=\(encoded)"), server.get("/v1/libraries/\(encoded)"), server.get("/\(encoded)"),
                server.add([[1, 0, 0]], to: library, id: offender), server.add([[1, 0, 0]], to: library, query: "?on_conflict=\(encoded)"),
                server.post("\(library)/search/embedding", ["embedding": value]), server.delete(library, [.ifMatch: "\"\(encoded)\""]),
                server.post("/v1/libraries", [:], [.contentType: String(repeating: "Q", count: 5000)]),
            ]

            for reply in replies {
                #expect(reply.status >= 400)
                #expect(reply.detail.unicodeScalars.count { $0 == scalar } <= 81, "\(reply.detail)")
                for message in reply.json["errors"]?.array ?? [] {
                    #expect(message["msg"]!.string!.unicodeScalars.count { $0 == scalar } <= 81)
                    for part in message["loc"]?.array ?? [] { #expect((part.string ?? "").unicodeScalars.count <= 81) }
                }
            }
        }
    }

    @Test("what the transport refuses has the shape of every error")
    func refusals() throws {
        let server = try TestServer()
        let request = Request(method: .post, path: "/v1/libraries", id: "test-1")

        for (refusal, status, detail) in [
            (Refusal.tooManyStreams(limit: 8), 503, "As many streams are running as may at one time: 8"),
            (Refusal.bodyTooLarge(limit: 10), 413, "The body is larger than MAX_BODY_BYTES = 10"),
            (.bodyIncomplete(expected: 9, received: 4), 400, "The body ends after 4 of 9 bytes"),
            (.headersTooLarge(limit: 128), 431, "The request has more than 128 header fields"),
            (.malformed("no method"), 400, "no method"),
        ] {
            let response = server.api.refuse(request, refusal)
            let reply = Reply(response)
            #expect(Contract.shared.violations(by: request, response).isEmpty)
            #expect(reply.status == status && reply.detail == detail && reply.json["request_id"] == "test-1")
        }
    }
}
