import HTTP
import HTTPTypes
import Storage
import TestSupport
import Testing

@testable import API
@testable import Database
@testable import Embedding

/// Many documents in one request.
struct BulkTests {
    private static let ids = (1...9).map { "aaaaaaaa-0000-4000-8000-00000000000\($0)" }

    private func document(_ title: String = "d", id: String? = nil, vector: JSON = [1, 0, 0], text: String = "x") -> JSON {
        var fields: [String: JSON] = ["title": .string(title), "chunks": [["text": .string(text), "embedding": vector]]]
        if let id { fields["id"] = .string(id) }
        return .object(fields)
    }

    private func post(_ documents: [JSON], to library: String, of server: TestServer, query: String = "") -> Reply {
        server.post("\(library)/documents/batch\(query)", ["documents": .array(documents)])
    }

    private func stream(_ text: String, to library: String, of server: TestServer, query: String = "") -> Reply {
        server.post("\(library)/documents/stream\(query)", text: text, [.contentType: "application/x-ndjson"])
    }

    // MARK: Batches

    @Test("a wrong document of a batch is an error of its own, with its place, and the others are stored")
    func oneBad() throws {
        let server = try TestServer()
        let library = server.vectors()
        let documents: [JSON] = [
            document("first", id: Self.ids[0]), document("", vector: [1, 0]), 5, document("last"),
            ["title": "t", "chunks": [["text": "x", "embedding": [1, 0, 0]]], "colour": "red"],
        ]

        let reply = post(documents, to: library, of: server)

        let results = try #require(reply.json["results"]?.array)
        #expect(reply.status == 200 && results.map { $0["index"]?.integer } == [0, 1, 2, 3, 4])
        #expect(results[0]["id"] == .string(Self.ids[0]) && results[0]["num_chunks"] == 1)
        #expect(results[1].locations == ["body.documents.1.title", "body.documents.1.chunks.0.embedding"])
        #expect(results[1]["error_type"] == "ValidationError" && results[1]["request_id"] == nil)
        #expect(results[2].locations == ["body.documents.2"] && results[2].problemTypes == ["wrong_type"])
        #expect(results[3]["id"]?.string != nil && results[3]["error"] == nil)
        #expect(results[4].locations == ["body.documents.4.colour"])
        #expect(server.get(library).json["num_documents"] == 2)
        #expect(server.get("/v1/documents/\(Self.ids[0])").json["metadata"]?["title"] == "first")
    }

    @Test("a body that is no batch is refused whole, and nothing is stored")
    func noBatch() throws {
        let server = try TestServer(["MAX_BULK_DOCUMENTS": "3"])
        let library = server.vectors()
        let path = "\(library)/documents/batch"

        #expect(post([], to: library, of: server).locations == ["body.documents"])
        #expect(post(Array(repeating: document(), count: 4), to: library, of: server).problemTypes == ["too_long"])
        #expect(server.post(path, ["documents": [document()], "more": 1]).locations == ["body.more"])
        #expect(server.post(path, [:]).problemTypes == ["missing"])
        #expect(server.post(path, text: #"{"documents": ["#).status == 400)
        #expect(server.post("\(path)?on_conflict=merge", ["documents": [document()]]).status == 422)
        #expect(server.get(library).json["num_documents"] == 0)
        #expect(post(Array(repeating: document(), count: 3), to: library, of: server).status == 200)
        #expect(server.get(library).json["num_documents"] == 3)
    }

    @Test("of two documents with one id the second is a conflict, or takes the place of the first")
    func duplicates() throws {
        let server = try TestServer()
        let library = server.vectors()
        let twice = [document("one", id: Self.ids[0]), document("two", id: Self.ids[0]), document("three", id: Self.ids[1])]
        func title() -> JSON? { server.get("/v1/documents/\(Self.ids[0])").json["metadata"]?["title"] }

        let first = try #require(post(twice, to: library, of: server).json["results"]?.array)
        #expect(first.map { $0["error_type"]?.string } == [nil, "ConflictError", nil])
        #expect(title() == "one")
        let again = try #require(post(twice, to: library, of: server).json["results"]?.array)
        #expect(again.allSatisfy { $0["error_type"] == "ConflictError" })
        let replaced = try #require(post(twice, to: library, of: server, query: "?on_conflict=replace").json["results"]?.array)
        #expect(replaced.allSatisfy { $0["error"] == nil })
        #expect(title() == "two")
        #expect(server.get(library).json["num_documents"] == 2)
    }

    @Test("a batch fills a library up to its limit")
    func full() throws {
        let server = try TestServer(["MAX_DOCUMENTS_PER_LIBRARY": "2"])
        let library = server.vectors()

        let results = try #require(post(Array(repeating: document(), count: 3), to: library, of: server).json["results"]?.array)

        #expect(results.map { $0["error_type"]?.string } == [nil, nil, "ValidationError"])
    }

    @Test("a library of vectors takes the vectors of a batch, and no texts")
    func external() throws {
        let server = try TestServer()
        let library = server.vectors()
        let texts: JSON = ["title": "t", "texts": ["word"]]

        let mixed = try #require(post([texts, document()], to: library, of: server).json["results"]?.array)
        let text = try #require(post([texts], to: library, of: server).json["results"]?.array)

        #expect(mixed.map { $0["error_type"]?.string } == ["InvalidRequestError", nil])
        #expect(text.map { $0["error_type"]?.string } == ["InvalidRequestError"])
    }

    @Test("what nothing could be done about is the answer to the whole batch, unless something was stored")
    func unavailable() throws {
        let server = try TestServer()
        let library = server.texts()
        let texts: JSON = ["title": "t", "texts": ["word"]]
        let vector = document(vector: .array([1] + Array(repeating: 0, count: 383)))

        let refused = post([texts, texts], to: library, of: server)
        let mixed = try #require(post([texts, vector], to: library, of: server).json["results"]?.array)

        #expect(refused.status == 503 && refused.errorType == "EmbeddingServiceError")
        #expect(mixed.map { $0["error_type"]?.string } == ["EmbeddingServiceError", nil])
    }

    @Test("the texts of a batch have the vectors that they have alone", .needsWeights)
    func embeddedTogether() throws {
        let server = try TestServer(model: weightsDirectory)
        let library = server.texts()
        let texts = ["A heron in the water.", "Rain.", "A red kite on the hill, flown by two children."]
        func vectors(_ path: String) -> [[Float]?] {
            server.get("\(path)?include_embeddings=true").json["chunks"]?.array?.map { $0["embedding"]?.floats } ?? []
        }

        let documents: [JSON] = [
            ["title": "a", "texts": [.string(texts[0])]], ["title": "b", "texts": .array(texts[1...].map { .string($0) })],
        ]
        let results = try #require(post(documents, to: library, of: server).json["results"]?.array)
        let alone = server.post("\(library)/documents", ["title": "c", "texts": .array(texts.map { .string($0) })])

        let together = results.flatMap { vectors("/v1/documents/\($0["id"]?.string ?? "")") }
        let expected = vectors(try #require(alone.headers[.location]))
        #expect(together.count == 3 && expected.count == 3)
        for (one, other) in zip(together, expected) {
            let (one, other) = (try #require(one), try #require(other))
            #expect(zip(one, other).allSatisfy { abs($0 - $1) < 1e-3 })
        }
    }

    // MARK: Streams

    @Test("each line of a stream is answered by a line, wrong ones with what is wrong")
    func lines() throws {
        let server = try TestServer(["MAX_LINE_BYTES": "1024"])
        let library = server.vectors()
        let long = document(text: String(repeating: "x", count: 1024)).text
        let body = [
            document(id: Self.ids[0]).text, "", "{\"title\": ", document("", vector: [1, 0]).text + "\r", "  \r", long,
            document(id: Self.ids[0]).text, document(id: Self.ids[1]).text,
        ].joined(separator: "\n")

        let reply = stream(body, to: library, of: server)

        let lines = try reply.body.split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
        #expect(reply.status == 200 && reply.headers[.contentType] == "application/x-ndjson")
        #expect(lines.map { $0["line"]?.integer } == [1, 3, 4, 6, 7, 8])
        #expect(
            lines.map { $0["error_type"]?.string } == [
                nil, "InvalidRequestError", "ValidationError", "PayloadTooLargeError", "ConflictError", nil,
            ])
        #expect(lines[0]["id"] == .string(Self.ids[0]) && lines[0]["num_chunks"] == 1)
        #expect(lines[2].locations == ["body.title", "body.chunks.0.embedding"])
        #expect(lines[5]["id"] == .string(Self.ids[1]))
        #expect(server.get(library).json["num_documents"] == 2)
    }

    @Test("a stream of many groups stores every line once, in order")
    func many() throws {
        let server = try TestServer()
        let library = server.vectors()
        let body = (0..<1000).map { document("\($0)").text + "\n" }.joined()

        let reply = stream(body, to: library, of: server)

        let lines = try reply.body.split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
        #expect(lines.map { $0["line"]?.integer } == Array(1...1000))
        let listed = server.get("\(library)/documents?limit=1000").json.array ?? []
        #expect(listed.map { $0["metadata"]?["title"]?.string } == (0..<1000).map { "\($0)" })
        #expect(listed.map { $0["id"] } == lines.map { $0["id"] })
    }

    @Test("a stream may be empty, and replaces where it is told to")
    func options() throws {
        let server = try TestServer()
        let library = server.vectors()
        let line = document(id: Self.ids[0]).text

        #expect(stream("", to: library, of: server).body.isEmpty)
        #expect(stream("\n \n", to: library, of: server).status == 200)
        #expect(stream(line + "\n" + line, to: library, of: server, query: "?on_conflict=replace").body.split(separator: 0x0A).count == 2)
        #expect(server.get(library).json["num_documents"] == 1)
    }

    @Test("what is no stream is refused before it is read")
    func noStream() throws {
        let server = try TestServer()
        let library = server.vectors()
        let path = "\(library)/documents/stream"

        for type in [nil, "application/json", "application/x-ndjson; charset=latin1"] {
            let headers: HTTPFields = type.map { [.contentType: $0] } ?? [:]
            #expect(server.post(path, text: document().text, headers).status == 415)
        }
        let nowhere = "/v1/libraries/\(Self.ids[8])"
        #expect(stream(document().text, to: nowhere, of: server).errorType == "LibraryNotFoundError")
        #expect(stream(document().text, to: library, of: server, query: "?on_conflict=x").status == 422)
        #expect(server.post(path, text: document().text, [.contentType: "Application/X-NDJSON; charset=utf-8"]).status == 200)
        #expect(server.get(library).json["num_documents"] == 1)
    }

    @Test("a stream of texts goes on where they cannot be embedded")
    func withoutModel() throws {
        let server = try TestServer()
        let library = server.texts()
        let vector = document(vector: .array([1] + Array(repeating: 0, count: 383)))

        let reply = stream(#"{"title": "t", "texts": ["word"]}"# + "\n" + vector.text, to: library, of: server)

        let lines = try reply.body.split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
        #expect(lines.map { $0["error_type"]?.string } == ["EmbeddingServiceError", nil])
    }

    @Test(
        "what was read of a stream that breaks off is stored, and the last line says why",
        arguments: [
            (IncomingBodyError.clientGone, "InvalidRequestError"), (.timedOut, "InvalidRequestError"), (.stopping, "UnavailableError"),
            (.wrongLength(announced: 9, received: 5), "InvalidRequestError"),
        ])
    func broken(error: IncomingBodyError, type: String) throws {
        let server = try TestServer()
        let library = server.vectors()
        let body = BrokenBody(Array((document().text + "\n" + document().text + "\n{\"ti").utf8), error)
        let reply = respond(to: body, library, of: server)

        let lines = try reply.body.split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
        #expect(lines.map { $0["line"]?.integer } == [1, 2, 3])
        #expect(lines.map { $0["error_type"]?.string } == [nil, nil, type])
        #expect(server.get(library).json["num_documents"] == 2)
    }

    @Test("a line of a stream is stored without waiting for the next one")
    func eachSoon() throws {
        let server = try TestServer()
        let library = server.vectors()
        let deadline = ContinuousClock.now + .seconds(600)
        // Has no further line before the last one is stored.
        let body = HesitantBody((0..<5).map { document("\($0)").text + "\n" }) { sent in
            while server.get(library).json["num_documents"]?.integer != sent, .now < deadline { yieldThread() }
            #expect(.now < deadline, "line \(sent) is stored")
        }

        let reply = respond(to: body, library, of: server)

        #expect(reply.body.split(separator: 0x0A).count == 5)
    }

    @Test("of a stream whose storage fails the rest is not read, and the answer says why")
    func storageFails() throws {
        let server = try TestServer()
        let library = server.vectors()
        let line = document().text + "\n"
        // Endless: only an error ends it.
        let body = HesitantBody(sequence(first: line) { _ in line }) { sent in
            if sent == 3 { server.service.fail(.ioFailed(operation: "write", path: "x", errno: 5)) }
        }

        let reply = respond(to: body, library, of: server)

        #expect(reply.status == 503 && reply.errorType == "UnavailableError")
    }

    @Test("a text that the provider refuses fails its own line", arguments: ["documents/stream", "documents/batch"])
    func refusedText(path: String) throws {
        let stub = StubServer { request, _ in
            let texts = request.json["texts"]?.array?.compactMap(\.string) ?? []
            if texts.contains("refused") { return .json(400, [:]) }
            return .json(200, ["embeddings": ["float": .array(texts.map { $0 == "nowhere" ? [0, 0, 0] : [3, 4, 0] })]])
        }
        let (server, library) = try remote(stub)
        let texts: [JSON] = ["a", "refused", "b", "c", "nowhere", "d", "refused"]
        var documents: [JSON] = texts.map { ["title": "t", "texts": [$0]] }
        documents.insert(document(), at: 3)

        let results =
            path.hasSuffix("batch")
            ? server.post("\(library)/\(path)", ["documents": .array(documents)]).json["results"]?.array ?? []
            : try stream(documents.map(\.text).joined(separator: "\n"), to: library, of: server).body.split(separator: 0x0A)
                .map { try JSON(parsing: Array($0)) }

        #expect(results.map { $0["error_type"] == nil } == [true, false, true, true, true, false, true, false])
        #expect(results[1]["detail"]?.string?.contains("status 400") == true)
        #expect(results[5]["detail"]?.string?.contains("without a direction") == true)
        #expect(server.get(library).json["num_documents"] == 5)
    }

    @Test("what has nothing to do with the texts is not tried again with fewer of them")
    func refusedAll() throws {
        let stub = StubServer { _, _ in .json(401, [:]) }
        let (server, library) = try remote(stub)

        let reply = post((0..<8).map { _ in ["title": "t", "texts": ["a"]] }, to: library, of: server)

        #expect(reply.status == 503 && stub.requests.count == 1)
    }

    @Test("a stream waits for its turn where a request is turned away")
    func patient() throws {
        let stub = StubServer { request, _ in
            let texts = request.json["texts"]?.array ?? []
            return .json(200, ["embeddings": ["float": .array(texts.map { _ in [3, 4, 0] })]])
        }
        let (server, library) = try remote(stub, ["WORKER_THREADS": "2"])
        let gate = server.service.embeddingGate
        let isOpen = Shared(false)
        let holder = Background { try gate.enter(before: .now + .seconds(600)) { isOpen.wait { $0 } } }
        while gate.callers < 1 { yieldThread() }
        let text: JSON = ["title": "t", "texts": ["a"]]

        #expect(post([text], to: library, of: server).status == 503)
        let body = HesitantBody([text.text + "\n"]) { sent in
            guard sent == 1 else { return }
            while gate.waitingCallers < 1 { yieldThread() }
            isOpen.set(true)
        }
        let reply = respond(to: body, library, of: server)

        try holder.value()
        #expect(try JSON(parsing: reply.body)["error"] == nil)
        #expect(server.get(library).json["num_documents"] == 1)
    }

    /// A server with a library of a model that the stub computes, of dimension 3.
    private func remote(_ stub: StubServer, _ environment: [String: String] = [:]) throws -> (server: TestServer, library: String) {
        let model = RemoteModel(name: "stub", provider: .cohere, dimension: 3, maxTokens: 9, baseURL: stub.url, summary: "s")
        let server = try TestServer(environment, catalogue: ModelCatalogue(modelDirectory: nil, configured: [model]))
        return (server, try #require(server.post("/v1/libraries", ["name": "n", "embedding_model": "stub"]).headers[.location]))
    }

    private func respond(to body: any IncomingBody, _ library: String, of server: TestServer) -> Reply {
        let request = Request(
            method: .post, path: "\(library)/documents/stream", headers: [.contentType: "application/x-ndjson"], id: "test-1")
        guard case .streamed(let respond) = server.api.destination(of: request).handler else {
            preconditionFailure("the route takes streams")
        }
        return Reply(respond(request, body))
    }

    @Test("a stream is refused whose results cannot be kept")
    func noRoomForResults() throws {
        let server = try TestServer(["VECTOR_DB_DATA_DIR": "/nowhere"])
        let library = server.vectors()

        let reply = stream(document().text, to: library, of: server)

        #expect(reply.status == 503 && reply.errorType == "UnavailableError")
    }
}

/// Ends with an error.
private final class BrokenBody: IncomingBody {
    private var bytes: [UInt8]
    private let error: IncomingBodyError

    init(_ bytes: [UInt8], _ error: IncomingBodyError) {
        self.bytes = bytes
        self.error = error
    }

    func read(atMost limit: Int) throws(IncomingBodyError) -> [UInt8]? {
        guard !bytes.isEmpty else { throw error }
        defer { bytes.removeFirst(min(limit, bytes.count)) }
        return Array(bytes.prefix(limit))
    }
}

/// Text that comes piece by piece, each when the test says so.
private final class HesitantBody: IncomingBody {
    private var pieces: AnyIterator<String>
    private let beforeNext: (_ sent: Int) -> Void
    private var sent = 0

    init(_ pieces: some Sequence<String>, beforeNext: @escaping (_ sent: Int) -> Void) {
        self.pieces = AnyIterator(pieces.makeIterator())
        self.beforeNext = beforeNext
    }

    func read(atMost limit: Int) -> [UInt8]? {
        beforeNext(sent)
        guard let piece = pieces.next() else { return nil }
        sent += 1
        return Array(piece.utf8)
    }
}
