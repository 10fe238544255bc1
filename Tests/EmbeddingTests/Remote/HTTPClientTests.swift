import Glibc
import TestSupport
import Testing

@testable import Embedding

@Suite("HTTP client") struct HTTPClientTests {
    private func post(
        _ client: HTTPClient, _ server: StubServer, path: String = "/", timeLimit: Duration = .seconds(120), sizeLimit: Int = 1 << 20
    ) throws(HTTPFailure) -> HTTPAnswer {
        try client.post(
            Array("{}".utf8), to: server.url + path, key: APIKey("secret"), timeLimit: timeLimit, sizeLimit: sizeLimit)
    }

    @Test("posts JSON with the key, and reads status, Retry-After and body whatever the status")
    func posts() throws {
        let server = StubServer { request, _ in
            .reply(418, headers: ["retry-after": "7"], body: request.body + Array(request.target.utf8))
        }

        let answer = try post(HTTPClient(), server, path: "/a/b")

        #expect(answer.status == 418 && answer.retryAfter == "7" && answer.body == Array("{}/a/b".utf8))
        let request = try #require(server.requests.first)
        #expect(request.method == "POST" && request.headers["authorization"] == "Bearer secret")
        #expect(request.headers["content-type"] == "application/json" && request.headers["accept"] == "application/json")
        #expect(request.headers["expect"] == nil && request.headers["accept-encoding"] == nil)
    }

    @Test("one call after another takes the same connection, and a key is sent only where it is given")
    func reusesConnections() throws {
        let server = StubServer { _, _ in .reply(200, body: []) }
        let client = HTTPClient()

        for _ in 0..<5 { #expect(try post(client, server).status == 200) }
        _ = try client.post([], to: server.url, key: nil, timeLimit: .seconds(120), sizeLimit: 0)

        #expect(server.requests.count == 6 && server.connections == 1)
        #expect(server.requests.map { $0.headers["authorization"] != nil } == [true, true, true, true, true, false])
    }

    @Test("calls of many threads do not meet")
    func threads() throws {
        let server = StubServer { request, _ in .reply(200, body: request.body) }
        let client = HTTPClient()

        let answers = try onThreads(8) { thread in
            try (0..<20).map { call in
                let body = Array("\(thread) \(call)".utf8)
                return try client.post(body, to: server.url, key: nil, timeLimit: .seconds(120), sizeLimit: 100).body == body
            }
        }

        #expect(answers.joined().count == 160 && answers.joined().allSatisfy(\.self))
        #expect(server.connections <= 8)
    }

    @Test("a redirect is an answer and nobody is asked elsewhere", arguments: [301, 302, 303, 307, 308])
    func redirects(status: Int) throws {
        let elsewhere = StubServer { _, _ in .reply(200, body: []) }
        let target = elsewhere.url
        let server = StubServer { _, _ in .reply(status, headers: ["Location": target], body: []) }

        #expect(try post(HTTPClient(), server).status == status)

        #expect(server.requests.count == 1 && elsewhere.connections == 0)
    }

    @Test("a body beyond the limit is not read, whether or not its length is said", arguments: [true, false])
    func giant(isLengthSaid: Bool) {
        let giant = [UInt8](repeating: 0x20, count: 8 << 20)
        let server = StubServer { _, _ in
            isLengthSaid ? .reply(200, body: giant) : .raw(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + giant)
        }

        #expect(throws: HTTPFailure.tooLarge(limit: 1 << 20)) { try post(HTTPClient(), server) }
        #expect(throws: HTTPFailure.tooLarge(limit: (8 << 20) - 1)) { try post(HTTPClient(), server, sizeLimit: (8 << 20) - 1) }
    }

    @Test("a body of exactly the limit is read")
    func exactLimit() throws {
        let server = StubServer { _, _ in .reply(200, body: [UInt8](repeating: 0x20, count: 1 << 20)) }

        #expect(try post(HTTPClient(), server).body.count == 1 << 20)
    }

    @Test("a server that says nothing is given up when the time is over, and the client works on")
    func hang() throws {
        // By what it is asked: it may read the first request after the second.
        let server = StubServer { request, _ in request.target == "/silence" ? .silence : .reply(200, body: []) }
        let client = HTTPClient()
        let start = ContinuousClock.now

        #expect(throws: HTTPFailure.timedOut(after: .milliseconds(150))) {
            try post(client, server, path: "/silence", timeLimit: .milliseconds(150))
        }

        #expect((Duration.milliseconds(140)..<Duration.seconds(60)).contains(ContinuousClock.now - start))
        #expect(try post(client, server).status == 200)
        // No time at all is the shortest there is, and not none.
        #expect(throws: HTTPFailure.self) { try post(client, StubServer { _, _ in .silence }, timeLimit: .zero) }
    }

    @Test("half a body is no body")
    func halfABody() {
        let server = StubServer { _, _ in .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":".utf8)) }

        let failure = #expect(throws: HTTPFailure.self) { try post(HTTPClient(), server) }

        guard case .disconnected = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test(
        "what is not HTTP is not asked",
        arguments: ["file:///etc/hostname", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "nonsense", "http://", "http://127.0.0.1:1/"])
    func schemes(url: String) {
        let failure = #expect(throws: HTTPFailure.self) {
            try HTTPClient().post([], to: url, key: nil, timeLimit: .seconds(120), sizeLimit: 100)
        }
        guard case .disconnected(let reason) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(!reason.isEmpty && !reason.contains("127.0.0.1"))
    }
}

@Suite("API key") struct APIKeyTests {
    private struct Holder {
        let name = "holder"
        let key: APIKey
    }

    @Test("is not shown by anything that prints")
    func masked() throws {
        let key = try #require(APIKey(markerKey))
        let holder = Holder(key: key)
        var dumped = ""
        dump(holder, to: &dumped)

        for text in ["\(key)", String(reflecting: key), "\(holder)", String(reflecting: holder), dumped, "\([key])", "\(["k": key])"] {
            #expect(!text.contains("MARKER"))
        }
        #expect("\(holder)".contains("holder") && key.authorization == "Authorization: Bearer \(markerKey)")
    }

    @Test("is visible ASCII", arguments: ["", " ", "a b", "a\r\nX: y", "ключ", "a\0", "\u{7f}"])
    func refused(text: String) {
        #expect(APIKey(text) == nil)
    }
}
