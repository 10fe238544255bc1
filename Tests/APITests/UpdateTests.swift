import HTTPTypes
import TestSupport
import Testing

@testable import API

/// Changes of documents and of their chunks.
struct UpdateTests {
    let server: TestServer
    let library: String
    let document: String
    let chunks: [String]

    init() throws {
        server = try TestServer()
        library = server.vectors()
        let body = #"""
            {"title":"t","author":"Ada","source_url":"u","tags":["a"],"custom":{"x":1,"y":[1.5,2],"z":null,"s":"é","b":false,"l":[]},
             "chunks":[{"text":"one","embedding":[1,0,0],"page_number":3,"custom":{"c":["p"]}},{"text":"two","embedding":[0,1,0]}]}
            """#
        let reply = server.post("\(library)/documents/with-embeddings", text: body)
        document = try #require(reply.headers[.location])
        chunks = try #require(reply.json["chunks"]?.array?.compactMap { $0["id"]?.string }).map { "/v1/chunks/\($0)" }
    }

    private func metadata(_ path: String) -> JSON { server.get(path).json["metadata"] ?? .null }

    private func texts() -> [String] { server.get("\(document)/chunks").json.array?.compactMap { $0["text"]?.string } ?? [] }

    private func nearest(_ vector: JSON) -> String? {
        server.post("\(library)/search/embedding", ["embedding": vector, "k": 1]).json["results"]?[0]?["chunk"]?["text"]?.string
    }

    @Test("custom fields come back as they were sent")
    func custom() {
        #expect(metadata(document)["custom"] == ["x": 1, "y": [1.5, 2], "z": .null, "s": "é", "b": false, "l": []])
        #expect(metadata(chunks[0])["custom"] == ["c": ["p"]])
        #expect(metadata(chunks[1])["custom"] == [:])
    }

    @Test(
        "custom fields beyond their form are refused",
        arguments: [
            (#"{"1a":1}"#, "a name is a letter"), (#"{"":1}"#, "a name is a letter"), (#"{"a b":1}"#, "a name is a letter"),
            (#"{"a":{}}"#, "got object"), (#"{"a":[1,"b"]}"#, "an array of strings or one of numbers"),
            (#"{"a":[null]}"#, "an array of strings"),
            (#"{"a":[[1]]}"#, "an array of strings"), (#"{"a":9007199254740993}"#, "not exact"),
            (#"{"a":18446744073709551615}"#, "not exact"),
            (#"[]"#, "expected an object"),
        ])
    func badCustom(custom: String, message: String) {
        let reply = server.patch(document, try! JSON(parsing: Array(#"{"custom":\#(custom)}"#.utf8)))
        let raw = server.send(.patch, document, text: #"{"custom":\#(custom)}"#)
        #expect(reply.status == 422 || reply.status == 200)
        #expect(raw.status == 422 && raw.detail.contains(message))
    }

    @Test("custom fields are bounded in number and size, also by what is there")
    func bounds() {
        func patch(_ custom: String) -> Int { server.send(.patch, document, text: #"{"custom":{\#(custom)}}"#).status }
        let names = (0..<58).map { #""n\#($0)":1"# }.joined(separator: ",")
        let long = String(repeating: "x", count: 16 << 10)

        #expect(patch(names + #","n58":1"#) == 422)
        #expect(patch(names) == 200)
        #expect(patch(#""n":1"#) == 422)
        #expect(patch(#""x":null,"n":1"#) == 200)
        #expect(patch(#""n":"\#(long)""#) == 422)
        #expect(
            server.post(
                "\(library)/documents/with-embeddings",
                text:
                    #"{"title":"t","custom":{\#(names),\#((0..<7).map { #""m\#($0)":1"# }.joined(separator: ","))},"chunks":[{"text":"t","embedding":[1,0,0]}]}"#
            ).status == 422)
    }

    @Test("PATCH changes what it names of a document and leaves the rest, chunks and their place in searches included")
    func patch() throws {
        let before = server.get("\(document)?include_embeddings=true").json

        let reply = server.patch(
            document, ["title": "new", "author": "", "source_url": "", "tags": [], "custom": ["x": .null, "y": "other", "new": true]])

        #expect(reply.status == 200 && reply.etag != nil)
        let after = server.get("\(document)?include_embeddings=true").json
        #expect(after["chunks"] == before["chunks"])
        #expect(after["metadata"]?["title"] == "new" && after["metadata"]?["author"] == .null && after["metadata"]?["source_url"] == .null)
        #expect(after["metadata"]?["tags"] == [] && after["metadata"]?["document_type"] == "text")
        #expect(after["metadata"]?["custom"] == ["y": "other", "z": .null, "s": "é", "b": false, "l": [], "new": true])
        #expect(after["metadata"]?["created_at"] == before["metadata"]?["created_at"])
        #expect(nearest([0, 1, 0]) == "two")
        #expect(server.patch(document, [:]).json["metadata"]?["title"] == "new")
        #expect(server.patch(document, ["title": ""]).status == 422)
    }

    @Test("PUT replaces all of a document, and makes none")
    func put() {
        let before = metadata(document)

        let reply = server.put(document, ["title": "other", "chunks": [["text": "three", "embedding": [0, 0, 1]]]])

        #expect(reply.status == 200 && reply.headers[.location] == nil)
        #expect(texts() == ["three"] && nearest([0, 1, 0]) == "three")
        #expect(metadata(document)["custom"] == [:] && metadata(document)["author"] == .null)
        #expect(metadata(document)["created_at"] == before["created_at"])
        #expect(server.get(chunks[0]).errorType == "ChunkNotFoundError")
        let missing = "/v1/documents/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"
        #expect(server.put(missing, ["title": "t", "chunks": [["text": "x", "embedding": [0, 0, 1]]]]).status == 404)
        #expect(
            server.put(
                document, ["id": "3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c", "title": "t", "chunks": [["text": "x", "embedding": [0, 0, 1]]]]
            ).status == 422)
        // Without a model nothing makes the vector.
        #expect(server.put(document, ["title": "t", "texts": ["x"]]).status == 400)
        #expect(server.put(document, ["title": "t", "texts": ["x"], "chunks": [["text": "x"]]]).status == 422)
        #expect(texts() == ["three"])
    }

    @Test("chunks are added behind the last, changed in their place, and deleted but for the last")
    func chunkByChunk() throws {
        let added = server.post("\(document)/chunks", ["chunks": [["text": "three", "embedding": [0, 0, 1]]]])
        #expect(added.status == 201 && added.json[0]?["metadata"]?["chunk_index"] == 2)
        #expect(texts() == ["one", "two", "three"] && nearest([0, 0, 1]) == "three")
        let third = "/v1/chunks/\(try #require(added.json[0]?["id"]?.string))"

        let moved = server.patch(chunks[0], ["text": "ONE", "embedding": [0, 0.6, 0.8], "custom": ["d": 1]])
        #expect(
            moved.status == 200 && moved.json["metadata"]?["custom"] == ["c": ["p"], "d": 1] && moved.json["metadata"]?["page_number"] == 3)
        #expect(texts() == ["ONE", "two", "three"] && nearest([0, 0.6, 0.8]) == "ONE")
        let renumbered = server.patch("\(chunks[0])?include_embeddings=true", ["page_number": 4])
        #expect(renumbered.json["embedding"] == [0, 0.6, 0.8] && renumbered.json["metadata"]?["page_number"] == 4)
        #expect(server.get("\(chunks[1])?include_embeddings=true").json["embedding"] == [0, 1, 0])

        #expect(server.delete(chunks[1]).status == 204)
        #expect(server.get(chunks[1]).status == 404 && server.delete(chunks[1]).errorType == "ChunkNotFoundError")
        #expect(server.get(third).json["metadata"]?["chunk_index"] == 1)
        #expect(server.get(document).json["num_chunks"] == 2)
        #expect(server.delete(third).status == 204)
        #expect(server.delete(chunks[0]).status == 409)
        #expect(texts() == ["ONE"])
    }

    @Test("chunks that cannot be are refused, and nothing changes")
    func badChunks() throws {
        let path = "\(document)/chunks"
        let id = try #require(chunks[0].split(separator: "/").last.map(String.init))
        #expect(server.post(path, ["chunks": [["id": .string(id), "text": "x", "embedding": [0, 0, 1]]]]).errorType == "ConflictError")
        let other = server.add([[1, 0, 0]], to: library).json["chunks"]?[0]?["id"]?.string ?? ""
        #expect(server.post(path, ["chunks": [["id": .string(other), "text": "x", "embedding": [0, 0, 1]]]]).errorType == "ConflictError")
        #expect(server.post(path, ["chunks": [["text": "x", "embedding": [0, 0]]]]).errorType == "DimensionMismatchError")
        #expect(server.post(path, ["chunks": []]).status == 422)
        #expect(server.post(path, [:]).status == 422)
        #expect(server.patch(chunks[0], ["embedding": [0, 0, 0]]).status == 400)
        #expect(server.patch(chunks[0], ["text": "of no vector"]).status == 400)
        #expect(server.patch("/v1/chunks/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c", [:]).status == 404)
        #expect(server.patch("/v1/chunks/x", [:]).status == 422)
        let many = JSON.array(repeatElement(["text": "x", "embedding": [0, 0, 1]], count: 999).map { $0 })
        #expect(server.post(path, ["chunks": many]).detail.contains("MAX_CHUNKS_PER_DOCUMENT"))
        #expect(texts() == ["one", "two"])
    }

    @Test("If-Match decides for documents and chunks alike, by the document's tag")
    func conditions() throws {
        let tag = try #require(server.get(document).etag)
        let stale: HTTPFields = [.ifMatch: "\"1\""]
        #expect(server.get(chunks[0]).etag == tag && server.get(chunks[0], [.ifNoneMatch: tag]).status == 304)
        #expect(server.patch(document, ["title": "x"], stale).status == 412)
        #expect(server.put(document, ["title": "x", "chunks": [["text": "x", "embedding": [0, 0, 1]]]], stale).status == 412)
        #expect(server.post("\(document)/chunks", ["chunks": [["text": "x", "embedding": [0, 0, 1]]]], stale).status == 412)
        #expect(server.patch(chunks[0], ["page_number": 1], stale).status == 412)
        #expect(server.delete(chunks[0], stale).status == 412)
        #expect(server.get(document).etag == tag)

        let next = server.patch(chunks[0], ["page_number": 1], [.ifMatch: tag])
        #expect(next.status == 200 && next.etag != tag && server.get(document).etag == next.etag)
        #expect(server.patch(document, ["title": "x"], [.ifMatch: try #require(next.etag)]).status == 200)
    }

    @Test("pages of chunks stay right while chunks go")
    func pages() throws {
        let many = JSON.array((2..<7).map { ["text": .string("\($0)"), "embedding": [0, 0, 1]] as JSON })
        #expect(server.post("\(document)/chunks", ["chunks": many]).status == 201)
        let first = server.get("\(document)/chunks?limit=3")
        #expect(first.json.array?.compactMap { $0["text"]?.string } == ["one", "two", "2"])
        // One before the cursor, then the one it stands at.
        #expect(server.delete(chunks[0]).status == 204)
        let second = server.get(try #require(first.next))
        #expect(second.json.array?.compactMap { $0["text"]?.string } == ["3", "4", "5"])
        // The last two of the page, and then all that the cursor knows.
        for place in [2, 1] { #expect(server.delete("/v1/chunks/\(second.json[place]?["id"]?.string ?? "")").status == 204) }
        #expect(server.get(try #require(second.next)).json.array?.compactMap { $0["text"]?.string } == ["6"])
        #expect(server.delete("/v1/chunks/\(second.json[0]?["id"]?.string ?? "")").status == 204)
        let last = server.get(try #require(second.next)).json
        #expect(last.array?.compactMap { $0["text"]?.string } == ["6"], "by what came next")
        // Nothing is left that the cursor knows.
        #expect(server.delete("/v1/chunks/\(last[0]?["id"]?.string ?? "")").status == 204)
        for chunk in first.json.array?.dropFirst() ?? [] where chunk["text"] == "2" {
            #expect(server.delete("/v1/chunks/\(chunk["id"]?.string ?? "")").status == 204)
        }
        #expect(server.get(try #require(second.next)).json.array?.compactMap { $0["text"]?.string } == ["two"])
        let digits = "0123456789abcdef"
        for cursor in [
            "x", "1", "-", digits, digits + "-", "-" + digits, digits + "-" + digits + "-" + digits, digits + "0-" + digits,
            String(repeating: digits, count: 5) + "-" + digits, "+" + digits.dropFirst() + "-" + digits,
        ] {
            #expect(server.get("\(document)/chunks?cursor=\(cursor)").status == 422, "\(cursor)")
        }
    }

    @Test("pages of chunks are all of them, each once, when whoever reads deletes what was read", arguments: [1, 3, 5, 50])
    func readingAndDeleting(limit: Int) throws {
        let many = JSON.array((2..<40).map { ["text": .string("\($0)"), "embedding": [0, 0, 1]] as JSON })
        #expect(server.post("\(document)/chunks", ["chunks": many]).status == 201)
        var (path, read): (String?, [String]) = ("\(document)/chunks?limit=\(limit)", [])
        while let current = path {
            let page = server.get(current)
            read += page.json.array?.compactMap { $0["text"]?.string } ?? []
            // A document keeps its last chunk.
            for chunk in page.json.array ?? [] where read.count < 40 {
                #expect(server.delete("/v1/chunks/\(chunk["id"]?.string ?? "")").status == 204)
            }
            path = page.next
        }
        #expect(read == ["one", "two"] + (2..<40).map(String.init))
    }

    @Test("documents are deleted by their ids; others are passed over")
    func deleteByIDs() throws {
        let other = server.add([[1, 0, 0]], to: server.vectors()).json["id"]?.string ?? ""
        let id = JSON.string(String(document.suffix(36)))
        let path = "\(library)/documents/delete"
        #expect(server.post(path, ["ids": [id, id, .string(other), "3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"]]).json == ["deleted": 1])
        #expect(server.get("/v1/documents/\(other)").status == 200)
        #expect(server.post(path, [:]).status == 422)
        #expect(server.post(path, ["ids": []]).status == 422)
        #expect(server.post(path, ["ids": ["x"]]).status == 422)
        #expect(server.post(path, ["ids": [id], "filter": ["title": "t"]]).status == 422)
        #expect(server.post("/v1/libraries/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c/documents/delete", ["ids": [id]]).status == 404)
    }
}
