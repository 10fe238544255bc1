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

        let reply = server.post(path, .object(body))
        #expect(titles(reply) == ["two", "one", "three"])
        #expect(reply.json["results"]?[0]?["vector_rank"] == 3 && reply.json["results"]?[0]?["keyword_rank"] == 1)
        #expect(reply.json["results"]?[1]?["vector_rank"] == 1 && reply.json["results"]?[1]?["keyword_rank"] == .null)
        #expect(reply.json["plan"]?["mode"] == "hybrid" && reply.json["plan"]?["index"] == "brute_force")

        let byVector = body.merging(["fusion": ["method": "weighted", "weights": ["vector": 1, "keyword": 0]]]) { $1 }
        #expect(titles(server.post(path, .object(byVector))) == ["one", "three", "two"])
        let near = body.merging(["distance_threshold": 0.5]) { $1 }
        #expect(server.post(path, .object(near)).json["results"]?[2]?["distance"] != nil)
        #expect(server.post(path, .object(body.merging(["fusion": ["k": 0]]) { $1 })).status == 200)
    }

    @Test("an offset leaves the best out, a group is a document's best")
    func window() {
        let path = "\(library)/search/embedding"
        let body: [String: JSON] = ["embedding": [1, 0, 0], "k": 1, "offset": 1, "group_by_document": true]
        #expect(titles(server.post(path, .object(body))) == ["three"])
        #expect(server.post(path, .object(body.merging(["k": 100]) { $1 })).status == 422)
        #expect(server.post(path, .object(body.merging(["k": 99]) { $1 })).status == 200)
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
