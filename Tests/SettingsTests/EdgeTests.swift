import FoundationEssentials
import Glibc
import Settings
import Testing

/// nginx as it will stand before the responder, spoken to in raw bytes.
@Suite("nginx")
struct EdgeTests {
    @Test("answers 503 at once, with Retry-After, when there is no responder")
    func noResponder() throws {
        let nginx = try RunningNginx()

        for target in ["/health", "/ready", "/", "/openapi.json", "/docs", "/v1/libraries", "/v1", "/v1/", "/health?x=//..%2f"] {
            let start = ContinuousClock.now
            let reply = try nginx.get(target)
            reply.expectError(503, "UnavailableError", target)
            #expect(reply.headers("retry-after") == ["1"], "\(target)")
            #expect(ContinuousClock.now - start < .seconds(2), "\(target)")
        }
    }

    @Test("answers unknown paths itself, with the versions there are")
    func unknownPaths() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        for target in [
            "/libraries", "/v2/libraries", "/v11", "/V1/libraries", "/health/", "/docs/x", "/__e404", "/__e503", "/nginx.conf", "/metrics",
            "/" + String(repeating: "a", count: 4096),
        ] {
            let reply = try nginx.get(target)
            reply.expectError(404, "NotFoundError", target)
            #expect(reply.body.hasPrefix("{\"error\":\"Not found\",\"detail\":\"Unknown path; supported API versions: v1\","))
            #expect(reply.body.hasSuffix(",\"supported_versions\":[\"v1\"]}"))
        }
        try nginx.exchange("DELETE /libraries HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expectError(404, "NotFoundError", "DELETE")
        #expect(!responder.wasCalled)
    }

    @Test("refuses paths that it and the responder could read differently (C5)")
    func ambiguousPaths() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        let parts = [
            "..%2f", "..%2F", "%2e%2e", "%2E", "%00", "%0d%0a", "%1f", "%7f", "/", "//", "%zz", "%", "..", "../x", ".", "./x", "a\\b",
            "%5c",
            "%5C", "x#y", "x#y?z",
        ]

        for path in parts.flatMap({ ["/v1/\($0)", "/v1/libraries/\($0)", "/nowhere/\($0)"] }) {
            try nginx.get(path).expectError(400, "InvalidRequestError", path)
        }
        for target in [
            "//", "/..", "/.", "/%761/libraries", "/v%31/libraries", "/%2fv1", "*", "v1", "http://", "http://quire?x", "http://quire//v1",
            "/v1/\u{1}",
        ] {
            try nginx.get(target).expectError(400, "InvalidRequestError", target)
        }
        #expect(!responder.wasCalled)
    }

    @Test("passes every other path on exactly as it was sent, with the version beside it")
    func plainPaths() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        for (target, version) in [
            ("/v1/libraries", "v1"), ("/v1", "v1"), ("/v1/a%252fb", "v1"), ("/v1/%c0%af?q=%2e%2e//\\", "v1"), ("/v1/..a/b..", "v1"),
            ("/v1/" + String(repeating: "a", count: 4096), "v1"), ("/health?x", nil), ("/", nil), ("/ready", nil),
        ] as [(String, String?)] {
            let reply = try nginx.exchangeInBackground("GET \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            let (parameters, _) = try responder.answer("Status: 200 OK\r\n\r\n{}")
            #expect(parameters["REQUEST_URI"] == target)
            #expect(parameters["QUIRE_API_VERSION"] == version)
            #expect(parameters["REQUEST_METHOD"] == "GET")
            #expect(reply.wait().status == 200)
        }
    }

    @Test("owns the request id, hides what must not pass, and is not steered by the reply (C6)")
    func headersBothWays() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        let reply = try nginx.exchangeInBackground(
            "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\nX-Request-Id: mine-1._\r\nProxy: evil\r\nX_Request_Id: other\r\n"
                + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n")
        let (parameters, bodyLength) = try responder.answer(
            "Status: 201 Created\r\nContent-Type: application/json\r\nX-Request-Id: theirs\r\nX-Accel-Redirect: /health\r\n"
                + "X-Accel-Limit-Rate: 1\r\nETag: \"7\"\r\n\r\n{\"error\":1}")

        #expect(parameters["REQUEST_ID"] == "mine-1._")
        #expect(parameters["HTTP_X_REQUEST_ID"] == "mine-1._")
        #expect(parameters["HTTP_PROXY"] == nil)
        #expect(parameters["HTTP_TRANSFER_ENCODING"] == nil)
        #expect(parameters["CONTENT_LENGTH"] == "7")
        #expect(bodyLength == 7)
        let received = reply.wait()
        #expect(received.status == 201)
        #expect(received.headers("x-request-id") == ["mine-1._"])
        #expect(received.headers("x-accel-redirect").isEmpty)
        #expect(received.headers("etag") == ["\"7\""])
        #expect(received.headers("x-content-type-options") == ["nosniff"])
    }

    @Test("lets the responder's own errors pass")
    func responderErrors() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        for status in [400, 404, 405, 413, 422, 500, 503, 507] {
            let reply = try nginx.exchangeInBackground("GET /v1/x HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            _ = try responder.answer("Status: \(status) Own\r\nContent-Type: application/json\r\nAllow: GET\r\n\r\n{\"mine\":\(status)}")
            let received = reply.wait()
            #expect(received.status == status)
            #expect(received.text.contains("{\"mine\":\(status)}"))
            #expect(received.headers("allow") == ["GET"])
        }
    }

    @Test("gives an id of its own to a request whose id is not a sane token")
    func requestIDs() throws {
        let nginx = try RunningNginx()

        for id in ["a", "A.b_c-9", String(repeating: "x", count: 64)] {
            #expect(try nginx.get("/x", headers: "X-Request-Id: \(id)\r\n").headers("x-request-id") == [id])
        }
        for id in ["", "a b", "a\"b", "a$b", "é", "a,b", String(repeating: "x", count: 65)] {
            let reply = try nginx.get("/x", headers: "X-Request-Id: \(id)\r\n")
            reply.expectError(404, "NotFoundError", id)
            #expect(reply.headers("x-request-id").first?.count == 32, "\(id)")
        }
    }

    @Test("refuses requests whose end is in doubt (C7)")
    func smuggling() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        let post = "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\n"
        let hidden = "GET /v1/hidden HTTP/1.1\r\nHost: quire\r\n\r\n"

        for (what, request) in [
            ("length and coding", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden),
            ("coding and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" + hidden),
            ("two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + hidden),
            ("one length twice", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
            ("negative length", post + "Content-Length: -1\r\n\r\n" + hidden), ("length with sign", post + "Content-Length: +3\r\n\r\nabc"),
            ("length list", post + "Content-Length: 3, 3\r\n\r\nabc"), ("hexadecimal length", post + "Content-Length: 0x3\r\n\r\nabc"),
            ("huge length", post + "Content-Length: 99999999999999999999\r\n\r\n"),
            ("unknown coding", post + "Transfer-Encoding: gzip\r\n\r\n" + hidden),
            ("two codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            ("chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
            ("folded header", post + "X-A: b\r\n c\r\n\r\n"), ("NUL in a header", post + "X-A: b\0c\r\n\r\n"),
            ("no host", "GET /v1/x HTTP/1.1\r\n\r\n"), ("two hosts", "GET /v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            ("bad host", "GET /v1/x HTTP/1.1\r\nHost: a/b\r\n\r\n"), ("unknown version", "GET /v1/x HTTP/3.0\r\nHost: a\r\n\r\n"),
            ("no version at all", "GET /v1/x HTTP\r\nHost: a\r\n\r\n"), ("nonsense", "\u{3}\r\n\r\n"),
            ("lower-case method", "get / HTTP/1.1\r\n\r\n"),
        ] {
            try nginx.exchange(request).expectError(400, "InvalidRequestError", what)
        }
        #expect(!responder.wasCalled)
    }

    @Test("closes HTTP/0.9 without a word")
    func http09() throws {
        let nginx = try RunningNginx()

        for target in ["/", "/v1/libraries", "/health", "/nowhere"] {
            #expect(try nginx.exchange("GET \(target)\r\n").text.isEmpty)
        }
    }

    @Test("refuses TRACE and CONNECT and says what is served")
    func methods() throws {
        let nginx = try RunningNginx()

        for method in ["TRACE", "CONNECT"] {
            let reply = try nginx.exchange("\(method) /health HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            reply.expectError(405, "MethodNotAllowedError", method)
            #expect(reply.headers("allow") == ["GET, HEAD, POST, PUT, PATCH, DELETE"])
        }
    }

    @Test("refuses bodies over the limit, declared and chunked, and keeps nothing of them (C8)")
    func bodies() throws {
        let nginx = try RunningNginx(["MAX_BODY_BYTES": "200000"])
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        let post = "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n"
        let chunk = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"

        try nginx.exchange(post + "Content-Length: 200001\r\n\r\n", refusing: true).expectError(413, "PayloadTooLargeError", "declared")
        try nginx.exchange(post + "Content-Length: 200001\r\nExpect: 100-continue\r\n\r\n", refusing: true)
            .expectError(413, "PayloadTooLargeError", "expected")
        try nginx.exchange(post + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk + chunk + "0\r\n\r\n", refusing: true)
            .expectError(413, "PayloadTooLargeError", "chunked")
        #expect(!responder.wasCalled)
        #expect(try FileManager.default.contentsOfDirectory(atPath: nginx.runDirectory.path + "/body-temp").isEmpty)
    }

    @Test("takes a body of exactly the limit")
    func largestBody() throws {
        let nginx = try RunningNginx(["MAX_BODY_BYTES": "200000"])
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        let reply = try nginx.exchangeInBackground(
            "POST /v1/x HTTP/1.1\r\nHost: quire\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n"
                + String(repeating: "x", count: 200_000))
        let (parameters, bodyLength) = try responder.answer("Status: 200 OK\r\n\r\n{}")

        #expect(parameters["CONTENT_LENGTH"] == "200000")
        #expect(bodyLength == 200_000)
        #expect(reply.wait().status == 200)
    }

    @Test("bounds the request line and the headers")
    func largeHeads() throws {
        let nginx = try RunningNginx()

        try nginx.get("/v1/" + String(repeating: "a", count: 8192)).expectError(414, "URITooLongError", "request line")
        try nginx.get("/health", headers: "X-A: \(String(repeating: "b", count: 8192))\r\n").expectError(
            431, "HeadersTooLargeError", "one header")
        let many = (0..<12).map { "X-\($0): \(String(repeating: "b", count: 4000))\r\n" }.joined()
        try nginx.get("/health", headers: many).expectError(431, "HeadersTooLargeError", "all headers")
    }

    @Test("logs failed requests without their query and credentials")
    func accessLog() throws {
        let nginx = try RunningNginx()

        _ = try nginx.get("/nowhere?secret=hunter2", headers: "Authorization: Bearer hunter3\r\nX-Request-Id: traced\r\n")
        nginx.stop()

        let log = try String(contentsOfFile: nginx.runDirectory.path + "/access.log", encoding: .utf8)
        #expect(log.contains("\"path\":\"/nowhere\",\"status\":404"))
        #expect(log.contains("\"request_id\":\"traced\""))
        #expect(!log.contains("hunter"))
    }

    @Test("runs beside another instance, and takes a new configuration without losing its own files")
    func sideBySide() throws {
        let (one, other) = (try RunningNginx(), try RunningNginx())
        #expect(try one.get("/x").status == 404)
        #expect(try other.get("/x").status == 404)
        let pidFile = one.runDirectory.path + "/nginx.pid"
        let pid = try String(contentsOfFile: pidFile, encoding: .utf8)

        var settings = one.settings
        settings.maxBodyBytes = 2048
        try NginxPrefix(source: nginxSource, output: one.runDirectory.nginxPrefix, executable: findNginx(searchPath: ""))
            .install(NginxConfiguration(settings, asRoot: geteuid() == 0))
        try #require(kill(#require(Int32(pid.filter(\.isNumber))), SIGHUP) == 0)

        #expect(try String(contentsOfFile: pidFile, encoding: .utf8) == pid)
        let tooLarge =
            "POST /v1/x HTTP/1.1\r\nHost: quire\r\nConnection: close\r\nContent-Length: 2049\r\n\r\n" + String(repeating: "x", count: 2049)
        let deadline = ContinuousClock.now + .seconds(10)
        var status: Int?
        repeat { status = try one.exchange(tooLarge).status } while status != 413 && ContinuousClock.now < deadline
        #expect(status == 413)
    }
}
