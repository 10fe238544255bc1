import TestSupport
import Testing

@testable import Settings

@Suite("nginx, pages of other sites")
struct CORSTests {
    private static let allowed = "http://localhost:3000"

    private func request(_ nginx: RunningNginx, _ method: String, _ origin: String?, asking: String? = nil) throws -> HTTPReply {
        let headers = origin.map { "Origin: \($0)\r\n" } ?? ""
        return try nginx.send(
            method, "/v1/libraries", headers: headers + (asking.map { "Access-Control-Request-Method: \($0)\r\n" } ?? ""))
    }

    private func corsHeaders(_ reply: HTTPReply) -> [String] {
        reply.headers.map(\.name).filter { $0.hasPrefix("access-control-") }.sorted()
    }

    @Test("may read replies when they are on the list, errors included (G5)")
    func allowedOrigins() throws {
        let nginx = try RunningNginx(["CORS_ALLOWED_ORIGINS": "https://example.org, \(Self.allowed)"])

        for origin in ["https://example.org", Self.allowed] {
            let reply = try request(nginx, "GET", origin)
            #expect(reply.status == 503)
            #expect(reply.headers("access-control-allow-origin") == [origin])
            #expect(reply.headers("vary") == ["Origin"])
            #expect(reply["access-control-expose-headers"]?.contains("X-Request-Id") == true)
            #expect(reply.headers("access-control-allow-credentials").isEmpty)
        }
    }

    @Test("are told beforehand by nginx what they may do")
    func preflight() throws {
        let nginx = try RunningNginx(["CORS_ALLOWED_ORIGINS": Self.allowed])
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        let reply = try request(nginx, "OPTIONS", Self.allowed, asking: "DELETE")

        #expect(reply.status == 204 && reply.body.isEmpty)
        #expect(reply.headers("access-control-allow-origin") == [Self.allowed])
        #expect(reply["access-control-allow-methods"]?.contains("DELETE") == true)
        #expect(reply["access-control-allow-headers"]?.contains("Authorization") == true)
        #expect(reply.headers("access-control-max-age") == ["7200"])
        #expect(!responder.wasCalled)
    }

    @Test(
        "get nothing when they are not on the list",
        arguments: [
            nil, "", "null", "*", "https://localhost:3000", "http://localhost", "http://localhost:30000", "http://localhost:3000.evil.org",
            "http://evil.org/http://localhost:3000", "http://localhost:3000/", "http://localhost:3000, http://evil.org", "file://",
        ])
    func otherOrigins(origin: String?) throws {
        let nginx = try RunningNginx(["CORS_ALLOWED_ORIGINS": Self.allowed])
        let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)

        for (method, asking) in [("GET", nil), ("OPTIONS", "DELETE"), ("OPTIONS", "GET POST")] as [(String, String?)] {
            let reply = try request(nginx, method, origin, asking: asking)
            #expect(corsHeaders(reply) == [], "\(method)")
            // Answered by the responder, as if there were no such thing.
            #expect(reply.status == 200)
            #expect(reply.headers("vary") == ["Origin"])
        }
        withExtendedLifetime(responder) {}
    }

    @Test("get nothing at all unless there is a list")
    func noList() throws {
        let nginx = try RunningNginx()
        let reply = try request(nginx, "OPTIONS", Self.allowed, asking: "GET")
        #expect(reply.asError == "503 UnavailableError" && corsHeaders(reply) == [])
    }

    @Test("do not count towards the limits when they ask beforehand")
    func unlimited() throws {
        let nginx = try RunningNginx([
            "CORS_ALLOWED_ORIGINS": Self.allowed, "RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_CREATE": "60/hour", "RATE_LIMIT_BURST": "1",
        ])
        let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)

        for _ in 0..<5 { #expect(try request(nginx, "OPTIONS", Self.allowed, asking: "POST").status == 204) }
        #expect(try request(nginx, "POST", Self.allowed).status == 200)
        let refused = try request(nginx, "POST", Self.allowed)
        #expect(refused.status == 429 && refused.headers("access-control-allow-origin") == [Self.allowed])
        withExtendedLifetime(responder) {}
    }

    @Test(
        "are named as browsers do",
        arguments: [
            ("https://example.org", "https://example.org"), ("https://example.org:443", "https://example.org"),
            ("http://example.org:80", "http://example.org"), ("http://example.org:443", "http://example.org:443"),
            ("http://a-b.c1:65535", "http://a-b.c1:65535"), ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"), ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ])
    func origins(text: String, printed: String) throws {
        #expect(try settings(["CORS_ALLOWED_ORIGINS": text]).corsAllowedOrigins.map(\.description) == [printed])
    }

    @Test(
        "are refused when no browser would send them",
        arguments: [
            "", "*", "null", "example.org", "https://", "https://*.example.org", "https://Example.org", "HTTPS://example.org",
            "https://example.org/", "https://example.org/a", "https://user@example.org", "https://example.org:0", "https://example.org:x",
            "https://example.org:", "https://example.org:65536", "https://example.org:80:80", "ftp://example.org", "https://a..b",
            "https://-a.org", "https://a_b.org", "https://[::1", "https://[127.0.0.1]", "https://[::1]x", "https://a.org,",
            "https://a.org, https://a.org", "https://a.org,https://a.org:443", "none, https://a.org", "https://a.org https://b.org",
            "https://" + String(repeating: "a", count: 64) + ".org", "https://bücher.example",
            (0...100).map { "https://a\($0).org" }.joined(separator: ","),
        ])
    func refusedOrigins(text: String) {
        #expect(refusal(["CORS_ALLOWED_ORIGINS": text])?.description.contains("such as https://example.org") == true)
    }
}
