import FoundationEssentials
import Glibc
import HTTP
import HTTPTypes
import TestSupport
import Testing

/// One Quire for all tests of a suite, which run one after the other.
///
/// When they are done its responder must be the one it started with. It is killed, and what was acknowledged must be there, whole,
/// and nothing else.
struct RunningQuire: SuiteTrait, TestScoping {
    let settings: [String: String]

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let subject = try Subject(settings)
        try await Subject.$running.withValue(subject) { try await function() }
        try subject.expectNothingLost()
    }
}

extension Trait where Self == RunningQuire {
    static func running(_ settings: [String: String]) -> Self { RunningQuire(settings: settings) }
}

/// A running Quire that holds every reply to the OpenAPI document, and remembers what it has acknowledged.
final class Subject: Sendable {
    @TaskLocal static var running: Subject?

    let quire: QuireInstance
    private let contract: Contract
    private let responder: pid_t?
    private let acknowledged = Shared(Acknowledged())

    private struct Acknowledged {
        /// Paths.
        var libraries: Set<String> = []
        /// What the reply to the last write said, by path.
        var documents: [String: JSON] = [:]
    }

    init(_ settings: [String: String]) throws {
        quire = try QuireInstance(settings)
        contract = Contract(try quire.get("/openapi.json").json)
        responder = quire.responder
    }

    // MARK: Requests

    func get(_ target: String) throws -> HTTPReply { try send(.get, target) }

    func delete(_ target: String) throws -> HTTPReply { try send(.delete, target) }

    func post(_ target: String, _ body: JSON) throws -> HTTPReply { try send(.post, target, body: Array(body.text.utf8)) }

    /// A POST whose body is this text, whether or not it is JSON.
    func post(_ target: String, text: String) throws -> HTTPReply { try send(.post, target, body: Array(text.utf8)) }

    func send(_ method: HTTPRequest.Method, _ target: String, headers: [String: String] = [:], body: [UInt8]? = nil) throws -> HTTPReply {
        let reply = try quire.send(method.rawValue, target, headers: headers, body: body)
        #expect(flaws(of: reply, to: method, target, body ?? []) == [], "\(method) \(target.prefix(200))")
        remember(method, target, reply)
        return reply
    }

    private func flaws(of reply: HTTPReply, to method: HTTPRequest.Method, _ target: String, _ body: [UInt8]) -> [String] {
        var flaws = reply.unexpectedHeaders
        if reply.headers("x-request-id").count != 1 { flaws.append("X-Request-Id is missing") }
        if reply.status >= 400, reply.asError.contains(",") { flaws.append(reply.asError) }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let request = Request(
            method: method, path: parts[0], query: parts.count > 1 ? parts[1] : "", body: body, id: reply["x-request-id"] ?? "")
        // These are nginx's.
        let ofNginx: Set = [
            "server", "date", "connection", "x-content-type-options", "referrer-policy", "content-security-policy",
        ]
        let headers = reply.headers.filter { !ofNginx.contains($0.name) }
        let response = Response(
            status: HTTPResponse.Status(code: reply.status),
            headers: HTTPFields(headers.map { HTTPField(name: HTTPField.Name($0.name)!, value: $0.value) }), body: reply.body)
        return flaws + contract.violations(by: request, response)
    }

    private func remember(_ method: HTTPRequest.Method, _ target: String, _ reply: HTTPReply) {
        let path = String(target.prefix { $0 != "?" })
        acknowledged.update { acknowledged in
            switch (method, reply.status, reply["location"]) {
            case (.post, 201, let location?) where path == "/v1/libraries": acknowledged.libraries.insert(location)
            case (.post, 201, let location?): acknowledged.documents[location] = reply.json
            case (.delete, 204, _) where acknowledged.libraries.remove(path) != nil:
                let library = path.split(separator: "/").last.map { JSON.string(String($0)) }
                acknowledged.documents = acknowledged.documents.filter { $0.value["library_id"] != library }
            case (.delete, 204, _): acknowledged.documents[path] = nil
            default: break
            }
        }
    }

    // MARK: Objects that tests start from

    /// The path of a new library of vectors.
    func library(dimension: Int = 3, metric: String = "cosine") throws -> String {
        let body: JSON = ["name": "v", "embedding_dimension": .number(Double(dimension)), "metric": .string(metric)]
        return try #require(try post("/v1/libraries", body)["location"])
    }

    func witness(dimension: Int = 3, metric: String = "cosine") throws -> Witness {
        try Witness(self, library: library(dimension: dimension, metric: metric), dimension: dimension)
    }

    // MARK: The end

    fileprivate func expectNothingLost() throws {
        #expect(quire.responder == responder, "the responder has ended on the way:\n\(quire.log)")

        try quire.killResponder()

        let acknowledged = acknowledged.current
        #expect(!acknowledged.libraries.isEmpty && !acknowledged.documents.isEmpty)
        let libraries = try #require(try get("/v1/libraries").json.array)
        #expect(Set(libraries.map { "/v1/libraries/\($0["id"]?.string ?? "")" }) == acknowledged.libraries)
        for library in libraries {
            let documents = acknowledged.documents.values.filter { $0["library_id"] == library["id"] }
            #expect(library["num_documents"]?.integer == documents.count)
            #expect(library["num_chunks"]?.integer == documents.reduce(0) { $0 + ($1["num_chunks"]?.integer ?? -1) })
        }
        for (path, document) in acknowledged.documents {
            let hasEmbeddings = document["chunks"]?[0]?["embedding"] != nil
            #expect(try get(path + (hasEmbeddings ? "?include_embeddings=true" : "")).json == document)
        }
    }
}

/// A library with a document in it, which must stay as it is whatever is refused.
struct Witness {
    let library: String
    let document: String
    private let subject: Subject
    private let query: JSON
    private let before: [String]

    init(_ subject: Subject, library: String, dimension: Int) throws {
        self.subject = subject
        self.library = library
        let vector = JSON.array(Array(repeating: 1, count: dimension))
        query = ["embedding": vector, "k": 5]
        let body: JSON = ["title": "here", "chunks": [["text": "here", "embedding": vector]]]
        document = try #require(try subject.post("\(library)/documents/with-embeddings", body)["location"])
        before = try Self.picture(subject, library, query)
    }

    /// All libraries, the documents of this one, its counts, and what is found in it.
    private static func picture(_ subject: Subject, _ library: String, _ query: JSON) throws -> [String] {
        let found = try subject.quire.post("\(library)/search/embedding", query.text)
        return try ["/v1/libraries", library, "\(library)/documents", "\(library)/statistics"].map { try subject.quire.get($0).text }
            + [found.json["results"]?.text ?? found.text]
    }

    func expectUnchanged(_ what: String, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(try Self.picture(subject, library, query) == before, "\(what.prefix(200))", sourceLocation: location)
    }
}
