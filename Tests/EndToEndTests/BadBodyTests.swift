import Glibc
import HTTPTypes
import TestSupport
import Testing

@Suite("Bad bodies, through nginx", .serialized, .running(noModel))
struct BadBodyTests {
    private let server = Subject.running!

    private func documents(_ library: String) -> String { "\(library)/documents/with-embeddings?include_embeddings=true" }

    private func document(_ embedding: String) -> String { #"{"title":"T","chunks":[{"text":"x","embedding":\#(embedding)}]}"# }

    // MARK: C2

    @Test("a component of a vector is stored as the nearest float, or refused with its place (C2)")
    func components() throws {
        for (text, verdict) in Numbers.components {
            let witness = try server.witness(dimension: 2)
            let reply = try server.post(documents(witness.library), text: document("[1,\(text)]"))
            switch verdict {
            case .stored(let value):
                try #require(reply.status == 201, "\(text)")
                let again = try server.get("\(try #require(reply["location"]))?include_embeddings=true")
                for stored in [reply, again].map({ $0.json["chunks"]?[0]?["embedding"]?.floats }) {
                    #expect(stored?.map(\.bitPattern) == [Float(1).bitPattern, value.bitPattern], "\(text)")
                }
                continue
            case .malformed:
                #expect(reply.asError == "400 InvalidRequestError", "\(text)")
                #expect(reply.json["detail"]?.string?.hasPrefix("Malformed JSON: ") == true)
            case .refused(let status, let kind, let place):
                #expect(reply.status == status && reply.json.problemTypes == [kind], "\(text)")
                #expect(reply.json.locations == ["body.chunks.0.embedding\(place)"])
            }
            try witness.expectUnchanged(text)
        }
    }

    @Test("a query's components are judged like a document's (C2)")
    func queries() throws {
        let witness = try server.witness(dimension: 2)
        for (text, verdict) in Numbers.components {
            let reply = try server.post("\(witness.library)/search/embedding", text: #"{"embedding":[1,"# + text + "]}")

            switch verdict {
            case .stored: #expect(reply.status == 200 && reply.json["total_results"] == 1, "\(text)")
            case .malformed: #expect(reply.asError == "400 InvalidRequestError", "\(text)")
            case .refused(let status, let kind, let place):
                #expect(reply.status == status && reply.json.problemTypes == [kind], "\(text)")
                #expect(reply.json.locations == ["body.embedding\(place)"])
            }
        }
    }

    @Test("what is no vector is refused (C2)")
    func shapes() throws {
        let witness = try server.witness(dimension: 2)
        for (embedding, status, problem) in Numbers.shapes {
            for reply in [
                try server.post(documents(witness.library), text: document(embedding)),
                try server.post("\(witness.library)/search/embedding", text: #"{"embedding":"# + embedding + "}"),
            ] {
                #expect(reply.status == status && reply.json.problemTypes == [problem], "\(embedding)")
            }
            try witness.expectUnchanged(embedding)
        }
    }

    @Test("a vector without direction is refused under cosine only (C2)")
    func directions() throws {
        for (metric, vector, problem) in Numbers.directions {
            let witness = try server.witness(dimension: 2, metric: metric)

            let stored = try server.post(documents(witness.library), text: document(vector))
            let found = try server.post("\(witness.library)/search/embedding", text: #"{"embedding":"# + vector + "}")

            if let problem {
                for reply in [stored, found] {
                    #expect(reply.asError == "400 InvalidRequestError" && reply.json.problemTypes == [problem], "\(metric) \(vector)")
                }
                try witness.expectUnchanged(vector)
            } else {
                #expect(stored.status == 201 && found.status == 200, "\(metric) \(vector)")
                #expect(found.json["results"]?.array?.count { $0["distance"]?.number?.isFinite == true } == 2)
            }
        }
    }

    // MARK: C3

    @Test("what is not one JSON value is refused as such, everywhere, within 50 ms, and leaves no trace (C3)")
    func malformed() throws {
        let witness = try server.witness()
        for text in MalformedJSON.texts {
            let reply = try server.send(.post, "/v1/libraries", body: text)

            let start = String(decoding: text.prefix(60), as: UTF8.self)
            #expect(reply.asError == "400 InvalidRequestError", "\(start)")
            #expect(reply.json["detail"]?.string?.hasPrefix("Malformed JSON: ") == true)
            let limit = Duration.milliseconds(50)
            #expect(try shortestTime(of: text, aimingAt: limit) <= limit, "\(start)")
            try witness.expectUnchanged(start)
        }
        // So deep that who follows it by recursion runs out of stack.
        let deep = [#"{"filter":{"$not":"#, #"{"custom":["#, #"{"a":"#].map { $0 + String(repeating: "[", count: 100_000) }
        for path in ["/documents/with-embeddings", "/documents", "/documents/batch", "/search", "/search/embedding", "/count"] {
            for text in ["{"] + deep {
                let reply = try server.post(witness.library + path, text: text)
                #expect(reply.asError == "400 InvalidRequestError", "\(path) \(text.prefix(60))")
            }
        }
        #expect(try server.send(.patch, witness.library, body: Array("{".utf8)).asError == "400 InvalidRequestError")
        try witness.expectUnchanged("everywhere")
    }

    /// Of a few attempts: what else runs on the machine may hold up one.
    private func shortestTime(of body: [UInt8], aimingAt limit: Duration) throws -> Duration {
        var shortest = Duration.seconds(3600)
        for _ in 0..<10 where shortest > limit {
            let start = ContinuousClock.now
            #expect(try server.quire.send("POST", "/v1/libraries", body: body).status == 400)
            shortest = min(shortest, ContinuousClock.now - start)
        }
        return shortest
    }

    @Test("JSON that is merely unusual is read, a value of the wrong shape is told apart (C3)")
    func unusual() throws {
        for text in MalformedJSON.merelyUnusual { #expect(try server.post("/v1/libraries", text: text).status == 201, "\(text)") }
        let witness = try server.witness()
        for text in MalformedJSON.wrongShapes {
            for path in ["/v1/libraries", "\(witness.library)/documents/with-embeddings", "\(witness.library)/search/embedding"] {
                #expect(try server.post(path, text: text).asError == "422 ValidationError", "\(text)")
            }
        }
        try witness.expectUnchanged("wrong shapes")
    }

    @Test("a body that is said to be something else is refused (C3)")
    func contentTypes() throws {
        let witness = try server.witness()
        for type in ["text/plain", "application/x-www-form-urlencoded", "application/json;charset=latin1", "application/x-ndjson", ";"] {
            let reply = try server.send(.post, "/v1/libraries", headers: ["Content-Type": type], body: Array(#"{"name":"n"}"#.utf8))
            #expect(reply.asError == "415 UnsupportedMediaTypeError", "\(type)")
        }
        try witness.expectUnchanged("content types")
    }

    @Test("a document with one bad chunk among good ones leaves nothing behind")
    func halfGood() throws {
        let witness = try server.witness()
        let good: JSON = ["text": "good", "embedding": [1, 1, 1]]
        for bad in [
            ["text": "bad", "embedding": [1, 1]], ["text": " ", "embedding": [1, 1, 1]], ["text": "bad", "embedding": [0, 0, 0]],
            ["text": "bad"], ["text": "bad", "embedding": [1, 1, 1], "typo": 1], 5,
        ] as [JSON] {
            let reply = try server.post(
                "\(witness.library)/documents/with-embeddings", ["title": "T", "chunks": [good, good, bad, good]])
            #expect([400, 422].contains(reply.status), "\(bad.text)")
            try witness.expectUnchanged(bad.text)
        }
    }

    // MARK: C4

    @Test("an id that is taken is refused, in a document, across documents and across libraries (C4)")
    func conflicts() throws {
        let (first, second) = ("aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002")
        func document(_ id: String?, _ chunks: String...) -> JSON {
            let chunks = chunks.map { ["id": .string($0), "text": "x", "embedding": [1, 0, 1]] as JSON }
            return ["id": id.map { .string($0) } ?? nil, "title": "T", "chunks": .array(chunks)]
        }
        let (library, other) = (try server.library(), try server.library())
        func add(_ body: JSON, to library: String, _ query: String = "") throws -> HTTPReply {
            try server.post("\(library)/documents/with-embeddings\(query)", body)
        }
        let original = try add(document(first, first), to: library)
        #expect(original.status == 201)
        let witness = try server.witness()

        for (body, library, query) in [
            (document(first, second), library, ""), (document(first.uppercased(), second), library, "?on_conflict=error"),
            (document(first, second), other, ""), (document(first, second), other, "?on_conflict=replace"),
            (document(nil, second, second), library, ""), (document(nil, second, first), library, ""), (document(nil, first), other, ""),
            (document(second, first), library, "?on_conflict=replace"),
        ] {
            #expect(try add(body, to: library, query).asError == "409 ConflictError", "\(body.text)\(query)")
            #expect(try server.get("/v1/documents/\(first)").json == original.json)
            try witness.expectUnchanged(body.text)
        }

        let replaced = try add(document(first, first, second), to: library, "?on_conflict=replace")
        #expect(replaced.status == 201 && replaced.json["num_chunks"] == 2)
        let found = try server.post("\(library)/search/embedding", ["embedding": [1, 0, 1]])
        #expect(found.json["total_results"] == 2, "never two live copies")
    }

    @Test("one of many that bring the same id at once wins (C4)")
    func race() throws {
        let library = try server.library()
        let id = "aaaaaaaa-0000-4000-8000-00000000000f"
        let body: JSON = ["id": .string(id), "title": "T", "chunks": [["text": "x", "embedding": [1, 0, 1]]]]
        let server = server

        let statuses = try onThreads(8) { _ in try server.post("\(library)/documents/with-embeddings", body).status }

        #expect(statuses.sorted() == [201] + Array(repeating: 409, count: 7))
        #expect(try server.get(library).json["num_chunks"] == 1)
    }

    // MARK: C13

    @Test("text comes back byte for byte, in every field (C13)")
    func roundTrip() throws {
        for text in Texts.unusual {
            let bytes = Array(text.utf8)
            func same(_ value: JSON?) -> Bool { value?.string.map { Array($0.utf8) } == bytes }
            let library = try #require(
                try server.post("/v1/libraries", ["name": .string(text), "description": .string(text), "embedding_dimension": 1])[
                    "location"])
            let body: JSON = [
                "title": .string(text), "author": .string(text), "document_type": .string(text), "source_url": .string(text),
                "tags": [.string(text)], "chunks": [["text": .string("x" + text), "embedding": [1]]],
            ]
            let document = try #require(try server.post("\(library)/documents/with-embeddings", body)["location"])

            let record = try server.get(library).json
            #expect(same(record["name"]) && same(record["metadata"]?["description"]), "\(text)")
            let metadata = try server.get(document).json["metadata"]
            for field in ["title", "author", "document_type", "source_url"] { #expect(same(metadata?[field]), "\(field): \(text)") }
            #expect(same(metadata?["tags"]?[0]))
            let hit = try server.post("\(library)/search/embedding", ["embedding": [1]]).json["results"]?[0]
            #expect(same(hit?["document_title"]))
            #expect(hit?["chunk"]?["text"]?.string.map { Array($0.utf8) } == [UInt8(ascii: "x")] + bytes)
        }
    }

    @Test("white space of any script is blank (C13)")
    func blank() throws {
        let witness = try server.witness(dimension: 1)
        let texts = try #require(try server.post("/v1/libraries", ["name": "t"])["location"])
        let before = try server.get(texts).json
        for text in Texts.blank {
            for reply in [
                try server.post(
                    "\(witness.library)/documents/with-embeddings",
                    ["title": "T", "chunks": [["text": .string(text), "embedding": [1]]]]),
                try server.post("\(texts)/documents", ["title": "T", "texts": [.string(text)]]),
                try server.post("\(texts)/search", ["query": .string(text)]),
            ] {
                #expect(reply.asError == "400 InvalidRequestError" && reply.json.problemTypes == ["blank"], "\(text)")
            }
        }
        #expect(try server.get(texts).json == before)
    }
}
