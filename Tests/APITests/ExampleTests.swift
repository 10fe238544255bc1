import Database
import HTTPTypes
import Keys
import TestSupport
import Testing

@testable import API

/// Every example of the OpenAPI document, against what the server says.
struct ExampleTests {
    /// Holds the examples of replies to replies, one after another, and remembers which were held.
    private struct Story {
        private(set) var told: Set<String> = []

        /// - Parameter name: an operation's id, or the name of a response that many operations share.
        mutating func tell(_ name: String, _ reply: Reply) {
            guard let example = ExampleTests.examples[name] else {
                Issue.record("the document has no example for \(name)")
                return
            }
            told.insert(name)
            let differences = ExampleTests.differences(between: example, and: reply.json, at: "$")
            #expect(differences.isEmpty, "\(name)")
        }
    }

    /// Examples of replies by operation or shared response.
    private static let examples: [String: JSON] = {
        var examples: [String: JSON] = [:]
        for operation in Contract.shared.operations.values {
            for response in operation["responses"]!.object!.values {
                examples[operation["operationId"]!.string!] =
                    response["content"]?["application/json"]?["example"] ?? examples[operation["operationId"]!.string!]
            }
        }
        for (name, response) in Contract.shared.document["components"]!["responses"]!.object! {
            examples[name] = response["content"]?["application/json"]?["example"]
        }
        return examples
    }()

    /// The example of a body, as the document has it.
    private func body(_ operation: String, _ name: String) throws -> JSON {
        let body = Contract.shared.operations[operation]?["requestBody"]?["content"]?["application/json"]
        return try #require(body?["examples"]?[name]?["value"])
    }

    /// What differs from one run to the next.
    private static let volatile: Set = [
        "id", "library_id", "document_id", "source_document_id", "request_id", "created_at", "updated_at", "timestamp", "query_time_ms",
        "durable_sequence", "last_sequence", "capacity", "utilization", "bytes",
    ]

    private static func differences(between example: JSON, and actual: JSON, at path: String) -> [String] {
        switch (example, actual) {
        case (.object(let expected), .object(let found)):
            let missing = Set(expected.keys).symmetricDifference(found.keys).sorted().map { "\(path).\($0) is on one side only" }
            return missing
                + expected.sorted { $0.key < $1.key }.flatMap { key, value in
                    volatile.contains(key) ? [] : found[key].map { differences(between: value, and: $0, at: "\(path).\(key)") } ?? []
                }
        case (.array(let expected), .array(let found)) where expected.count == found.count:
            return zip(expected, found).enumerated().flatMap { differences(between: $1.0, and: $1.1, at: "\(path)[\($0)]") }
        // The instructions of a CPU decide the last digits of an embedding.
        case (.number(let expected), .number(let found)) where abs(expected - found) < 0.01:
            return []
        // Of the machine: only what the numbers are of.
        case (.string(let expected), .string(let found)) where expected.contains(" bytes "):
            return withoutDigits(expected) == withoutDigits(found) ? [] : ["\(path): \(expected) is now \(found)"]
        default:
            return example == actual ? [] : ["\(path): \(example.text) is now \(actual.text)"]
        }
    }

    private static func withoutDigits(_ text: String) -> String { text.filter { !$0.isNumber } }

    @Test("the examples of the document are what the server says", .needsWeights)
    func examples() throws {
        let server = try TestServer(model: weightsDirectory)
        var story = Story()

        let notes = server.post("/v1/libraries", try body("POST /v1/libraries", "text"))
        let colours = server.post("/v1/libraries", try body("POST /v1/libraries", "vectors"))
        let (texts, vectors) = (try #require(notes.headers[.location]), try #require(colours.headers[.location]))
        let document = try body("POST /v1/libraries/{id}/documents/with-embeddings", "colours")
        let path = "/v1/documents/\(try #require(document["id"]?.string))"

        story.tell("createLibrary", notes)
        let added = server.post("\(texts)/documents", try body("POST /v1/libraries/{id}/documents", "notes"))
        let pond = try #require(added.headers[.location])
        story.tell("addTexts", added)
        story.tell("addVectors", server.post("\(vectors)/documents/with-embeddings", document))
        story.tell("listLibraries", server.get("/v1/libraries"))
        story.tell("getLibrary", server.get(vectors))
        story.tell("getStatistics", server.get("\(vectors)/statistics"))
        story.tell("listDocuments", server.get("\(vectors)/documents"))
        story.tell("getDocument", server.get(path))
        let search = try body("POST /v1/libraries/{id}/search", "bird")
        story.tell("searchByText", server.post("\(texts)/search", search))
        let batch = try body("POST /v1/libraries/{id}/search/batch", "two")
        story.tell("searchBatch", server.post("\(texts)/search/batch", batch))
        let vectorSearch = try body("POST /v1/libraries/{id}/search/embedding", "orange")
        story.tell("searchByVector", server.post("\(vectors)/search/embedding", vectorSearch))
        story.tell("updateLibrary", server.patch(texts, try body("PATCH /v1/libraries/{id}", "rename")))
        story.tell("takeSnapshot", server.post("/v1/admin/snapshots", text: ""))
        story.tell("listSnapshots", server.get("/v1/admin/snapshots"))
        story.tell("verify", server.post("/v1/admin/verify", text: ""))
        story.tell("listModels", server.get("/v1/models"))
        story.tell("getRoot", server.get("/"))
        story.tell("getHealth", server.get("/health"))
        story.tell("getReady", server.get("/ready"))

        story.tell("replaceDocument", server.put(pond, try body("PUT /v1/documents/{id}", "example")))
        story.tell("updateDocument", server.patch(pond, try body("PATCH /v1/documents/{id}", "example")))
        let chunks = server.get("\(pond)/chunks")
        let heron = "/v1/chunks/\(try #require(chunks.json[0]?["id"]?.string))"
        story.tell("listChunks", chunks)
        story.tell("addChunks", server.post("\(pond)/chunks", try body("POST /v1/documents/{id}/chunks", "example")))
        story.tell("getChunk", server.get(heron))
        story.tell("updateChunk", server.patch(heron, try body("PATCH /v1/chunks/{id}", "example")))
        story.tell("count", server.get("\(texts)/count"))
        story.tell("countPassing", server.post("\(texts)/count", try body("POST /v1/libraries/{id}/count", "example")))
        #expect(server.post("\(texts)/documents", ["title": "t", "texts": ["t"], "document_type": "draft"]).status == 201)
        story.tell(
            "deleteDocuments", server.post("\(texts)/documents/delete", try body("POST /v1/libraries/{id}/documents/delete", "example")))

        // Another index is built at once for so few vectors; without a builder it never is.
        #expect(server.post("\(vectors)/index/rebuild", try body("POST /v1/libraries/{id}/index/rebuild", "links")).status == 202)
        try server.waitUntilIndexed(vectors)
        story.tell("getIndex", server.get("\(vectors)/index"))
        server.stopBuilding()
        let lists = try body("POST /v1/libraries/{id}/index/rebuild", "lists")
        story.tell("rebuildIndex", server.post("\(vectors)/index/rebuild", lists))
        story.tell("IndexConflict", server.post("\(vectors)/index/rebuild", lists))

        story.tell("BadJSON", server.post("/v1/libraries", text: #"{"name": "Field notes""#))
        story.tell("BadText", server.post("\(vectors)/search", search))
        story.tell("BadVector", server.post("\(vectors)/search/embedding", ["embedding": [1, 0]]))
        story.tell("NoLibrary", server.get("/v1/libraries/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"))
        story.tell("NoDocument", server.get("/v1/documents/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"))
        story.tell("NotFound", server.get("/v1/library"))
        story.tell("MethodNotAllowed", server.send(.put, "/v1/libraries"))
        story.tell("Conflict", server.post("\(vectors)/documents/with-embeddings", document))
        story.tell("PreconditionFailed", server.delete(path, [.ifMatch: "\"1\""]))
        story.tell("UnsupportedMediaType", server.post("/v1/libraries", ["name": "n"], [.contentType: "text/plain"]))
        story.tell("Invalid", server.get("/v1/libraries?limit=0"))
        story.tell("InvalidBody", server.post("/v1/libraries", ["name": "", "metrc": "l2"]))
        story.tell("InvalidDocument", server.post("\(texts)/documents", ["texts": ["a", 5]]))
        let remote = server.post("/v1/libraries", ["name": "n", "embedding_model": "embed-english-v3.0"])
        story.tell("NoEmbedding", server.post("\(try #require(remote.headers[.location]))/search", search))
        story.tell("NoChunk", server.get("/v1/chunks/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"))
        #expect(server.delete("/v1/chunks/7c9e6679-7425-40de-944b-e07fc1f90ae1").status == 204)
        story.tell("LastChunk", server.delete("/v1/chunks/7c9e6679-7425-40de-944b-e07fc1f90ae2"))
        let others = server.texts()
        story.tell("addBatch", server.post("\(others)/documents/batch", try body("POST /v1/libraries/{id}/documents/batch", "example")))
        #expect(server.post("\(others)/documents", try body("POST /v1/libraries/{id}/documents", "essay")).status == 201)
        let high = try TestServer(
            model: weightsDirectory, budget: Budget(memoryBytes: 4_294_967_296, diskReserveBytes: 0), memoryInUse: { 3_908_420_239 })
        story.tell("listIssues", high.get("/v1/admin/issues"))
        let (keyed, key) = try TestServer.withKeys { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: .now()) }
        story.tell("Unauthorized", keyed.get("/v1/libraries"))
        story.tell("Forbidden", keyed.post("/v1/libraries", text: "", [.apiKey: key.reveal()]))
        let starting = try TestServer(starts: false)
        story.tell("Unavailable", starting.get("/v1/libraries"))
        story.tell("NotReady", starting.get("/ready"))

        // This one is nginx's to say.
        #expect(story.told == Set(Self.examples.keys).subtracting(["LoopbackOnly"]), "every example is held to a reply")
    }
}
