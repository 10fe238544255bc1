import Testing

/// One below, at and one above every limit, with limits small enough to reach.
struct LimitTests {
    struct Limit: Sendable, CustomTestStringConvertible {
        let name: String
        let value: Int
        let path: String
        let location: String
        /// The body that has this much of what is limited.
        let body: @Sendable (Int) -> JSON

        var testDescription: String { "\(name) = \(value)" }
    }

    private static let environment = [
        "MAX_CHUNKS_PER_DOCUMENT": "4", "MAX_CHUNK_LENGTH": "6", "MAX_QUERY_LENGTH": "7", "MAX_RESULTS_K": "8",
        "MAX_TAGS_PER_DOCUMENT": "3",
        "MAX_TAG_LENGTH": "5", "MAX_TITLE_LENGTH": "9", "MAX_AUTHOR_LENGTH": "10",
    ]

    private static func text(_ length: Int) -> JSON { .string(String(repeating: "😀", count: length)) }

    private static func document(_ fields: [String: JSON] = [:], chunks: Int = 1, text: JSON = "x") -> JSON {
        let chunk: JSON = ["text": text, "embedding": [1, 0, 0]]
        let body: [String: JSON] = ["title": "T", "chunks": .array(Array(repeating: chunk, count: chunks))]
        return .object(body.merging(fields) { $1 })
    }

    static let limits: [Limit] = [
        Limit(name: "MAX_CHUNKS_PER_DOCUMENT", value: 4, path: "documents/with-embeddings", location: "body.chunks") {
            document(chunks: $0)
        },
        Limit(name: "MAX_CHUNK_LENGTH", value: 6, path: "documents/with-embeddings", location: "body.chunks.0.text") {
            document(text: text($0))
        },
        Limit(name: "MAX_TAGS_PER_DOCUMENT", value: 3, path: "documents/with-embeddings", location: "body.tags") {
            document(["tags": .array(Array(repeating: "t", count: $0))])
        },
        Limit(name: "MAX_TAG_LENGTH", value: 5, path: "documents/with-embeddings", location: "body.tags.0") {
            document(["tags": [text($0)]])
        },
        Limit(name: "MAX_TITLE_LENGTH", value: 9, path: "documents/with-embeddings", location: "body.title") {
            document(["title": text($0)])
        },
        Limit(name: "MAX_AUTHOR_LENGTH", value: 10, path: "documents/with-embeddings", location: "body.author") {
            document(["author": text($0)])
        },
        Limit(name: "document_type", value: 100, path: "documents/with-embeddings", location: "body.document_type") {
            document(["document_type": text($0)])
        },
        Limit(name: "source_url", value: 2048, path: "documents/with-embeddings", location: "body.source_url") {
            document(["source_url": text($0)])
        },
        Limit(name: "page_number", value: 2_147_483_647, path: "documents/with-embeddings", location: "body.chunks.0.page_number") {
            ["title": "T", "chunks": [["text": "x", "embedding": [1, 0, 0], "page_number": .number(Double($0))]]]
        },
        Limit(name: "MAX_RESULTS_K", value: 8, path: "search/embedding", location: "body.k") {
            ["embedding": [1, 0, 0], "k": .number(Double($0))]
        },
        Limit(name: "name", value: 255, path: "", location: "body.name") { ["name": text($0)] },
        Limit(name: "description", value: 10_000, path: "", location: "body.description") { ["name": "n", "description": text($0)] },
        Limit(name: "embedding_dimension", value: 8192, path: "", location: "body.embedding_dimension") {
            ["name": "n", "embedding_dimension": .number(Double($0))]
        },
    ]

    @Test("a limit admits what it says and no more", arguments: limits)
    func boundaries(limit: Limit) throws {
        let server = try TestServer(Self.environment)
        let library = server.vectors()
        let path = limit.path.isEmpty ? "/v1/libraries" : "\(library)/\(limit.path)"

        for amount in [limit.value - 1, limit.value] {
            #expect((200...201).contains(server.post(path, limit.body(amount)).status), "\(amount)")
        }
        let reply = server.post(path, limit.body(limit.value + 1))

        #expect(reply.status == 422 && reply.errorType == "ValidationError")
        #expect(reply.locations == [limit.location])
        #expect(reply.detail.contains("\(limit.value)"), "\(reply.detail)")
    }

    @Test("limits of text are the same where the server embeds", .needsWeights)
    func texts() throws {
        let server = try TestServer(Self.environment, model: Weights.directory)
        let library = server.texts()
        func add(_ texts: [JSON]) -> Reply { server.post("\(library)/documents", ["title": "T", "texts": .array(texts)]) }
        func search(_ length: Int) -> Reply { server.post("\(library)/search", ["query": Self.text(length)]) }

        #expect([5, 6].allSatisfy { add([Self.text($0)]).status == 201 })
        #expect(add([Self.text(7)]).locations == ["body.texts.0"])
        #expect([3, 4].allSatisfy { add(Array(repeating: "x", count: $0)).status == 201 })
        #expect(add(Array(repeating: "x", count: 5)).detail.contains("at most 4 elements, has 5"))
        #expect([6, 7].allSatisfy { search($0).status == 200 })
        #expect(search(8).detail == "body.query: must have at most 7 characters, has 8")
    }

    @Test("lower bounds hold", arguments: [("title", ""), ("author", ""), ("document_type", ""), ("source_url", "")])
    func lower(field: String, text: String) throws {
        let server = try TestServer()

        let reply = server.post("\(server.vectors())/documents/with-embeddings", Self.document([field: .string(text)]))

        #expect(reply.status == 422 && reply.problemTypes == ["too_short"] && reply.locations == ["body.\(field)"])
    }

    @Test("a library holds as many documents as it may, and one more only in the place of another")
    func documents() throws {
        let server = try TestServer(["MAX_DOCUMENTS_PER_LIBRARY": "2"])
        let (library, other) = (server.vectors(), server.vectors())
        let id = "aaaaaaaa-0000-4000-8000-000000000001"
        #expect(server.add([[1, 0, 0]], to: library, id: id).status == 201)
        #expect(server.add([[1, 0, 0]], to: library).status == 201)

        let reply = server.add([[1, 0, 0]], to: library)

        #expect(reply.status == 422 && reply.errorType == "ValidationError")
        #expect(reply.detail == "The library holds MAX_DOCUMENTS_PER_LIBRARY = 2 documents")
        #expect(server.add([[1, 0, 0]], to: library, id: id, query: "?on_conflict=replace").status == 201)
        #expect(server.add([[1, 0, 0]], to: other).status == 201)
        #expect(server.delete("/v1/documents/\(id)").status == 204)
        #expect(server.add([[1, 0, 0]], to: library).status == 201)
        #expect(server.get(library).json["num_documents"] == 2)
    }

    @Test("no limit of documents is none")
    func unlimited() throws {
        let server = try TestServer(["MAX_DOCUMENTS_PER_LIBRARY": "0"])

        #expect(server.add([[1, 0, 0]], to: server.vectors()).status == 201)
    }

    @Test("k defaults to ten, or to what is allowed if that is less", arguments: [(["MAX_RESULTS_K": "3"], 3), ([:], 10)])
    func defaultCount(environment: [String: String], count: Int) throws {
        let server = try TestServer(environment)
        let library = server.vectors()
        server.add(Array(repeating: [1, 0, 0], count: 12), to: library)

        #expect(server.post("\(library)/search/embedding", ["embedding": [1, 0, 0]]).json["total_results"]?.integer == count)
    }
}
