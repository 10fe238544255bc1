import TestSupport
import Testing

/// What a client of the Python service that Quire replaces sends and reads, field for field.
@Suite("The calls of the Python client", .serialized, .running(noProvider))
struct PythonClientTests {
    private let server = Subject.running!

    /// Takes a member out of an object, after a check that it is a time.
    private func takeTime(_ name: String, from object: inout [String: JSON]) throws {
        let value = try #require(object.removeValue(forKey: name)?.string)
        #expect(value.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z/) != nil, "\(name): \(value)")
    }

    private func takeID(_ name: String, from object: inout [String: JSON]) throws -> String {
        let value = try #require(object.removeValue(forKey: name)?.string)
        #expect(value.wholeMatch(of: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/) != nil, "\(name): \(value)")
        return value
    }

    /// Without a content type, as that client sends it.
    private func makeLibrary() throws -> String {
        let reply = try server.post("/v1/libraries", text: #"{"name": "Notes", "description": "What I read"}"#)
        try #require(reply.status == 201)
        return try #require(reply.json["id"]?.string)
    }

    private func vector(_ first: Double, _ second: Double) -> JSON {
        .array([.number(first), .number(second)] + Array(repeating: 0, count: 382))
    }

    @Test("a library is made, listed, read and deleted")
    func libraries() throws {
        let made = try server.post("/v1/libraries", text: #"{"name": "Notes"}"#)

        #expect(made.status == 201)
        var library = try #require(made.json.object)
        let id = try takeID("id", from: &library)
        var metadata = try #require(library.removeValue(forKey: "metadata")?.object)
        try takeTime("created_at", from: &metadata)
        try takeTime("updated_at", from: &metadata)
        #expect(library == ["name": "Notes", "num_documents": 0, "num_chunks": 0, "documents": []])
        #expect(
            metadata == [
                "description": nil, "index_type": "auto", "index_params": ["m": 16, "ef_construction": 200, "ef_search": 64],
                "metric": "cosine", "quantization": "none", "embedding_model": "all-minilm-l6-v2", "embedding_dimension": 384,
                "min_recall": 0, "text": ["k1": 1.2, "b": 0.75, "stop_words": true, "stemmer": true],
            ])
        let read = try server.get("/v1/libraries/\(id)")
        #expect(read.status == 200 && read.json == made.json)
        let listed = try server.get("/v1/libraries")
        #expect(listed.status == 200)
        let mine = listed.json.array?.last?.object
        #expect(mine == made.json.object?.filter { $0.key != "documents" })

        let deleted = try server.delete("/v1/libraries/\(id)")
        #expect(deleted.status == 204 && deleted.body.isEmpty)
        let gone = try server.get("/v1/libraries/\(id)")
        #expect(gone.asError == "404 LibraryNotFoundError" && gone.json["error"] == "Library not found")
        #expect(gone.json["detail"] == .string("Library \(id) not found"))
    }

    @Test("every field of a new library is taken")
    func libraryFields() throws {
        let body: JSON = ["name": "Notes", "description": "d", "index_type": "brute_force", "embedding_model": "embed-english-v3.0"]

        let metadata = try server.post("/v1/libraries", body).json["metadata"]

        #expect(metadata?["description"] == "d" && metadata?["index_type"] == "brute_force")
        #expect(metadata?["embedding_model"] == "embed-english-v3.0" && metadata?["embedding_dimension"] == 1024)
    }

    @Test("a document with embeddings is added, read, counted, found and deleted")
    func documents() throws {
        let library = try makeLibrary()
        let chunks: JSON = [
            ["text": "first", "embedding": vector(1, 0)], ["text": "second", "embedding": vector(0, 1), "page_number": 7],
        ]

        let added = try server.post("/v1/libraries/\(library)/documents/with-embeddings", ["title": "Pages", "chunks": chunks])

        #expect(added.status == 201)
        let document = try expectDocument(added.json, library: library, texts: ["first", "second"], pages: [nil, 7])
        let read = try server.get("/v1/documents/\(document)")
        #expect(read.status == 200 && read.json == added.json)

        let statistics = try server.get("/v1/libraries/\(library)/statistics")
        #expect(statistics.status == 200)
        #expect(statistics.json["library_id"] == .string(library) && statistics.json["library_name"] == "Notes")
        #expect(statistics.json["num_documents"] == 1 && statistics.json["num_chunks"] == 2)
        #expect(statistics.json["embedding_dimension"] == 384 && statistics.json["index_type"] == "auto")
        let store = try #require(statistics.json["vector_store_stats"]?.object)
        #expect(store["unique_vectors"] == 2 && store["total_references"] == 2 && store["dimension"] == 384)
        #expect(store["storage_type"]?.string?.isEmpty == false)
        for name in ["capacity", "free_indices"] { #expect(store[name]?.integer != nil, "\(name)") }
        #expect(store["utilization"]?.number.map { (0...1).contains($0) } == true)
        let index = try #require(statistics.json["index_stats"]?.object)
        #expect(index["type"] == "auto" && index["size"] == 2)

        let found = try server.post("/v1/libraries/\(library)/search/embedding", ["embedding": vector(0, 2), "k": 1])
        #expect(found.status == 200)
        #expect(try expectSearch(found.json, document: added.json, chunk: 1) == 0)
        let within = try server.post("/v1/libraries/\(library)/search/embedding", ["embedding": vector(1, 1), "distance_threshold": 0.2])
        #expect(within.json["results"] == [] && within.json["total_results"] == 0)
        let all = try server.post("/v1/libraries/\(library)/search/embedding", ["embedding": vector(1, 0.5)])
        #expect(all.json["results"]?.array?.count == 2, "k is 10 by default")

        let deleted = try server.delete("/v1/documents/\(document)")
        #expect(deleted.status == 204 && deleted.body.isEmpty)
        let gone = try server.get("/v1/documents/\(document)")
        #expect(gone.asError == "404 DocumentNotFoundError" && gone.json["error"] == "Document not found")
        #expect(try server.delete("/v1/documents/\(document)").status == 404)
        #expect(try server.get("/v1/libraries/\(library)").json["num_documents"] == 0)
    }

    @Test("every field of a new document is taken")
    func documentFields() throws {
        let body: JSON = [
            "title": "T", "author": "A", "document_type": "note", "source_url": "https://example.org/x", "tags": ["b", "a"],
            "chunks": [["text": "x", "embedding": vector(1, 0)]],
        ]

        let metadata = try server.post("/v1/libraries/\(makeLibrary())/documents/with-embeddings", body).json["metadata"]

        for (name, value) in body.object! where name != "chunks" { #expect(metadata?[name] == value, "\(name)") }
    }

    @Test(
        "texts are embedded by the server and found by a question", .enabled(if: weightsDirectory != nil, "the MiniLM weights are not here")
    )
    func texts() throws {
        let library = try makeLibrary()
        let texts = ["A cat sleeps on the warm roof.", "The parliament passed a new tax law."]

        let added = try server.post(
            "/v1/libraries/\(library)/documents", ["title": "Pages", "texts": .array(texts.map { .string($0) })])

        #expect(added.status == 201)
        _ = try expectDocument(added.json, library: library, texts: texts, pages: [nil, nil])
        let found = try server.post("/v1/libraries/\(library)/search", ["query": "kitten dozing", "k": 1])
        #expect(found.status == 200)
        let distance = try expectSearch(found.json, document: added.json, chunk: 0)
        #expect(distance > 0 && distance < 0.7)
    }

    @Test("the errors that it handles have the types that it knows")
    func errors() throws {
        let library = try makeLibrary()
        let short: JSON = ["title": "T", "chunks": [["text": "x", "embedding": [1, 2, 3]]]]

        let mismatch = try server.post("/v1/libraries/\(library)/documents/with-embeddings", short)

        #expect(mismatch.asError == "400 DimensionMismatchError")
        #expect(try server.post("/v1/libraries/\(library)/search/embedding", ["embedding": [1]]).asError == "400 DimensionMismatchError")
        #expect(try server.get("/v1/libraries/nonsense").asError == "422 ValidationError")
        #expect(try server.post("/v1/libraries", ["name": ""]).asError == "422 ValidationError")
        #expect(try server.get("/v1/documents/\(library)").asError == "404 DocumentNotFoundError")
        #expect(try server.post("/v1/libraries", ["name": "n", "embedding_model": "embed-english-v3.0"]).status == 201)
        let foreign = try server.post("/v1/libraries", ["name": "n", "embedding_model": "embed-english-v3.0"]).json["id"]?.string ?? ""
        let unembedded = try server.post("/v1/libraries/\(foreign)/documents", ["title": "T", "texts": ["x"]])
        #expect(unembedded.asError == "503 EmbeddingServiceError")
    }

    @Test("health and the overview have their fields")
    func service() throws {
        let health = try server.get("/health")
        #expect(health.status == 200)
        var fields = try #require(health.json.object)
        try takeTime("timestamp", from: &fields)
        #expect(fields.keys.sorted() == ["status", "version"] && fields["status"] == "healthy")

        let overview = try server.get("/")
        #expect(overview.status == 200)
        var root = try #require(overview.json.object)
        let version = try #require(root.removeValue(forKey: "api_versions")?["v1"])
        #expect(version["prefix"] == "/v1" && version["status"]?.string != nil && version["endpoints"]?.array?.isEmpty == false)
        #expect(root["version"] == fields["version"])
        #expect(root["documentation"] == "/docs" && root["health_check"] == "/health")
        #expect(root["name"]?.string != nil && root["description"]?.string != nil && root.count == 5)
    }

    // MARK: Shapes

    /// A document with every field and its default. Returns its id.
    private func expectDocument(_ json: JSON, library: String, texts: [String], pages: [JSON]) throws -> String {
        var document = try #require(json.object)
        let id = try takeID("id", from: &document)
        var metadata = try #require(document.removeValue(forKey: "metadata")?.object)
        let created = metadata["created_at"]
        try takeTime("created_at", from: &metadata)
        try takeTime("updated_at", from: &metadata)
        #expect(metadata == ["title": "Pages", "author": nil, "document_type": "text", "source_url": nil, "tags": [], "custom": [:]])
        let chunks = try #require(document.removeValue(forKey: "chunks")?.array)
        #expect(document == ["library_id": .string(library), "num_chunks": .number(Double(texts.count))])
        try #require(chunks.count == texts.count)
        for (index, json) in chunks.enumerated() {
            var chunk = try #require(json.object)
            _ = try takeID("id", from: &chunk)
            let expected: JSON = [
                "created_at": created ?? nil, "page_number": pages[index], "chunk_index": .number(Double(index)),
                "source_document_id": .string(id), "custom": [:],
            ]
            #expect(chunk == ["text": .string(texts[index]), "metadata": expected], "no embedding unless it is asked for")
        }
        return id
    }

    /// A search with one result, which is this chunk of this document. Returns its distance.
    private func expectSearch(_ json: JSON, document: JSON, chunk: Int) throws -> Double {
        var reply = try #require(json.object)
        reply["plan"] = nil
        let time = try #require(reply.removeValue(forKey: "query_time_ms")?.number)
        #expect(time >= 0)
        #expect(reply.removeValue(forKey: "total_results") == 1)
        var result = try #require(reply.removeValue(forKey: "results")?.array?.first?.object)
        #expect(reply.isEmpty)
        let distance = try #require(result.removeValue(forKey: "distance")?.number)
        result["score"] = nil
        #expect(result == ["chunk": try #require(document["chunks"]?[chunk]), "document_id": document["id"]!, "document_title": "Pages"])
        return distance
    }
}
