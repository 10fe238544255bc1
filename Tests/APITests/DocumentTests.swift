import HTTPTypes
import TestSupport
import Testing

struct DocumentTests {
    @Test("a document has every field, with its default")
    func created() throws {
        let server = try TestServer()
        let library = server.vectors()

        let reply = server.post(
            "\(library)/documents/with-embeddings", ["title": "T", "chunks": [["text": "x", "embedding": [1, 2, 3]]]])

        #expect(reply.status == 201)
        let id = try #require(reply.json["id"]?.string)
        #expect(reply.headers[.location] == "/v1/documents/\(id)")
        #expect(reply.etag == "\"2\"")
        #expect(reply.json["library_id"]?.string == library.split(separator: "/").last.map(String.init))
        #expect(reply.json["num_chunks"] == 1)
        var metadata = try #require(reply.json["metadata"]?.object)
        let created = metadata.removeValue(forKey: "created_at")
        #expect(metadata.removeValue(forKey: "updated_at") == created)
        #expect(metadata == ["title": "T", "author": nil, "document_type": "text", "source_url": nil, "tags": [], "custom": [:]])
        let chunk = try #require(reply.json["chunks"]?[0]?.object)
        #expect(chunk["text"] == "x" && chunk["embedding"] == nil)
        #expect(
            chunk["metadata"] == [
                "created_at": created!, "page_number": nil, "chunk_index": 0, "source_document_id": .string(id), "custom": [:],
            ])
        #expect(server.get("/v1/documents/\(id)").json == reply.json)
    }

    @Test("a document takes what it is given, ids in upper case too")
    func chosen() throws {
        let server = try TestServer()
        let id = "AAAAAAAA-0000-4000-8000-00000000000A"
        let body: JSON = [
            "id": .string(id), "title": "T", "author": "A", "document_type": "note", "source_url": "s", "tags": ["b", "a", "b"],
            "chunks": [["id": "BBBBBBBB-0000-4000-8000-00000000000B", "text": "x", "embedding": [1, 2, 3], "page_number": 7]],
        ]

        let reply = server.post("\(server.vectors())/documents/with-embeddings", body)

        #expect(reply.json["id"] == .string(id.lowercased()))
        let metadata = try #require(reply.json["metadata"])
        #expect(metadata["author"] == "A" && metadata["document_type"] == "note" && metadata["source_url"] == "s")
        #expect(metadata["tags"] == ["b", "a", "b"])
        #expect(reply.json["chunks"]?[0]?["id"] == "bbbbbbbb-0000-4000-8000-00000000000b")
        #expect(reply.json["chunks"]?[0]?["metadata"]?["page_number"] == 7)
        #expect(server.get("/v1/documents/\(id)").json == reply.json)
    }

    @Test("null for an optional field means absent")
    func nulls() throws {
        let server = try TestServer()
        let body: JSON = [
            "id": nil, "title": "T", "author": nil, "document_type": nil, "source_url": nil, "tags": nil,
            "chunks": [["id": nil, "text": "x", "embedding": [1, 2, 3], "page_number": nil]],
        ]

        let reply = server.post("\(server.vectors())/documents/with-embeddings", body)

        #expect(reply.status == 201 && reply.json["metadata"]?["document_type"] == "text")
    }

    @Test("every problem of a document is reported with its place, whatever its kind")
    func problemsTogether() throws {
        let server = try TestServer()
        let body: JSON = [
            "title": "", "author": 5, "tags": ["ok", "", 3], "id": "no", "extra": 1,
            "chunks": [
                ["text": " ", "embedding": [1, 0]], ["embedding": [1, 0, "x"], "page_number": -1], 7,
                ["id": "no", "text": "x", "embedding": [0, 0, 0], "more": 1],
            ],
        ]

        let reply = server.post("\(server.vectors())/documents/with-embeddings", body)

        #expect(reply.status == 422 && reply.errorType == "ValidationError")
        let expected = [
            "body.id": "invalid_id", "body.title": "too_short", "body.author": "wrong_type", "body.tags.1": "too_short",
            "body.tags.2": "wrong_type", "body.extra": "unknown_field", "body.chunks.0.text": "blank",
            "body.chunks.0.embedding": "dimension_mismatch", "body.chunks.1.text": "missing", "body.chunks.1.embedding.2": "wrong_type",
            "body.chunks.1.page_number": "out_of_range", "body.chunks.2": "wrong_type", "body.chunks.3.id": "invalid_id",
            "body.chunks.3.embedding": "zero_vector", "body.chunks.3.more": "unknown_field",
        ]
        #expect(Dictionary(zip(reply.locations, reply.problemTypes)) { first, _ in first } == expected)
        #expect(reply.locations.count == expected.count)
    }

    @Test("no more than twenty problems are reported")
    func boundedProblems() throws {
        let server = try TestServer()
        let chunks = JSON.array(Array(repeating: ["text": "x", "embedding": [1]], count: 50))

        let reply = server.post("\(server.vectors())/documents/with-embeddings", ["title": "T", "chunks": chunks])

        #expect(reply.status == 400 && reply.errorType == "DimensionMismatchError")
        #expect(reply.locations.count == 20 && reply.locations.last == "body.chunks.19.embedding")
    }

    @Test(
        "content alone being wrong is 400, anything else 422",
        arguments: [
            (#"[{"text":"x","embedding":[1,0]}]"#, 400, "DimensionMismatchError", "expected 3 numbers, got 2"),
            (#"[{"text":"x","embedding":[1,0,0,0]}]"#, 400, "DimensionMismatchError", "expected 3 numbers, got 4"),
            (#"[{"text":"x","embedding":[]}]"#, 400, "DimensionMismatchError", "expected 3 numbers, got 0"),
            (#"[{"text":" \n","embedding":[1,0,0]}]"#, 400, "InvalidRequestError", "is blank"),
            (#"[{"text":"x","embedding":[0,0,0]}]"#, 400, "InvalidRequestError", "zero vector"),
            (#"[{"text":"x","embedding":[1e39,0,0]}]"#, 400, "InvalidRequestError", "body.chunks[0].embedding[0]: is out of the range"),
            (#"[{"text":" ","embedding":[1]}]"#, 400, "DimensionMismatchError", "2 problems"),
            (#"[{"text":"","embedding":[1]}]"#, 422, "ValidationError", "2 problems"),
            (#"[]"#, 422, "ValidationError", "at least 1 element"),
            (#"{}"#, 422, "ValidationError", "expected an array, got object"), (#"null"#, 422, "ValidationError", "is required"),
        ])
    func kinds(chunks: String, status: Int, type: String, detail: String) throws {
        let server = try TestServer()
        let library = server.vectors()

        let reply = server.post("\(library)/documents/with-embeddings", text: #"{"title":"T","chunks":"# + chunks + "}")

        #expect(reply.status == status && reply.errorType == type)
        #expect(reply.detail.contains(detail), "\(reply.detail)")
        #expect(server.get(library).json["num_documents"] == 0)
        #expect(server.get("\(library)/statistics").json["vector_store_stats"]?["total_references"] == 0)
    }

    @Test("a document is listed without its chunks, and gone when it is deleted")
    func listedAndDeleted() throws {
        let server = try TestServer()
        let library = server.vectors()
        let reply = server.add([[1, 0, 0]], to: library)
        let document = try #require(reply.headers[.location])
        var summary = try #require(reply.json.object)
        summary["chunks"] = nil

        #expect(server.get("\(library)/documents").json == [.object(summary)])
        #expect(server.delete(document).status == 204)
        #expect(server.get("\(library)/documents").json == [])
        #expect(server.get(document).errorType == "DocumentNotFoundError")
        #expect(server.delete(document).errorType == "DocumentNotFoundError")
        #expect(server.post("\(library)/search/embedding", ["embedding": [1, 0, 0]]).json["results"] == [])
    }

    @Test(
        "a library that is not there takes no documents",
        arguments: ["documents", "documents/with-embeddings", "search", "search/embedding"])
    func noLibrary(resource: String) throws {
        let server = try TestServer()

        let reply = server.post("/v1/libraries/3F2A8C1E-0000-4000-8000-000000000000/\(resource)", [:])

        #expect(reply.status == 404 && reply.errorType == "LibraryNotFoundError")
        #expect(reply.detail == "Library 3f2a8c1e-0000-4000-8000-000000000000 not found")
    }
}
