import Embedding
import HTTP
import HTTPTypes
import Keys
import Logging
import Settings
import Storage
import TestSupport
import Testing

@testable import API
@testable import Database

extension Contract {
    static let shared = try! Contract(JSON(parsing: PackageResources.openapi_json))
}

/// The API over a database of its own, without a transport. Every exchange is held to the OpenAPI document.
final class TestServer {
    let settings: Settings
    let service: Service
    let api: API
    let database: Database
    private let directory: TemporaryDirectory

    /// - Parameters:
    ///   - model: where the weights are; without them no text is embedded.
    ///   - starts: whether the service is given its database.
    ///   - catalogue: another one than that of these weights.
    ///   - directory: with the data of another server, which is closed.
    ///   - prepare: makes ready what the settings name, before anything looks at it.
    init(
        _ environment: [String: String] = [:], model: String? = nil, catalogue: ModelCatalogue? = nil, starts: Bool = true,
        disk: Disk = Disk(), durability: DurabilityPolicy = .os, budget: Budget = .unlimited,
        directory: TemporaryDirectory = TemporaryDirectory(), memoryInUse: @escaping @Sendable () -> Int = processMemoryInUse,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, prepare: (Settings) throws -> Void = { _ in }
    ) throws {
        self.directory = directory
        let machine = Machine(userID: 1000, home: "/home/nobody", cores: 2, memoryBytes: 8 << 30)
        let environment = ["VECTOR_DB_DATA_DIR": directory.path].merging(environment) { $1 }
        settings = try Settings.load(environment: environment, machine: machine)
        try prepare(settings)
        service = Service(settings: settings, logger: logger)
        api = API(service, logger: logger)
        let service = service
        database = try Database(
            directory: directory.path, fileSystem: disk, durability: durability, budget: budget, memoryInUse: memoryInUse,
            storageFailed: { service.fail($0) })
        if starts { service.start(database, catalogue ?? ModelCatalogue(modelDirectory: model)) }
    }

    deinit {
        // A test that broke the storage has said so itself.
        try? database.close()
    }

    /// A server that asks for keys, and those that there are.
    ///
    /// - Parameter makeKeys: puts keys into the ring.
    static func withKeys<Keys>(
        _ environment: [String: String] = [:], _ makeKeys: (inout KeyRing) throws(KeysError) -> Keys
    ) throws -> (server: TestServer, keys: Keys) {
        var keys: Keys?
        let server = try TestServer(
            ["API_KEYS_REQUIRED": "true"].merging(environment) { $1 },
            prepare: { settings in keys = try KeyRingFile(settings.keysFile).update(makeKeys) })
        return (server, keys!)
    }

    // MARK: Requests

    func get(_ target: String, _ headers: HTTPFields = [:]) -> Reply { send(.get, target, headers) }

    func delete(_ target: String, _ headers: HTTPFields = [:]) -> Reply { send(.delete, target, headers) }

    func post(_ target: String, _ body: JSON, _ headers: HTTPFields = [:]) -> Reply { send(.post, target, headers, text: body.text) }

    func patch(_ target: String, _ body: JSON, _ headers: HTTPFields = [:]) -> Reply { send(.patch, target, headers, text: body.text) }

    func put(_ target: String, _ body: JSON, _ headers: HTTPFields = [:]) -> Reply { send(.put, target, headers, text: body.text) }

    /// A POST whose body is this text, whether or not it is JSON.
    func post(_ target: String, text: String, _ headers: HTTPFields = [:]) -> Reply { send(.post, target, headers, text: text) }

    func send(_ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields = [:], text: String = "") -> Reply {
        send(method, target, headers, bytes: Array(text.utf8))
    }

    func send(_ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields = [:], bytes: [UInt8]) -> Reply {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let query = parts.count > 1 ? parts[1] : ""
        let request = Request(method: method, path: parts[0], query: query, headers: headers, body: bytes, id: "test-1")
        let response = api.respond(to: request)
        let violations = Contract.shared.violations(by: request, response)
        #expect(violations.isEmpty, "\(method) \(target): \(String(decoding: response.body.prefix(300), as: UTF8.self))")
        return Reply(response)
    }

    // MARK: Objects that tests start from

    /// The path of a new library of vectors.
    func vectors(_ dimension: Int = 3, metric: String = "cosine") -> String {
        let body: JSON = ["name": "v", "embedding_dimension": .number(Double(dimension)), "metric": .string(metric)]
        return post("/v1/libraries", body).headers[.location] ?? "no library"
    }

    /// The path of a new library for texts.
    func texts() -> String { post("/v1/libraries", ["name": "t"]).headers[.location] ?? "no library" }

    /// Returns when the index of the library at this path has nothing left to do.
    func waitUntilIndexed(_ library: String) throws {
        try database.waitUntilIndexed(try #require(LibraryID(String(library.suffix(36)))))
    }

    /// Runs a purge to its end; what is then said of it.
    func purge() -> Reply {
        #expect(post("/v1/admin/purge", text: "").status == 202)
        while true {
            let reply = get("/v1/admin/purge")
            if reply.json["state"] != "running" { return reply }
        }
    }

    /// Damages a byte of a file in the data directory.
    func flip(_ name: String, at offset: Int) throws {
        var bytes = try contents(of: directory / name)
        bytes[offset] ^= 1
        try directory.write(name, bytes)
    }

    /// From here on nothing is built: what is building stays so.
    func stopBuilding() { database.builder.stop() }

    /// Adds a document of one chunk per vector.
    @discardableResult
    func add(_ vectors: [[Double]], to library: String, title: String = "d", id: String? = nil, query: String = "") -> Reply {
        let chunks = vectors.map { vector in ["text": "x", "embedding": .array(vector.map { .number($0) })] as JSON }
        var body: [String: JSON] = ["title": .string(title), "chunks": .array(chunks)]
        if let id { body["id"] = .string(id) }
        return post("\(library)/documents/with-embeddings\(query)", .object(body))
    }
}

struct Reply {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]
    /// Null without a body.
    let json: JSON

    init(_ response: Response) {
        status = response.status.code
        headers = response.headers
        body = response.wholeBody
        json = (try? JSON(parsing: body)) ?? .null
    }

    var errorType: String? { json["error_type"]?.string }
    var detail: String { json["detail"]?.string ?? "" }
    var etag: String? { headers[.eTag] }

    var locations: [String] { json.locations }
    var problemTypes: [String] { json.problemTypes }

    /// The path of the next page, as `Link` says.
    var next: String? {
        guard let link = headers[.link], link.hasPrefix("<"), link.hasSuffix(">; rel=\"next\"") else { return nil }
        return String(link.dropFirst().prefix { $0 != ">" })
    }
}

extension Reply: CustomTestStringConvertible {
    var testDescription: String { "\(status) \(String(decoding: body.prefix(600), as: UTF8.self))" }
}
