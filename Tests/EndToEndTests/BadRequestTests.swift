import FoundationEssentials
import HTTPTypes
import TestSupport
import Testing

private let maxBodyBytes = 200_000

@Suite("Bad requests, through nginx", .serialized, .running(noModel.merging(["MAX_BODY_BYTES": "\(maxBodyBytes)"]) { $1 }))
struct BadRequestTests {
    private let server = Subject.running!

    private func raw(_ request: String, ending: Bool = false) -> HTTPReply? { server.quire.raw(request, ending: ending) }

    private func request(_ method: String, _ target: String) -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n"
    }

    // MARK: C5

    @Test("a path that two readers could read differently is refused, whatever it would have reached (C5)")
    func ambiguousPaths() throws {
        let witness = try server.witness()
        let document = witness.document.dropFirst("/v1/documents/".count)
        let detours = [
            "/v1//documents/\(document)", "/v1/./documents/\(document)", "/v1/libraries/../documents/\(document)",
            "/v1/%2e/documents/\(document)", "/v1/libraries/%2e%2e/documents/\(document)", "/v1/documents%2f\(document)",
            "/v1/documents\\\(document)", "/v2/../v1/documents/\(document)", "/%76%31/documents/\(document)",
            "\(witness.document)%00", "\(witness.document)/..", "\(witness.document)/../\(document)",
        ]
        for target in RawRequests.ambiguousTargets + detours {
            for method in ["GET", "DELETE"] {
                #expect(raw(request(method, target))?.asError == "400 InvalidRequestError", "\(method) \(target)")
            }
        }
        try witness.expectUnchanged("ambiguous paths")
    }

    @Test("an odd path that can be read in one way only is answered for what it is (C5)")
    func oddPaths() throws {
        let witness = try server.witness()
        for (target, error) in [
            ("/v1/libraries/%252f", "422 ValidationError"), ("/v1/documents/%c0%af", "404 NotFoundError"),
            ("/v1/documents/" + String(repeating: "a", count: 4096), "422 ValidationError"),
            ("/v1/libraries/%f0%9f%98%80", "422 ValidationError"),
            ("/v1/..a/b..", "404 NotFoundError"), ("\(witness.document)/", "404 NotFoundError"),
            ("\(witness.document);x", "422 ValidationError"),
            ("/v2\(witness.document.dropFirst(3))", "404 NotFoundError"), ("/V1\(witness.document.dropFirst(3))", "404 NotFoundError"),
            ("\(witness.document)?..%2f%00//", "422 ValidationError"),
        ] {
            for method in ["GET", "DELETE"] {
                #expect(raw(request(method, target))?.asError == error, "\(method) \(target.prefix(100))")
            }
        }
        try witness.expectUnchanged("odd paths")
    }

    @Test("a path that is too long, and headers that are, have an error of their own (C5)")
    func largeHeads() {
        for (what, request, error) in RawRequests.largeHeads { #expect(raw(request)?.asError == error, "\(what)") }
    }

    @Test("an unknown version is told the versions there are")
    func versions() throws {
        for target in ["/v2/libraries", "/libraries", "/v11", "/metrics/", "/nginx.conf"] {
            let reply = try #require(raw(request("GET", target)))
            #expect(reply.asError == "404 NotFoundError" && reply.json["supported_versions"] == ["v1"], "\(target)")
        }
    }

    // MARK: C6

    static let injections = [
        "x\r\nX-Injected: 1", "x\nX-Injected: 1", "x\rX-Injected: 1", "x\r\n\r\n{\"injected\":1}", "\r\nX-Accel-Redirect: /health",
        "\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK", "x\u{2028}X-Injected: 1", "x\u{560D}\u{560A}X-Injected: 1",
        "x\u{0}\r\nX-Injected: 1",
    ]

    @Test("text of a client makes no header of a reply (C6)", arguments: injections)
    func injectedText(text: String) throws {
        let value = JSON.string(text)
        // `send` expects every reply to have known headers only, each once, and the length that it says.
        let library = try #require(
            try server.post("/v1/libraries", ["name": value, "description": value, "embedding_dimension": 3])["location"])
        let chunk: JSON = ["text": value, "embedding": [1, 0, 0]]
        let body: JSON = [
            "title": value, "author": value, "document_type": value, "source_url": value, "tags": [value], "chunks": [chunk],
        ]
        let document = try #require(try server.post("\(library)/documents/with-embeddings", body)["location"])
        #expect(document.wholeMatch(of: /\/v1\/documents\/[0-9a-f-]{36}/) != nil)
        #expect(try server.get(document)["etag"]?.wholeMatch(of: /"[0-9]+"/) != nil)
        #expect(try server.get("/v1/libraries?limit=1")["link"]?.wholeMatch(of: /<\/v1\/libraries\?[a-z0-9=&]+>; rel="next"/) != nil)

        let identified = try server.post("\(library)/documents/with-embeddings", ["id": value, "title": "T", "chunks": [chunk]])
        #expect(identified.asError == "422 ValidationError" && identified.json.locations == ["body.id"])
        let encoded = text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        for query in ["cursor=\(encoded)", "limit=\(encoded)", "\(encoded)=1", "limit=1&cursor=1\(encoded)"] {
            #expect(try server.get("/v1/libraries?\(query)").asError == "422 ValidationError", "\(query)")
        }
        for field in ["metric", "index_type", "embedding_model", text] {
            #expect(try server.post("/v1/libraries", ["name": "n", field == text ? text : field: value]).asError == "422 ValidationError")
        }
    }

    @Test(
        "a header of a request makes none of the reply (C6)",
        arguments: ["X-Request-Id", "If-None-Match", "Content-Type", "Host", "X-Forwarded-For"])
    func injectedHeaders(name: String) throws {
        let witness = try server.witness()
        for text in Self.injections where !text.contains("\r\n") || name != "Content-Type" {
            let reply = try #require(raw("GET \(witness.library) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\(name): \(text)\r\n\r\n"))

            #expect(reply.unexpectedHeaders == [], "\(text)")
            #expect([200, 400].contains(reply.status), "\(text): \(reply.text)")
            if reply.status == 400 { #expect(reply.asError == "400 InvalidRequestError") }
            #expect(reply.headers("x-request-id").count == 1 && reply["x-request-id"]?.wholeMatch(of: /[A-Za-z0-9._-]{1,64}/) != nil)
            #expect(!reply.text.contains("njected"))
        }
    }

    @Test("a request steers neither nginx nor the reply with headers that are for servers (C6)")
    func serverHeaders() throws {
        let witness = try server.witness()
        let headers = [
            "X-Accel-Redirect": "/health", "X-Accel-Limit-Rate": "1", "Status": "500", "Location": "http://evil", "ETag": "evil",
            "Link": "<evil>", "Retry-After": "9", "Proxy": "evil", "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/health",
            "Upgrade": "h2c", "Range": "bytes=0-1",
        ]

        let reply = try server.send(.get, witness.library, headers: headers)

        #expect(try reply.status == 200 && reply.body == server.get(witness.library).body)
        #expect(reply["location"] == nil && reply["link"] == nil && reply["retry-after"] == nil)
        try witness.expectUnchanged("server headers")
    }

    @Test("a request id is the client's if it is a sane token, else one of ours, in the header and the error alike (C6)")
    func requestIDs() throws {
        for id in ["a", "A.b_c-9", String(repeating: "x", count: 64)] {
            for target in ["/v1/nothing", "/v2/nothing"] {
                #expect(try server.quire.send("GET", target, headers: ["X-Request-Id": id]).json["request_id"] == .string(id))
            }
        }
        for id in RawRequests.insaneIDs {
            for target in ["/v1/nothing", "/v2/nothing"] {
                let reply = try server.quire.send("GET", target, headers: ["X-Request-Id": id])
                #expect(reply.asError == "404 NotFoundError" && reply["x-request-id"]?.count == 32, "\(id)")
            }
        }
    }

    // MARK: C7

    @Test("a request whose end is in doubt is refused, and what hides behind it is not answered (C7)")
    func doubtful() throws {
        let witness = try server.witness()
        for (what, request) in RawRequests.doubtful {
            #expect(raw(request)?.asError == "400 InvalidRequestError", "\(what)")
        }
        // The same with a request behind that would do harm.
        let hidden = "DELETE \(witness.document) HTTP/1.1\r\nHost: quire\r\n\r\n"
        let post = "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\n"
        for request in [
            post + "Content-Length: \(hidden.utf8.count)\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
            post + "Content-Length: 0\r\nContent-Length: \(hidden.utf8.count)\r\n\r\n" + hidden,
            post + "Transfer-Encoding: xchunked\r\n\r\n" + hidden, post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden,
        ] {
            #expect(raw(request)?.asError == "400 InvalidRequestError", "\(request)")
        }
        try witness.expectUnchanged("doubtful requests")
    }

    @Test("HTTP/0.9 is closed without a word (C7)")
    func http09() {
        for target in ["/", "/v1/libraries", "/health", "/nowhere"] {
            #expect(exchange(Array("GET \(target)\r\n".utf8), port: server.quire.port) == [])
        }
    }

    @Test("a body that ends too early is not applied (C7)")
    func cutBodies() throws {
        let witness = try server.witness()
        let body = #"{"name":"cut"}"#
        let post = "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n"
        for request in [post + "Content-Length: 20\r\n\r\n" + body, post + "Transfer-Encoding: chunked\r\n\r\ne\r\n" + body] {
            let reply = raw(request, ending: true)
            #expect(reply == nil || reply?.asError == "400 InvalidRequestError", "\(reply?.text ?? "")")
        }
        try witness.expectUnchanged("cut bodies")
    }

    @Test("methods that are not served are refused with those that are")
    func methods() throws {
        let witness = try server.witness()
        for (method, target) in [
            ("TRACE", "/health"), ("CONNECT", "/health"), ("POST", witness.document), ("BREW", witness.library), ("OPTIONS", "/"),
        ] {
            let reply = try #require(raw(request(method, target)))
            #expect(reply.asError == "405 MethodNotAllowedError" && reply["allow"] != nil, "\(method)")
        }
        try witness.expectUnchanged("methods")
    }

    // MARK: C8

    @Test("a body over the limit, declared or not, is refused by nginx alone, and nothing is kept of it (C8)")
    func largeBodies() throws {
        let witness = try server.witness()
        for (what, request) in RawRequests.largeBodies(limit: maxBodyBytes) {
            let reply = try #require(raw(request, ending: true))
            #expect(reply.asError == "413 PayloadTooLargeError", "\(what)")
            // The words of nginx; the responder would name the limit.
            #expect(reply.json["detail"] == "The request body is larger than MAX_BODY_BYTES", "\(what)")
        }
        try witness.expectUnchanged("large bodies")
        #expect(try FileManager.default.contentsOfDirectory(atPath: server.quire.runDirectory + "/body-temp").isEmpty)
    }

    @Test("a body of exactly the limit is read, declared or not (C8)")
    func largestBodies() throws {
        let start = #"{"name":"largest","embedding_dimension":3"#
        let body = start + String(repeating: " ", count: maxBodyBytes - start.utf8.count - 1) + "}"
        try #require(body.utf8.count == maxBodyBytes)

        #expect(try server.post("/v1/libraries", text: body).status == 201)
        // Refused for its name, so that it is known to have been read to its end.
        let chunked =
            "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "\(String(maxBodyBytes, radix: 16))\r\n\(body.replacing("largest", with: "larges\u{1}"))\r\n0\r\n\r\n"
        #expect(raw(chunked)?.asError == "400 InvalidRequestError")
    }
}
