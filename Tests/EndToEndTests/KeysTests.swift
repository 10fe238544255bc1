import Database
import FoundationEssentials
import Keys
import Settings
import TestSupport
import Testing

@testable import Server

@Suite("A Quire that asks for keys")
struct KeysTests {
    private let quire: QuireInstance
    private let addresses = Shared(0)

    init() throws {
        quire = try QuireInstance(
            [
                "API_KEYS_REQUIRED": "true", "ACCESS_LOG": "all", "LOG_LEVEL": "trace", "RATE_LIMIT_ENABLED": "true",
                "RATE_LIMIT_SEARCH": "1/minute", "RATE_LIMIT_BURST": "3", "TRUSTED_PROXIES": "127.0.0.1",
            ])
    }

    /// Each from another address, so that the limits of addresses are none.
    private func send(_ method: String, _ target: String, _ key: String, body: String? = nil) throws -> HTTPReply {
        let client = addresses.update { count in
            count += 1
            return "10.0.\(count / 256).\(count % 256)"
        }
        let headers = ["Authorization": "Bearer \(key)", "X-Forwarded-For": client]
        return try quire.send(method, target, headers: headers, body: body.map { Array($0.utf8) })
    }

    @Test("takes keys as they are made, rotated and revoked while it runs, counts each, and tells nobody what they were")
    func life() throws {
        #expect(try quire.get("/v1/libraries").asError == "401 AuthenticationError")
        #expect(try quire.get("/v1/libraries").headers("www-authenticate") == [#"Bearer realm="quire""#])
        #expect(try quire.get("/health").status == 200)

        let writer = try quire.keys(["create", "writer", "--right", "write"])
        try quire.waitUntilKnown(writer)
        let library = try #require(try send("POST", "/v1/libraries", writer, body: #"{"name":"v","embedding_dimension":2}"#)["location"])
        let reader = try quire.keys(["create", "reader", "--library", String(library.suffix(36))])
        try quire.waitUntil("the key is known") { (try? send("GET", library, reader))?.status == 200 }
        #expect(try send("DELETE", library, reader).asError == "403 PermissionError")
        let search = (1...5).map { _ in try? send("POST", "\(library)/search/embedding", reader, body: #"{"embedding":[1,0]}"#) }
        #expect(search.map { $0?.status } == [200, 200, 200, 429, 429])
        #expect(search[3]?.asError == "429 RateLimitError")
        #expect(search[3]?.headers("retry-after").count == 1)
        #expect(try send("POST", "\(library)/count", writer, body: "{}").status == 200)

        let id = String(writer.dropFirst(3).prefix(12))
        let rotated = try quire.keys(["rotate", id])
        try quire.waitUntilKnown(rotated)
        #expect(try send("GET", "/v1/libraries", writer).asError == "401 AuthenticationError")
        _ = try quire.keys(["revoke", id])
        try quire.waitUntil("the key is gone") { (try? send("GET", "/v1/libraries", rotated))?.status == 401 }
        #expect(try quire.get("/ready").status == 200)

        let ring = "\(quire.dataDirectory)/keys.json"
        try Data("{".utf8).write(to: URL(filePath: ring))
        try quire.waitUntil("the damage is seen") { (try? quire.get("/ready"))?.status == 503 }
        #expect(try send("GET", library, reader).asError == "503 UnavailableError")
        #expect(quire.log.contains("keys.json is no key ring"))

        var said = quire.log
        for file in try FileManager.default.subpathsOfDirectory(atPath: quire.directory.path) {
            // Also what nginx keeps of bodies and replies.
            if let bytes = FileManager.default.contents(atPath: quire.directory / file) { said += String(decoding: bytes, as: UTF8.self) }
        }
        #expect(said.contains("/search/embedding"), "the access log was looked at")
        for key in [writer, reader, rotated] { #expect(!said.contains(key.suffix(64)) && !said.contains("Bearer")) }
    }
}

@Suite("A server that other machines reach")
struct PublicServerTests {
    private let directory = TemporaryDirectory()

    private var environment: [String: String] { ["HOST": "0.0.0.0", "VECTOR_DB_DATA_DIR": directory / "data", "HOME": directory.path] }

    private func contradiction(_ more: [String: String] = [:]) throws -> String? {
        contradictionOfKeys(in: try Settings.load(environment: environment.merging(more) { $1 }))
    }

    @Test("needs a key that is taken, or to be open to everybody")
    func needsKey() throws {
        let file = KeyRingFile(directory / "data/keys.json")
        #expect(try contradiction(["ALLOW_ANONYMOUS": "true"]) == nil)
        #expect(try contradiction(["HOST": "127.0.0.1", "API_KEYS_REQUIRED": "true"]) == nil)

        let none = try contradiction()
        #expect(none?.hasPrefix("HOST: \"0.0.0.0\" is refused while there is no key") == true)
        _ = try file.update { ring throws(KeysError) in
            try ring.create(name: "over", right: .read, expires: Timestamp("2020-01-01"), at: .now())
        }
        #expect(try contradiction() == none)
        _ = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: .now()) }
        #expect(try contradiction() == nil)
        try directory.write("data/keys.json", "{")
        #expect(try contradiction()?.hasPrefix("KEYS_FILE: \(file.path) is no key ring") == true)
    }

    @Test("does not start without one")
    func start() throws {
        let server = try ChildProcess("\(builtProducts)/quire-server", [], environment: environment, in: directory)

        #expect(server.wait() == 78)
        #expect(server.errors.hasPrefix("quire-server: HOST: ") && server.errors.split(separator: "\n").count == 1)
    }
}
