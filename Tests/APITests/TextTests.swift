import HTTPTypes
import TestSupport
import Testing

@testable import API

/// Texts, with and without somebody who can embed them.
struct TextTests {
    @Test("without weights text is 503 with the reason, and vectors work", arguments: ["all-minilm-l6-v2", "embed-english-v3.0"])
    func unavailable(model: String) throws {
        let server = try TestServer()
        let created = server.post("/v1/libraries", ["name": "n", "embedding_model": .string(model)])
        let library = try #require(created.headers[.location])
        let dimension = try #require(created.json["metadata"]?["embedding_dimension"]?.integer)
        let vector = [1.0] + Array(repeating: 0, count: dimension - 1)

        let added = server.post("\(library)/documents", ["title": "T", "texts": ["a text"]])
        let searched = server.post("\(library)/search", ["query": "a text"])

        for reply in [added, searched] {
            #expect(reply.status == 503 && reply.errorType == "EmbeddingServiceError" && reply.headers[.retryAfter] == nil)
            #expect(reply.detail.hasPrefix("No text can be embedded with '\(model)': no "), "\(reply.detail)")
        }
        #expect(server.get(library).json["num_documents"] == 0)
        #expect(server.add([vector], to: library).status == 201)
        #expect(server.post("\(library)/search/embedding", ["embedding": .array(vector.map { .number($0) })]).json["total_results"] == 1)
    }

    @Test("a library of vectors takes no text")
    func external() throws {
        let server = try TestServer()
        let library = server.vectors()

        for reply in [
            server.post("\(library)/documents", ["title": "T", "texts": ["a"]]), server.post("\(library)/search", ["query": "a"]),
        ] {
            #expect(reply.status == 400 && reply.errorType == "InvalidRequestError")
            #expect(reply.detail == "The library takes only precomputed vectors: its embedding_model is 'external'")
        }
    }

    @Test(
        "texts are judged before anybody embeds them",
        arguments: [
            (#"{}"#, 422, ["body.title", "body.texts"]), (#"{"title":"T","texts":[]}"#, 422, ["body.texts"]),
            (#"{"title":"T","texts":"a"}"#, 422, ["body.texts"]),
            (#"{"title":"T","texts":[5,null]}"#, 422, ["body.texts.0", "body.texts.1"]),
            (#"{"title":"T","texts":["a",""]}"#, 422, ["body.texts.1"]), (#"{"title":"T","texts":["a"," "]}"#, 400, ["body.texts.1"]),
            (#"{"title":"T","texts":["a"],"text":"b"}"#, 422, ["body.text"]),
            (#"{"title":"T","texts":["a"],"custom":5}"#, 422, ["body.custom"]),
            (#"{"title":"T","chunks":[]}"#, 422, ["body.texts", "body.chunks"]),
        ])
    func judged(body: String, status: Int, locations: [String]) throws {
        let server = try TestServer()

        let reply = server.post("\(server.texts())/documents", text: body)

        #expect(reply.status == status && reply.locations == locations)
    }

    @Test("a text is found by what it means", .needsWeights)
    func meaning() throws {
        let server = try TestServer(model: weightsDirectory)
        let library = server.texts()
        let texts: [JSON] = [
            "A heron stands in the shallow water.", "The bank raised its interest rates.", "She repaired the old bicycle.",
        ]

        let added = server.post("\(library)/documents?include_embeddings=true", ["title": "T", "texts": .array(texts)])
        let found = server.post("\(library)/search?include_embeddings=true", ["query": "a bird waiting for fish", "k": 3])

        #expect(added.status == 201 && added.json["num_chunks"] == 3)
        #expect(added.json["chunks"]?.array?.compactMap { $0["text"] } == texts)
        #expect(found.json["results"]?[0]?["chunk"] == added.json["chunks"]?[0])
        let distances = found.json["results"]!.array!.compactMap { $0["distance"]?.number }
        #expect(distances.count == 3 && distances[0] < 0.7 && distances[1] > 0.8)
        let embedding = try #require(added.json["chunks"]?[1]?["embedding"]?.floats)
        #expect(embedding.count == 384 && abs(embedding.reduce(0) { $0 + $1 * $1 } - 1) < 1e-3)
    }

    @Test("a text finds itself at no distance, and the models and readiness know that text works", .needsWeights)
    func itself() throws {
        let server = try TestServer(model: weightsDirectory)
        let library = server.texts()
        #expect(server.post("\(library)/documents", ["title": "T", "texts": ["the same words"]]).status == 201)

        let distance = server.post("\(library)/search", ["query": "the same words", "distance_threshold": 0.001]).json["results"]?[0]?[
            "distance"]

        #expect(try #require(distance?.number) < 1e-5)
        let model = try #require(server.get("/v1/models").json["models"]?[0])
        #expect(model["available"] == true && model["unavailable_because"] == nil)
        #expect(server.get("/ready").json["components"]?[1] == ["name": "embedding", "status": "ready", "detail": "all-minilm-l6-v2"])
    }

    @Test("texts replace texts", .needsWeights)
    func replaced() throws {
        let server = try TestServer(model: weightsDirectory)
        let library = server.texts()

        let document = server.post(
            "\(library)/documents?on_conflict=replace", ["id": "aaaaaaaa-0000-4000-8000-000000000001", "title": "a", "texts": ["x"]])
        let again = server.post(
            "\(library)/documents?on_conflict=replace", ["id": "aaaaaaaa-0000-4000-8000-000000000001", "title": "b", "texts": ["y", "z"]])

        #expect(document.status == 201 && again.status == 201)
        #expect(server.get(library).json["num_chunks"] == 2)
    }
}
