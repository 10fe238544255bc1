import TestSupport
import Testing

/// One below, at and one above every limit, with limits small enough to reach.
struct LimitTests {
    @Test("a limit admits what it says and no more", arguments: Limit.all)
    func boundaries(limit: Limit) throws {
        let server = try TestServer(Limit.environment)
        let library = server.vectors()
        let path = limit.target(in: library)

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
        let server = try TestServer(Limit.environment, model: weightsDirectory)
        let library = server.texts()
        func add(_ texts: [JSON]) -> Reply { server.post("\(library)/documents", ["title": "T", "texts": .array(texts)]) }
        func search(_ length: Int) -> Reply { server.post("\(library)/search", ["query": Limit.text(length)]) }

        #expect([5, 6].allSatisfy { add([Limit.text($0)]).status == 201 })
        #expect(add([Limit.text(7)]).locations == ["body.texts.0"])
        #expect([3, 4].allSatisfy { add(Array(repeating: "x", count: $0)).status == 201 })
        #expect(add(Array(repeating: "x", count: 5)).detail.contains("at most 4 elements, has 5"))
        #expect([6, 7].allSatisfy { search($0).status == 200 })
        #expect(search(8).detail == "body.query: must have at most 7 characters, has 8")
    }

    @Test("lower bounds hold", arguments: [("title", ""), ("author", ""), ("document_type", ""), ("source_url", "")])
    func lower(field: String, text: String) throws {
        let server = try TestServer()

        let reply = server.post("\(server.vectors())/documents/with-embeddings", Limit.document([field: .string(text)]))

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
