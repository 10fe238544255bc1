import HTTPTypes
import TestSupport
import Testing

@testable import API
@testable import Embedding

/// `POST /v1/embeddings`, and how texts reach providers on the network.
struct EmbeddingsRouteTests {
    private let stub: StubServer
    private let server: TestServer

    /// With a model `stub` of dimension 3, whose vectors say how long a text is.
    init() throws {
        let stub = StubServer { request, _ in
            let texts = request.json["texts"]?.array?.compactMap(\.string) ?? []
            if texts == ["fail"] { return .json(400, [:]) }
            let vectors = texts.map {
                ["nothing": [0, 0, 0]][$0] ?? [3, 4, .number(request.json["input_type"] == "search_query" ? 12 : 0)] as JSON
            }
            return .json(
                200, ["embeddings": ["float": .array(vectors)], "meta": ["billed_units": ["input_tokens": 7]]])
        }
        self.stub = stub
        let model = RemoteModel(name: "stub", provider: .cohere, dimension: 3, maxTokens: 9, baseURL: stub.url, summary: "s")
        server = try TestServer(catalogue: ModelCatalogue(modelDirectory: nil, configured: [model]))
    }

    private func embed(_ body: JSON) -> Reply { server.post("/v1/embeddings", body) }

    @Test("one text and several, as numbers and as base64, in the format of OpenAI")
    func formats() {
        let one = embed(["model": "stub", "input": "a"])
        let several = embed(["model": "stub", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 3, "user": "u"])
        let query = embed(["model": "stub", "input": "a", "encoding_format": nil, "input_type": "query"])

        func item(_ index: Int, _ embedding: JSON) -> JSON {
            ["object": "embedding", "index": .number(Double(index)), "embedding": embedding]
        }
        let usage: JSON = ["prompt_tokens": 7, "total_tokens": 7]
        // Divided by its length: 5, or 13 for the query.
        #expect(one.json == ["object": "list", "data": [item(0, [0.6, 0.8, 0])], "model": "stub", "usage": usage])
        let base64: JSON = "mpkZP83MTD8AAAAA"
        #expect(several.json == ["object": "list", "data": [item(0, base64), item(1, base64)], "model": "stub", "usage": usage])
        #expect(query.json["data"]?[0]?["embedding"]?.floats == [Float(3.0 / 13), Float(4.0 / 13), Float(12.0 / 13)])
        #expect(stub.requests.count == 3)
    }

    @Test(
        "what cannot be embedded is refused with its place",
        arguments: [
            (#"{}"#, 422, ["body.input", "body.model"]), (#"{"model":"stub","input":""}"#, 422, ["body.input"]),
            (#"{"model":"stub","input":" "}"#, 400, ["body.input"]), (#"{"model":"stub","input":[]}"#, 422, ["body.input"]),
            (#"{"model":"stub","input":["a",""," "]}"#, 422, ["body.input.1", "body.input.2"]),
            (#"{"model":"stub","input":[1,2]}"#, 422, ["body.input.0", "body.input.1"]),
            (#"{"model":"stub","input":[[1,2],[3]]}"#, 422, ["body.input.0", "body.input.1"]),
            (#"{"model":"stub","input":7}"#, 422, ["body.input"]), (#"{"model":"stub","input":{"a":1}}"#, 422, ["body.input"]),
            (#"{"model":"gpt","input":"a"}"#, 422, ["body.model"]), (#"{"model":"external","input":"a"}"#, 422, ["body.model"]),
            (#"{"model":7,"input":"a"}"#, 422, ["body.model"]),
            (#"{"model":"stub","input":"a","encoding_format":"int8"}"#, 422, ["body.encoding_format"]),
            (#"{"model":"stub","input":"a","dimensions":2}"#, 422, ["body.dimensions"]),
            (#"{"model":"stub","input":"a","dimensions":0}"#, 422, ["body.dimensions"]),
            (#"{"model":"stub","input":"a","input_type":"x"}"#, 422, ["body.input_type"]),
            (#"{"model":"stub","input":"a","user":1}"#, 422, ["body.user"]), (#"{"model":"stub","input":"a","n":1}"#, 422, ["body.n"]),
        ])
    func refused(body: String, status: Int, locations: [String]) {
        let reply = server.post("/v1/embeddings", text: body)

        #expect(reply.status == status && reply.locations == locations)
        #expect(stub.requests.isEmpty)
        if body.contains("[1,2") { #expect(reply.json["errors"]?[0]?["msg"] == "token ids are not accepted: send the text") }
    }

    @Test("limits are those of chunks, and 2048 texts")
    func limits() {
        let long = String(repeating: "x", count: 10_001)
        #expect(embed(["model": "stub", "input": .string(long)]).locations == ["body.input"])
        #expect(embed(["model": "stub", "input": .array(Array(repeating: "a", count: 2049))]).problemTypes == ["too_long"])
        #expect(embed(["model": "stub", "input": .array(Array(repeating: "a", count: 2048))]).json["data"]?.array?.count == 2048)
    }

    @Test(
        "a model without provider or key is 503 and says which",
        arguments: [("all-minilm-l6-v2", "no model directory"), ("embed-v4.0", "COHERE_API_KEY")])
    func unavailable(model: String, reason: String) {
        let reply = embed(["model": .string(model), "input": "a"])

        #expect(reply.status == 503 && reply.errorType == "EmbeddingServiceError" && reply.detail.contains(reason))
    }

    @Test("a provider's failure is 503, says which provider and status, and leaves no half document")
    func failure() throws {
        let library = try #require(server.post("/v1/libraries", ["name": "n", "embedding_model": "stub"]).headers[.location])

        let added = server.post("\(library)/documents", ["title": "T", "texts": ["fail"]])
        let searched = server.post("\(library)/search", ["query": "fail"])

        for reply in [added, searched, embed(["model": "stub", "input": "fail"])] {
            #expect(reply.status == 503 && reply.errorType == "EmbeddingServiceError")
            #expect(
                reply.detail
                    == "No text can be embedded with 'stub' now: cohere answered with status 400: it does not accept the request")
        }
        #expect(embed(["model": "stub", "input": "nothing"]).detail == "The model 'stub' gave a text a vector without a direction")
        #expect(server.get(library).json["num_documents"] == 0)
        #expect(server.service.embeddingGate.callers == 0)
    }

    @Test("a query that was asked before is not embedded again, unless the cache is off; documents are")
    func cache() throws {
        let library = try #require(server.post("/v1/libraries", ["name": "n", "embedding_model": "stub"]).headers[.location])
        func ask(_ query: JSON) -> Int {
            #expect(server.post("\(library)/search", ["query": query]).status == 200)
            return stub.requests.count
        }

        #expect(ask("a") == 1 && ask("a") == 1 && ask("b") == 2 && ask("a") == 2)
        #expect(embed(["model": "stub", "input": "a"]).status == 200 && stub.requests.count == 3, "as a document it is another text")
        for _ in 0..<2 { #expect(embed(["model": "stub", "input": ["a", "c"], "input_type": "query"]).status == 200) }
        #expect(stub.requests.count == 4)

        let model = RemoteModel(name: "stub", provider: .cohere, dimension: 3, maxTokens: 9, baseURL: stub.url, summary: "s")
        let forgetful = try TestServer(
            ["QUERY_CACHE_BYTES": "0"], catalogue: ModelCatalogue(modelDirectory: nil, configured: [model]))
        for _ in 0..<2 { #expect(forgetful.post("/v1/embeddings", ["model": "stub", "input": "a", "input_type": "query"]).status == 200) }
        #expect(stub.requests.count == 6)
    }

    @Test("a provider that keeps failing is not asked, and the answer says when it will be")
    func resting() throws {
        let down = StubServer { _, _ in .json(503, [:]) }
        let model = RemoteModel(name: "down", provider: .ollama, dimension: 3, maxTokens: 9, baseURL: down.url, summary: "s")
        let server = try TestServer(
            catalogue: ModelCatalogue(modelDirectory: nil, configured: [model], policy: RetryPolicy(), clock: .standing))

        let first = server.post("/v1/embeddings", ["model": "down", "input": "a"])
        let second = server.post("/v1/embeddings", ["model": "down", "input": "a"])

        #expect(first.detail == "No text can be embedded with 'down' now: ollama answered with status 503: it failed")
        #expect(down.requests.count == 5)
        #expect(second.status == 503 && second.errorType == "EmbeddingServiceError")
        #expect(second.detail.contains("ollama failed many times in a row and is asked again in "))
        #expect(second.detail.hasSuffix(" s; the last time: status 503: it failed"))
        // The rest of thirty seconds, and one more.
        #expect(second.headers[.retryAfter] == "31")
        let listed = try #require(server.get("/v1/models").json["models"]?.array?.last)
        #expect(listed["available"] == false && listed["unavailable_because"]?.string?.contains("status 503: it failed") == true)
    }

    @Test("no answer and a deadline are said as what they are")
    func errors() {
        let silent = APIError(EmbeddingError.providerFailed(model: "m", provider: "openai", status: nil, reason: "no answer within 30 s"))
        #expect(silent.type == .embeddingService)
        #expect(silent.detail == "No text can be embedded with 'm' now: openai gave no answer: no answer within 30 s")
        #expect(APIError(EmbeddingError.deadlineExceeded).type == .unavailable)
    }

    @Test("the local model counts its tokens", .needsWeights)
    func tokens() throws {
        let local = try TestServer(model: weightsDirectory)

        let reply = local.post("/v1/embeddings", ["model": "all-minilm-l6-v2", "input": ["a dog", "the stock market"]])

        #expect(reply.json["usage"] == ["prompt_tokens": 9, "total_tokens": 9])
        #expect(reply.json["data"]?.array?.count == 2 && reply.json["data"]?[1]?["embedding"]?.floats?.count == 384)
    }
}
