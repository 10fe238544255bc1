import Database
import Embedding
import HTTP
import HTTPTypes
import Settings
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import API

struct ServiceTests {
    private let anything: [(method: HTTPRequest.Method, path: String)] = [
        (.get, "/v1/libraries"), (.post, "/v1/libraries"), (.get, "/v1/models"),
        (.get, "/v1/libraries/3f2a8c1e-0000-4000-8000-000000000000"),
        (.delete, "/v1/documents/3f2a8c1e-0000-4000-8000-000000000000"),
        (.post, "/v1/libraries/3f2a8c1e-0000-4000-8000-000000000000/search"),
    ]

    private func components(_ reply: Reply) -> [String: String] {
        Dictionary(uniqueKeysWithValues: (reply.json["components"]?.array ?? []).map { ($0["name"]!.string!, $0["status"]!.string!) })
    }

    @Test("the overview tells where things are")
    func overview() throws {
        let server = try TestServer()

        var root = try #require(server.get("/").json.object)
        let version = try #require(root.removeValue(forKey: "api_versions")?["v1"])

        #expect(version["prefix"] == "/v1" && version["status"] == "stable")
        #expect(
            root == [
                "name": "Quire", "version": .string(quireVersion), "description": "A vector database with a REST API",
                "documentation": "/docs", "health_check": "/health",
            ])
    }

    @Test("the overview tells of a version that should not be used any more")
    func deprecated() throws {
        let server = try TestServer(["API_VERSIONS": "v1 deprecated 2027-01-31"])
        #expect(server.get("/").json["api_versions"]?["v1"]?["status"] == "deprecated")
    }

    @Test("a server that starts is alive, not ready, and says when to come back")
    func starting() throws {
        let server = try TestServer(starts: false)

        let health = server.get("/health")
        let ready = server.get("/ready")

        #expect(health.status == 200 && health.json["status"] == "healthy" && health.json["version"] == .string(quireVersion))
        #expect(ready.status == 503 && ready.errorType == "UnavailableError" && ready.detail == "The server is starting")
        #expect(components(ready) == ["storage": "unavailable", "embedding": "unavailable"])
        for (method, path) in anything {
            let reply = server.send(method, path)
            #expect(reply.status == 503 && reply.errorType == "UnavailableError" && reply.headers[.retryAfter] == "1", "\(path)")
        }
        for path in ["/", "/docs", "/openapi.json"] { #expect(server.get(path).status == 200) }
        #expect(server.get("/nothing").status == 404)
    }

    @Test("a server without weights is ready, and says what it lacks")
    func ready() throws {
        let server = try TestServer()
        _ = server.vectors()

        let reply = server.get("/ready")

        #expect(reply.status == 200 && reply.json["status"] == "ready")
        #expect(
            components(reply) == [
                "storage": "ready", "embedding": "unavailable", "indexes": "ready", "disk": "ready", "memory": "ready",
            ])
        #expect(reply.json["components"]?[1]?["detail"] == "no model directory is set")
        // Tests leave it to the operating system when a change is on disk.
        #expect(try #require(reply.json["durable_sequence"]?.integer) <= 1)
        #expect(reply.json["last_sequence"] == 1)
    }

    @Test("after its storage failed a server answers 503 and says why", arguments: [StorageError.closed])
    func failed(error: StorageError) throws {
        let server = try TestServer()
        server.service.fail(error)

        let ready = server.get("/ready")

        #expect(ready.status == 503 && components(ready) == ["storage": "unavailable"])
        #expect(ready.json["components"]?[0]?["detail"] == "the log is closed")
        #expect(server.get("/health").status == 200)
        for (method, path) in anything { #expect(server.send(method, path).errorType == "UnavailableError") }
    }

    @Test("a full disk refuses the write without a trace, and takes it when there is room")
    func diskFull() throws {
        let disk = Disk()
        let server = try TestServer(disk: disk)
        let library = server.vectors()
        disk.become(.full)

        let reply = server.add([[1, 0, 0]], to: library)

        #expect(reply.status == 507 && reply.errorType == "InsufficientStorageError")
        #expect(server.get(library).json["num_documents"] == 0)
        #expect(server.get("/ready").status == 200)
        disk.become(.none)
        // The disk is tried again after a moment.
        var next = server.add([[1, 0, 0]], to: library)
        while next.status == 507 { next = server.add([[1, 0, 0]], to: library) }
        #expect(next.status == 201)
    }

    @Test("a broken disk stops the server, and nothing half-written is shown")
    func diskBroken() throws {
        let disk = Disk()
        let server = try TestServer(disk: disk)
        let library = server.vectors()
        disk.become(.broken)

        let reply = server.add([[1, 0, 0]], to: library)

        #expect(reply.status == 503 && reply.errorType == "UnavailableError" && reply.headers[.retryAfter] == "1")
        #expect(reply.detail.contains("storage has stopped"))
        #expect(server.get(library).status == 503)
        #expect(server.get("/ready").status == 503 && server.get("/health").status == 200)
    }

    @Test("errors of storage become statuses, and details of the machine stay inside")
    func storageErrors() throws {
        let cases: [(StorageError, APIError.ErrorType)] = [
            (.recordTooLarge(bytes: 9, limit: 8), .payloadTooLarge), (.queueFull(bytes: 9, limit: 8), .unavailable),
            (.insufficientSpace(path: "/secret", errno: 28), .insufficientStorage), (.readOnly(path: "/secret"), .unavailable),
            (.poisoned(operation: "sync", path: "/secret", errno: 5), .unavailable), (.closed, .unavailable),
        ]
        for (error, type) in cases {
            let failure = APIError(DatabaseError.storage(error))
            #expect(failure.type == type && !failure.detail.contains("secret"))
            #expect((failure.headers[.retryAfter] != nil) == (type == .unavailable))
        }
    }

    @Test("errors of the database that no request can provoke have their statuses too")
    func databaseErrors() {
        #expect(APIError(DatabaseError.libraryExists(.random())).type == .conflict)
        let unlocated = APIError(DatabaseError.invalidVector(.zeroVector, chunk: nil))
        #expect(unlocated.type == .invalidRequest && unlocated.detail.hasPrefix("body.embedding: "))
        let located = APIError(DatabaseError.invalidVector(.dimensionMismatch(expected: 3, actual: 2), chunk: 4))
        #expect(located.type == .dimensionMismatch && located.detail == "body.chunks[4].embedding: expected 3 numbers, got 2")
    }

    @Test("errors of embedding are the service's, with the reason")
    func embeddingErrors() {
        for error in [
            EmbeddingError.noDirection(model: "m"), .providerUnavailable(model: "m", reason: "r"), .unsupportedPrecision(.bfloat16),
            .invalidModelFile(path: "p", reason: "r"), .unreadableFile(path: "p", reason: "r"),
        ] {
            let failure = APIError(error)
            #expect(failure.type == .embeddingService && failure.headers[.retryAfter] == nil)
        }
    }

    @Test("a defect is 500 and keeps its details to itself")
    func defect() {
        struct Surprise: Error { let secret = "password" }

        let failure = APIError(Surprise())

        #expect(failure.type == .internalError && failure.type.status.code == 500)
        #expect(!failure.detail.contains("password"))
    }

    @Test("models are listed with the reason why they cannot embed here")
    func models() throws {
        let server = try TestServer()

        let reply = server.get("/v1/models")

        #expect(reply.json["default"] == "all-minilm-l6-v2")
        let models = try #require(reply.json["models"]?.array)
        #expect(models.prefix(2).map { $0["name"] } == ["all-minilm-l6-v2", "embed-english-v3.0"])
        #expect(models.prefix(2).map { $0["dimension"] } == [384, 1024])
        // Nobody knows without asking whether there is an Ollama.
        #expect(models.allSatisfy { ($0["available"] == true) == ($0["provider"] == "ollama") })
        #expect(models.allSatisfy { $0["available"] == true || $0["unavailable_because"]?.string?.isEmpty == false })
        #expect(models[1]["unavailable_because"] == "no API key: set COHERE_API_KEY in the environment of the server")
    }
}
