import Database
import FoundationEssentials
import Glibc
import HTTP
import HTTPTypes
import Keys
import Settings
import TestSupport
import Testing

@testable import API

/// What every key may do, as the OpenAPI document says it.
@Suite("Keys")
struct KeyTests {
    private struct Keyed {
        let server: TestServer
        /// By right.
        let headers: [Right: HTTPFields]

        init(_ environment: [String: String] = [:]) throws {
            let (server, credentials) = try TestServer.withKeys(environment) { ring throws(KeysError) in
                var made: [Right: Credential] = [:]
                for right in Right.allCases { made[right] = try ring.create(name: right.rawValue, right: right, at: .now()) }
                return made
            }
            self.server = server
            headers = credentials.mapValues { [.authorization: "Bearer \($0.reveal())"] }
        }

        subscript(_ right: Right) -> HTTPFields { headers[right]! }
    }

    @Test("are asked for by every route as the document says: 401 without one, 403 without the right, and neither with it")
    func matrix() throws {
        let keyed = try Keyed()
        var answers: [Right?: Int] = [:]
        let operations = try Contract.shared.keyedOperations
        #expect(Set(operations.map(\.name)) == Set(keyed.server.api.routes.map { "\($0.method) \($0.pattern)" }))

        for operation in operations {
            let needed = operation.right.flatMap { Right(rawValue: $0) }
            #expect((needed == nil) == (operation.right == nil), "\(operation.name)")
            answers[needed, default: 0] += 1
            let stranger = KeyedOperation.strangersKey
            for method in operation.methods {
                for nobody: HTTPFields in [[:], [.authorization: "Bearer \(stranger)"], [.apiKey: stranger]] {
                    let reply = keyed.server.send(method, operation.path(), nobody)
                    #expect((reply.status == 401) == (needed != nil), "\(operation.name)")
                    if needed != nil, method != .head { #expect(reply.errorType == "AuthenticationError") }
                    #expect((reply.headers[.wwwAuthenticate] != nil) == (needed != nil))
                }
                for key in Right.allCases {
                    let status = keyed.server.send(method, operation.path(), keyed[key]).status
                    #expect(status != 401 && (status == 403) == (needed.map { key < $0 } ?? false), "\(operation.name), \(key): \(status)")
                }
            }
        }
        #expect(answers.count == 1 + Right.allCases.count && answers.values.reduce(0, +) == operations.count)
    }

    @Test("come in either header, or in both alike")
    func headers() throws {
        let keyed = try Keyed()
        let key = try #require(keyed[.read][.authorization]).dropFirst("Bearer ".count)
        func reply(_ headers: HTTPFields) -> Reply { keyed.server.get("/v1/libraries", headers) }

        for headers: HTTPFields in [
            [.authorization: "Bearer \(key)"], [.authorization: "bearer  \(key)"], [.apiKey: String(key)],
            [.authorization: "Bearer \(key)", .apiKey: String(key)], [.authorization: "Basic dXNlcjpwYXNz", .apiKey: String(key)],
        ] { #expect(reply(headers).status == 200) }
        for headers: HTTPFields in [
            [.authorization: String(key)], [.authorization: "Basic \(key)"], [.authorization: "Bearer"], [.authorization: "Bearer "],
            [.authorization: "Bearer \(key) x"], [.apiKey: "Bearer \(key)"], [.apiKey: ""], [.apiKey: "\(key), \(key)"],
            [.authorization: "Bearer \(key)", .apiKey: "other"], [.authorization: "Bearer other", .apiKey: String(key)],
        ] { #expect(reply(headers).status == 401, "\(headers)") }
        #expect(reply([:]).headers[.wwwAuthenticate] == #"Bearer realm="quire""#)
        #expect(reply([.apiKey: "x"]).headers[.wwwAuthenticate] == #"Bearer realm="quire", error="invalid_token""#)
        // Never a query: it would stand in logs.
        #expect(keyed.server.get("/v1/libraries?api_key=\(key)").status == 401)
    }

    @Test("that have expired are refused, and the answer says so")
    func expired() throws {
        let (server, key) = try TestServer.withKeys { ring throws(KeysError) in
            try ring.create(name: "k", right: .admin, expires: Timestamp(milliseconds: 1), at: .now())
        }

        let reply = server.get("/v1/libraries", [.apiKey: key.reveal()])

        #expect(reply.status == 401 && reply.detail == "The key has expired")
        #expect(server.get("/ready").json["components"]?.array?.last?["detail"] == "required, and there is none yet: quire keys create")
    }

    @Test("are not looked at where none is required")
    func notRequired() throws {
        let server = try TestServer()

        #expect(server.get("/v1/libraries", [.authorization: "Bearer sk-somebody-else's"]).status == 200)
        #expect(server.post("/v1/admin/verify", text: "").status == 200)
        #expect(server.get("/ready").json["components"]?.array?.contains { $0["name"] == "keys" } == false)
    }

    @Test("cannot be checked against a damaged ring: then nobody is served, and the server is not ready", arguments: ["{", "[]"])
    func damagedRing(text: String) throws {
        let server = try TestServer(
            ["API_KEYS_REQUIRED": "true"], prepare: { settings in try Data(text.utf8).write(to: URL(filePath: settings.keysFile)) })

        for headers: HTTPFields in [[:], [.apiKey: "qk_000000000000_\(String(repeating: "0", count: 64))"]] {
            let reply = server.get("/v1/libraries", headers)
            #expect(reply.status == 503 && reply.detail == "No key can be checked: the key ring is damaged")
        }
        let ready = server.get("/ready")
        #expect(ready.status == 503 && ready.detail == "the key ring is damaged")
        #expect(ready.json["components"]?.array?.last == ["name": "keys", "status": "unavailable", "detail": "the key ring is damaged"])
        for path in ["/health", "/", "/docs", "/openapi.json"] { #expect(server.get(path).status == 200) }
    }

    @Test("go no further than the door: what answers a request has not seen one")
    func withoutKeys() {
        let request = Request(
            method: .get, path: "/", headers: [.authorization: "Bearer k", .apiKey: "k", .ifMatch: "1"], id: "1")

        #expect(request.withoutKeys.headers == [.ifMatch: "1"])
    }

    @Test("decide before a stream is read or a body looked at")
    func beforeTheBody() throws {
        final class Unread: IncomingBody {
            func read(atMost _: Int) -> [UInt8]? {
                Issue.record("the body was read")
                return nil
            }
        }
        let keyed = try Keyed()
        let path = "/v1/libraries/3f2a8c1e-0000-4000-8000-000000000000/documents/stream"
        let request = Request(method: .post, path: path, headers: keyed[.read], id: "1")

        guard case .streamed(let respond) = keyed.server.api.destination(of: request).handler else {
            Issue.record("it is no stream")
            return
        }

        #expect(respond(request, Unread()).status == .forbidden)
        #expect(keyed.server.post("/v1/libraries", text: "no JSON", keyed[.read]).status == 403)
    }

    @Test("have classes of rates that are those of nginx")
    func rateClasses() throws {
        for (name, operation) in Contract.shared.operations {
            let parts = name.split(separator: " ").map(String.init)
            let method = try #require(HTTPRequest.Method(parts[0]))
            let demand = Demand(method, parts[1])
            let isSearch = parts[1].contains("/search") || parts[1].hasSuffix("/count")
            let expected =
                parts[0] == "GET" ? nil : parts[1] == "/v1/libraries" ? "create" : parts[0] == "POST" && isSearch ? "search" : "write"
            #expect(demand.rateClass?.rawValue == expected, "\(name)")
            #expect(demand == Demand(method, parts[1].replacing("/v1/", with: "/v2/")), "as in the version after it")
            #expect(expected == nil || operation["responses"]?["429"] != nil)
        }
    }

    @Test("have a rate each, and those that are refused count for nothing")
    func rates() throws {
        let keyed = try Keyed(["RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_CREATE": "1/minute", "RATE_LIMIT_BURST": "2"])
        let body: JSON = ["name": "x", "embedding_dimension": 2]

        for _ in 0..<30 { #expect(keyed.server.post("/v1/libraries", body, [.apiKey: "qk_0"]).status == 401) }
        // What a key may not do counts all the same, as it does in nginx.
        #expect(keyed.server.post("/v1/libraries", body, keyed[.read]).status == 403)
        #expect((1...2).map { _ in keyed.server.post("/v1/libraries", body, keyed[.write]).status } == [201, 201])
        let refused = keyed.server.post("/v1/libraries", body, keyed[.write])
        #expect(refused.status == 429 && refused.errorType == "RateLimitError")
        let seconds = try #require(Int(refused.headers[.retryAfter] ?? ""))
        #expect((1...60).contains(seconds))
        #expect(refused.detail == "More create requests than one key may send; try again in \(seconds) s")
        #expect(keyed.server.get("/v1/libraries", keyed[.write]).json.array?.count == 2)
        #expect(keyed.server.post("/v1/libraries", body, keyed[.admin]).status == 201)
    }
}
