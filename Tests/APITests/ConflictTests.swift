import API
import HTTP
import HTTPTypes
import TestSupport
import Testing

private let first = "aaaaaaaa-0000-4000-8000-000000000001"
private let second = "aaaaaaaa-0000-4000-8000-000000000002"

private func chunk(_ id: String, _ text: String = "x", _ x: Double = 1) -> JSON {
    ["id": .string(id), "text": .string(text), "embedding": [.number(x), 0, 1]]
}

private func document(_ id: String? = nil, _ chunks: JSON...) -> JSON {
    ["id": id.map { .string($0) } ?? .null, "title": "T", "chunks": .array(chunks)]
}

struct ConflictTests {
    @Test("an id that is taken is refused, and nothing changes")
    func documentExists() throws {
        let server = try TestServer()
        let library = server.vectors()
        let original = server.add([[1, 0, 0]], to: library, title: "original", id: first)

        let reply = server.add([[0, 1, 0]], to: library, title: "late", id: first.uppercased())
        let explicit = server.add([[0, 1, 0]], to: library, title: "late", id: first, query: "?on_conflict=error")

        #expect(reply.status == 409 && reply.errorType == "ConflictError")
        #expect(reply.detail == "Document \(first) exists")
        #expect(explicit.status == 409)
        #expect(server.get("/v1/documents/\(first)").json == original.json)
        #expect(server.get(library).json["num_chunks"] == 1)
    }

    @Test("replace puts the new document in the place of the old one")
    func replaces() throws {
        let server = try TestServer()
        let library = server.vectors()
        let original = server.add([[1, 0, 0], [0, 1, 0]], to: library, title: "original", id: first)
        server.add([[0, 0, 1]], to: library, title: "other")

        let reply = server.add([[1, 1, 0]], to: library, title: "new", id: first, query: "?on_conflict=replace")

        #expect(reply.status == 201 && reply.json["num_chunks"] == 1)
        #expect(reply.json["metadata"]?["created_at"] == original.json["metadata"]?["created_at"])
        #expect(reply.etag != original.etag)
        #expect(server.get("/v1/documents/\(first)").json == reply.json)
        #expect(server.get(library).json["num_documents"] == 2)
        let titles = server.get("\(library)/documents").json.array?.compactMap { $0["metadata"]?["title"]?.string }
        #expect(titles == ["new", "other"])
        let found = server.post("\(library)/search/embedding", ["embedding": [1, 0, 0]]).json["results"]?.array
        #expect(found?.count == 2, "the old chunks are not found any more")
    }

    @Test("replace adds a document that is not there")
    func replacesNothing() throws {
        let server = try TestServer()

        #expect(server.add([[1, 0, 0]], to: server.vectors(), id: first, query: "?on_conflict=replace").status == 201)
    }

    @Test("a document of another library is never replaced")
    func otherLibrary() throws {
        let server = try TestServer()
        let (library, other) = (server.vectors(), server.vectors())
        let original = server.add([[1, 0, 0]], to: library, id: first)

        for query in ["", "?on_conflict=replace"] {
            let reply = server.add([[1, 0, 0]], to: other, id: first, query: query)
            #expect(reply.status == 409 && reply.detail == "Document \(first) exists")
        }

        #expect(server.get(other).json["num_documents"] == 0)
        #expect(server.get("/v1/documents/\(first)").json == original.json)
    }

    @Test("a chunk's id is taken within a document, across documents and across libraries")
    func chunks() throws {
        let server = try TestServer()
        let (library, other) = (server.vectors(), server.vectors())
        func add(_ body: JSON, to library: String, _ query: String = "") -> Reply {
            server.post("\(library)/documents/with-embeddings\(query)", body)
        }
        #expect(add(document(first, chunk(first)), to: library).status == 201)

        let twice = add(document(nil, chunk(second), chunk(second)), to: library)
        let across = add(document(nil, chunk(second), chunk(first)), to: library)
        let abroad = add(document(nil, chunk(first)), to: other)
        let replaced = add(document(first, chunk(first, "new"), chunk(second)), to: library, "?on_conflict=replace")
        let stolen = add(document(second, chunk(second)), to: library, "?on_conflict=replace")

        #expect(twice.status == 409 && twice.detail == "The document has chunk \(second) twice")
        #expect(across.status == 409 && across.detail == "Chunk \(first) exists")
        #expect(abroad.status == 409 && abroad.detail == "Chunk \(first) exists")
        #expect(replaced.status == 201, "chunks of the old version may keep their ids")
        #expect(stolen.status == 409)
        #expect(server.get(library).json["num_chunks"] == 2)
        #expect(server.get(other).json["num_chunks"] == 0)
    }

    @Test("an id is free again when its document is gone")
    func freed() throws {
        let server = try TestServer()
        let library = server.vectors()
        server.add([[1, 0, 0]], to: library, id: first)

        #expect(server.delete("/v1/documents/\(first)").status == 204)

        #expect(server.add([[1, 0, 0]], to: server.vectors(), id: first).status == 201)
    }

    @Test("one of many that bring the same id at once wins")
    func race() async throws {
        let server = try TestServer()
        let library = server.vectors()
        let (api, path) = (server.api, "\(library)/documents/with-embeddings")
        let body = Array(document(first, chunk(second)).text.utf8)

        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    api.respond(to: .init(method: .post, path: path, body: body, id: "r")).status.code
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }

        #expect(statuses.sorted() == [201] + Array(repeating: 409, count: 15))
        #expect(server.get(library).json["num_chunks"] == 1)
    }
}
