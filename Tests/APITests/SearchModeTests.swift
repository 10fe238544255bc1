import HTTPTypes
import TestSupport
import Testing

@testable import API

/// Searches by words and by both on the wire.
struct SearchModeTests {
    let server: TestServer
    let library: String

    init() throws {
        server = try TestServer()
        library = server.vectors()
        for (title, text, vector) in [
            ("one", "A fox crossed the garden", "[1,0,0]"), ("two", "Foxes like pears", "[0,1,0]"), ("three", "Rain", "[0.9,0.1,0]"),
        ] {
            let body = #"{"title":"\#(title)","chunks":[{"text":"\#(text)","embedding":\#(vector)}]}"#
            #expect(server.post("\(library)/documents/with-embeddings", text: body).status == 201)
        }
    }

    private func titles(_ reply: Reply) -> [String] { reply.json["results"]?.array?.compactMap { $0["document_title"]?.string } ?? [] }

    @Test("a keyword search needs no model, has scores and no distances, and says what it did")
    func keyword() {
        let reply = server.post("\(library)/search", ["query": "fox garden", "mode": "keyword"])

        #expect(titles(reply) == ["one", "two"])
        #expect(reply.json["results"]?[0]?["distance"] == .null && reply.json["results"]?[0]?["vector_rank"] == nil)
        let scores = reply.json["results"]?.array?.compactMap { $0["score"]?.number } ?? []
        #expect(scores.count == 2 && scores[0] > scores[1] && scores[1] > 0)
        #expect(
            reply.json["plan"]?["mode"] == "keyword" && reply.json["plan"]?["index"] == nil && reply.json["plan"]?["short_by"] == "keywords"
        )
        #expect(titles(server.post("\(library)/search", ["query": "\"crossed the garden\"", "mode": "keyword"])) == ["one"])
        #expect(titles(server.post("\(library)/search", ["query": "the", "mode": "keyword"])) == [])
    }

    @Test("a hybrid search says both ranks and the fused score, and takes fusions")
    func hybrid() {
        let body: [String: JSON] = ["embedding": [1, 0, 0], "query": "pears", "mode": "hybrid", "k": 3]
        let path = "\(library)/search/embedding"
        func scores(_ fusion: JSON?) -> [Double] {
            let reply = server.post(path, .object(fusion.map { body.merging(["fusion": $0]) { $1 } } ?? body))
            return reply.json["results"]?.array?.compactMap { $0["score"]?.number } ?? []
        }

        let reply = server.post(path, .object(body.merging(["fusion": ["method": "rrf"]]) { $1 }))
        #expect(titles(reply) == ["two", "one", "three"])
        #expect(reply.json["results"]?[0]?["vector_rank"] == 3 && reply.json["results"]?[0]?["keyword_rank"] == 1)
        #expect(reply.json["results"]?[1]?["vector_rank"] == 1 && reply.json["results"]?[1]?["keyword_rank"] == .null)
        #expect(reply.json["plan"]?["mode"] == "hybrid" && reply.json["plan"]?["index"] == "brute_force")

        let byVector = body.merging(["fusion": ["method": "weighted", "weights": ["vector": 1, "keyword": 0]]]) { $1 }
        #expect(titles(server.post(path, .object(byVector))) == ["one", "three", "two"])
        let near = body.merging(["distance_threshold": 0.5]) { $1 }
        #expect(server.post(path, .object(near)).json["results"]?[2]?["distance"] != nil)
        // By scores, unless only the k of places is given.
        #expect(scores(nil) == scores(["method": "weighted"]) && scores(nil).first == 1)
        #expect(scores(["weights": ["keyword": 2]]).first == 2)
        #expect(scores(["k": 60]) == scores(["method": "rrf"]) && scores(["k": 0]).first.map { Float($0) } == Float(1 + 1 / 3.0))
    }

    @Test("an offset leaves the best out, a group is a document's best")
    func window() {
        let path = "\(library)/search/embedding"
        let body: [String: JSON] = ["embedding": [1, 0, 0], "k": 1, "offset": 1, "group_by_document": true]
        #expect(titles(server.post(path, .object(body))) == ["three"])
        #expect(server.post(path, .object(body.merging(["k": 100]) { $1 })).status == 422)
        #expect(server.post(path, .object(body.merging(["k": 99]) { $1 })).status == 200)
        // What together with k is beyond any number.
        for offset in ["-1", "9223372036854775807", "9223372036854775808", "1e300", "0.5"] {
            let reply = server.post(path, text: #"{"embedding":[1,0,0],"k":1,"offset":\#(offset)}"#)
            #expect(reply.status == 422 && reply.locations == ["body.offset"], "\(offset): \(reply.detail)")
        }
    }

    @Test(
        "what does not go together is refused with its place",
        arguments: [
            (#""mode":"words""#, ["body.mode"]), (#""mode":"keyword","query":"x","distance_threshold":1"#, ["body.distance_threshold"]),
            (#""fusion":{}"#, ["body.fusion"]), (#""mode":"hybrid""#, ["body.query"]),
            (#""mode":"hybrid","query":"x","fusion":{"method":"sum"}"#, ["body.fusion.method"]),
            (#""mode":"hybrid","query":"x","fusion":{"method":"weighted","k":1}"#, ["body.fusion.k"]),
            (
                #""mode":"hybrid","query":"x","fusion":{"weights":{"vector":-1,"text":1}}"#,
                ["body.fusion.weights.vector", "body.fusion.weights.text"]
            ),
            (#""query":"x""#, ["body.query"]),
        ])
    func refusals(members: String, locations: [String]) {
        let reply = server.post("\(library)/search/embedding", text: #"{"embedding":[1,0,0],\#(members)}"#)
        #expect(reply.status == 422 && reply.locations == locations, "\(reply.detail)")
    }

    @Test("with expand, results come with the chunks around them, and where each stands")
    func passages() throws {
        let library = server.vectors()
        let chunks = #"[{"text":"before","embedding":[0,1,0]},{"text":"it","embedding":[1,0,0]},{"text":"behind","embedding":[0,0,1]}]"#
        #expect(server.post("\(library)/documents/with-embeddings", text: #"{"title":"t","chunks":\#(chunks)}"#).status == 201)
        let body: [String: JSON] = ["embedding": [1, 0, 0], "k": 1]
        func passage(_ expand: JSON) -> JSON? {
            server.post("\(library)/search/embedding", .object(body.merging(["expand": expand]) { $1 })).json["results"]?[0]?["passage"]
        }

        #expect(passage(["before": 1, "after": 5])?["text"] == "before\nit\nbehind")
        let part = try #require(passage(["after": 1])?["chunks"]?[0])
        #expect(part["chunk_index"] == 1 && part["start"] == 0 && part["end"] == 2 && part["start_offset"] == nil)
        #expect(passage([:])?["text"] == "it" && passage(.null) == nil)

        let refused = server.post("\(library)/search/embedding", text: #"{"embedding":[1,0,0],"k":100,"expand":{"before":5,"after":5}}"#)
        #expect(refused.locations == ["body.expand"] && refused.detail.contains("MAX_RESULTS_K"))
        #expect(
            server.post("\(library)/search/embedding", text: #"{"embedding":[1,0,0],"expand":{"before":-1,"around":1}}"#).locations == [
                "body.expand.before", "body.expand.around",
            ])
    }

    @Test("with diversity, what says the same stands back")
    func diversity() {
        let body: [String: JSON] = ["embedding": [1, 0, 0], "k": 3]
        let path = "\(library)/search/embedding"
        #expect(titles(server.post(path, .object(body))) == ["one", "three", "two"])
        #expect(titles(server.post(path, .object(body.merging(["diversity": 0.9]) { $1 }))) == ["one", "two", "three"])
        #expect(server.post(path, .object(body.merging(["diversity": 1.5]) { $1 })).locations == ["body.diversity"])
    }

    @Test("a batch gives what its searches give alone, in their order")
    func batch() throws {
        let searches: [JSON] = [
            ["embedding": [1, 0, 0], "k": 2], ["query": "fox", "mode": "keyword"],
            ["embedding": [0, 1, 0], "query": "rain", "mode": "hybrid", "group_by_document": true],
        ]
        let paths = ["search/embedding", "search", "search/embedding"]
        let reply = server.post("\(library)/search/batch?include_embeddings=true", ["searches": .array(searches)])
        let results = try #require(reply.json["searches"]?.array)
        #expect(results.count == 3 && reply.json["query_time_ms"]?.number ?? -1 >= 0)
        for (index, path) in paths.enumerated() {
            let alone = server.post("\(library)/\(path)?include_embeddings=true", searches[index]).json
            #expect(results[index]["results"] == alone["results"] && results[index]["plan"] == alone["plan"])
        }
    }

    @Test("a batch with a search that is not valid is refused whole, and so is one that is too large")
    func batchRefusals() {
        let path = "\(library)/search/batch"
        let bad = server.post(path, text: #"{"searches":[{"embedding":[1,0,0]},{"embedding":[1,0]},{"k":1},{"query":"x","mode":"words"}]}"#)
        #expect(
            bad.status == 422
                && bad.locations == ["body.searches.1.embedding", "body.searches.2.query", "body.searches.3.mode"], "\(bad.locations)")
        #expect(server.post(path, ["searches": []]).locations == ["body.searches"])
        let one: JSON = ["embedding": [1, 0, 0], "k": 11]
        #expect(server.post(path, ["searches": .array(Array(repeating: one, count: 100))]).locations == ["body.searches"])
        #expect(server.post(path, ["searches": .array(Array(repeating: one, count: 90))]).status == 200)
        #expect(server.post(path, ["searches": .array(Array(repeating: one, count: 101))]).locations == ["body.searches"])
        // Its library takes only vectors.
        #expect(server.post(path, ["searches": [["query": "x"]]]).status == 400)
    }

    @Test("how texts are analysed is chosen once, how they are ranked at any time")
    func options() throws {
        let made = server.post("/v1/libraries", ["name": "n", "embedding_dimension": 3, "text": ["stemmer": false, "k1": 2]])
        let path = try #require(made.headers[.location])
        #expect(made.json["metadata"]?["text"] == ["k1": 2, "b": 0.75, "stop_words": true, "stemmer": false])
        #expect(
            server.patch(path, ["text": ["b": 0.5]]).json["metadata"]?["text"] == ["k1": 2, "b": 0.5, "stop_words": true, "stemmer": false])
        #expect(server.patch(path, ["text": ["stemmer": true]]).locations == ["body.text.stemmer"])
        #expect(server.patch(path, ["text": ["b": 1.5]]).locations == ["body.text.b"])
        #expect(server.post("/v1/libraries", ["name": "n", "text": ["k1": 11]]).locations == ["body.text.k1"])
    }
}
