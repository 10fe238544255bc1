import HTTPTypes
import TestSupport
import Testing

@Suite(
    "Limits, through nginx", .serialized,
    .running(noModel.merging(Limit.environment) { $1 }.merging(["MAX_DOCUMENTS_PER_LIBRARY": "2"]) { $1 }))
struct BadLimitTests {
    private let server = Subject.running!

    @Test("a limit admits what it says and no more (C11)")
    func boundaries() throws {
        for limit in Limit.all {
            let (witness, library) = (try server.witness(), try server.library())
            for amount in [limit.value - 1, limit.value] {
                let reply = try server.post(limit.target(in: library), limit.body(amount))
                #expect((200...201).contains(reply.status), "\(limit): \(amount)")
            }
            let before = try server.get("/v1/libraries").text

            let reply = try server.post(limit.target(in: witness.library), limit.body(limit.value + 1))

            #expect(reply.asError == "422 ValidationError" && reply.json.locations == [limit.location], "\(limit)")
            #expect(reply.json["detail"]?.string?.contains("\(limit.value)") == true, "\(limit): \(reply.text)")
            #expect(try server.get("/v1/libraries").text == before, "\(limit)")
        }
    }

    @Test("a library holds as many documents as it may (C11)")
    func documents() throws {
        let witness = try server.witness()
        let document: JSON = ["title": "T", "chunks": [["text": "x", "embedding": [1, 0, 0]]]]
        #expect(try server.post("\(witness.library)/documents/with-embeddings", document).status == 201)

        let reply = try server.post("\(witness.library)/documents/with-embeddings", document)

        #expect(reply.asError == "422 ValidationError")
        #expect(reply.json["detail"] == "The library holds MAX_DOCUMENTS_PER_LIBRARY = 2 documents")
        #expect(try server.get(witness.library).json["num_documents"] == 2)
    }

    @Test("texts and queries have limits before anybody embeds them (C11)")
    func texts() throws {
        let library = try #require(try server.post("/v1/libraries", ["name": "texts"])["location"])
        for (path, body, location) in [
            ("documents", ["title": "T", "texts": [Limit.text(7)]], "body.texts.0"),
            ("documents", ["title": "T", "texts": ["a", "b", "c", "d", "e"]], "body.texts"),
            ("search", ["query": Limit.text(8)], "body.query"), ("search", ["query": "q", "k": 9], "body.k"),
        ] as [(String, JSON, String)] {
            let reply = try server.post("\(library)/\(path)", body)
            #expect(reply.asError == "422 ValidationError" && reply.json.locations == [location])
        }
        // At the limit it is for the model to answer, and there is none here.
        #expect(try server.post("\(library)/search", ["query": Limit.text(7), "k": 8]).asError == "503 EmbeddingServiceError")
        #expect(try server.post("\(library)/documents", ["title": "T", "texts": [Limit.text(6)]]).asError == "503 EmbeddingServiceError")
        #expect(try server.get(library).json["num_documents"] == 0)
    }
}

@Suite("Counts, thresholds and pages, through nginx", .serialized, .running(noModel))
struct BadCountTests {
    private let server = Subject.running!

    @Test("k is a whole number within its limits (C11, C12)")
    func counts() throws {
        let witness = try server.witness(dimension: 1)
        for (k, problem) in Numbers.counts {
            let reply = try server.post("\(witness.library)/search/embedding", text: #"{"embedding":[1],"k":"# + k + "}")

            #expect(reply.status == (problem == nil ? 200 : 422), "\(k)")
            #expect(reply.json.problemTypes == (problem.map { [$0] } ?? []), "\(k)")
            if problem == nil { #expect(reply.json["total_results"] == 1, "fewer than k when fewer exist") }
        }
    }

    @Test("a threshold is within what the metric can give (C12)")
    func thresholds() throws {
        for (metric, threshold, isAccepted) in Numbers.thresholds {
            let reply = try server.post(
                "\(server.library(dimension: 1, metric: metric))/search/embedding",
                text: #"{"embedding":[1],"distance_threshold":"# + threshold + "}")

            #expect(reply.status == (isAccepted ? 200 : 422), "\(metric) \(threshold)")
            #expect(reply.json.locations == (isAccepted ? [] : ["body.distance_threshold"]))
            if isAccepted { #expect(reply.json["results"] == [] && reply.json["total_results"] == 0, "an empty library has no results") }
        }
    }

    @Test("a page that cannot be is refused, one beyond the end is empty (C12)")
    func pages() throws {
        let witness = try server.witness()
        for path in ["/v1/libraries", "\(witness.library)/documents"] {
            for (query, location) in Pages.impossible {
                let reply = try server.get("\(path)?\(query)")
                #expect(reply.asError == "422 ValidationError" && reply.json.locations == [location], "\(query)")
            }
            let beyond = try server.get("\(path)?limit=1000&cursor=\(UInt64.max)")
            #expect(beyond.status == 200 && beyond.json == [] && beyond["link"] == nil)
        }
        try witness.expectUnchanged("pages")
    }
}
