import FoundationEssentials
import Glibc
import Settings
import TestSupport
import Testing

/// nginx as it will stand before the responder, spoken to in raw bytes.
@Suite("nginx")
struct EdgeTests {
    @Test("answers 503 at once, with Retry-After, when there is no responder")
    func noResponder() throws {
        let nginx = try RunningNginx()

        for target in ["/health", "/ready", "/", "/openapi.json", "/docs", "/v1/libraries", "/v1", "/v1/", "/health?x=//..%2f"] {
            // On a busy machine one of them may take long, but not each.
            let isAnsweredAtOnce = try (0..<10).contains { _ in
                let start = ContinuousClock.now
                let reply = try nginx.get(target)
                #expect(reply.asError == "503 UnavailableError", "\(target)")
                #expect(reply.headers("retry-after") == ["1"], "\(target)")
                return ContinuousClock.now - start < .seconds(2)
            }
            #expect(isAnsweredAtOnce, "\(target)")
        }
    }

    @Test("answers unknown paths itself, with the versions there are")
    func unknownPaths() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        for target in [
            "/libraries", "/v2/libraries", "/v11", "/V1/libraries", "/health/", "/docs/x", "/__e404", "/__e503", "/nginx.conf", "/metrics/",
            "/" + String(repeating: "a", count: 4096),
        ] {
            let reply = try nginx.get(target)
            #expect(reply.asError == "404 NotFoundError", "\(target)")
            #expect(reply.text.hasPrefix("{\"error\":\"Not found\",\"detail\":\"Unknown path; supported API versions: v1\","))
            #expect(reply.text.hasSuffix(",\"supported_versions\":[\"v1\"]}"))
        }
        let deletion = try nginx.exchange("DELETE /libraries HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(deletion.asError == "404 NotFoundError")
        #expect(!responder.wasCalled)
    }

    @Test("refuses paths that it and the responder could read differently (C5)")
    func ambiguousPaths() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        for target in RawRequests.ambiguousTargets {
            #expect(try nginx.get(target).asError == "400 InvalidRequestError", "\(target)")
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
            let reply = nginx.exchangeInBackground("GET \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            let (parameters, _) = try responder.answer("Status: 200 OK\r\n\r\n{}")
            #expect(parameters["REQUEST_URI"] == target)
            #expect(parameters["QUIRE_API_VERSION"] == version)
            #expect(parameters["REQUEST_METHOD"] == "GET")
            #expect(try reply.value().status == 200)
        }
    }

    @Test("owns the request id, hides what must not pass, and is not steered by the reply (C6)")
    func headersBothWays() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        let reply = nginx.exchangeInBackground(
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
        let received = try reply.value()
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
            let reply = nginx.exchangeInBackground("GET /v1/x HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            _ = try responder.answer("Status: \(status) Own\r\nContent-Type: application/json\r\nAllow: GET\r\n\r\n{\"mine\":\(status)}")
            let received = try reply.value()
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
        for id in RawRequests.insaneIDs {
            let reply = try nginx.get("/x", headers: "X-Request-Id: \(id)\r\n")
            #expect(reply.asError == "404 NotFoundError", "\(id)")
            #expect(reply["x-request-id"]?.count == 32, "\(id)")
        }
    }

    @Test("refuses requests whose end is in doubt (C7)")
    func smuggling() throws {
        let nginx = try RunningNginx()
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        for (what, request) in RawRequests.doubtful {
            #expect(try nginx.exchange(request).asError == "400 InvalidRequestError", "\(what)")
        }
        #expect(!responder.wasCalled)
    }

    @Test("closes HTTP/0.9 without a word")
    func http09() throws {
        let nginx = try RunningNginx()

        for target in ["/", "/v1/libraries", "/health", "/nowhere"] {
            #expect(exchange(Array("GET \(target)\r\n".utf8), port: nginx.settings.port) == [])
        }
    }

    @Test("lets this machine alone at administration where nobody needs a key, and at the figures always (G7)")
    func administration() throws {
        for (keys, status) in [("false", 403), ("true", 200)] {
            let nginx = try RunningNginx(["TRUSTED_PROXIES": "127.0.0.1", "API_KEYS_REQUIRED": keys])
            let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)
            for target in ["/v1/admin/snapshots", "/v1/admin/issues", "/metrics"] {
                let other = try nginx.get(target, headers: "X-Forwarded-For: 10.0.0.1\r\n")
                #expect(other.status == (target == "/metrics" ? 403 : status), "\(target)")
                if other.status == 403 { #expect(other.asError == "403 PermissionError") }
                #expect(try nginx.get(target).status == 200)
            }
            withExtendedLifetime(responder) {}
        }
    }

    @Test("refuses TRACE and CONNECT and says what is served")
    func methods() throws {
        let nginx = try RunningNginx()

        for method in ["TRACE", "CONNECT"] {
            let reply = try nginx.exchange("\(method) /health HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            #expect(reply.asError == "405 MethodNotAllowedError", "\(method)")
            #expect(reply.headers("allow") == ["GET, HEAD, POST, PUT, PATCH, DELETE"])
        }
    }

    @Test("refuses bodies over the limit, declared and chunked, and keeps nothing of them (C8)")
    func bodies() throws {
        let nginx = try RunningNginx(["MAX_BODY_BYTES": "200000"])
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        for (what, request) in RawRequests.largeBodies(limit: 200_000) {
            #expect(try nginx.exchange(request, ending: true).asError == "413 PayloadTooLargeError", "\(what)")
        }
        #expect(!responder.wasCalled)
        #expect(try FileManager.default.contentsOfDirectory(atPath: nginx.runDirectory.path + "/body-temp").isEmpty)
    }

    @Test("takes a body of exactly the limit")
    func largestBody() throws {
        let nginx = try RunningNginx(["MAX_BODY_BYTES": "200000"])
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        let reply = nginx.exchangeInBackground(
            "POST /v1/x HTTP/1.1\r\nHost: quire\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n"
                + String(repeating: "x", count: 200_000))
        let (parameters, bodyLength) = try responder.answer("Status: 200 OK\r\n\r\n{}")

        #expect(parameters["CONTENT_LENGTH"] == "200000")
        #expect(bodyLength == 200_000)
        #expect(try reply.value().status == 200)
    }

    @Test("bounds the request line and the headers")
    func largeHeads() throws {
        let nginx = try RunningNginx()

        for (what, request, error) in RawRequests.largeHeads { #expect(try nginx.exchange(request).asError == error, "\(what)") }
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
        let deadline = ContinuousClock.now + .seconds(120)
        var status: Int?
        repeat { status = try one.exchange(tooLarge).status } while status != 413 && ContinuousClock.now < deadline
        #expect(status == 413)
    }
}
