import JSON
import TestSupport
import Testing

@testable import Embedding

@Suite("Remote provider") struct RemoteProviderTests {
    @Test("gives each text its vector, of length 1", arguments: RemoteProviderKind.allCases, [false, true])
    func embeds(kind: RemoteProviderKind, asFloats: Bool) throws {
        let server = StubServer { request, _ in kind.answer(request, dimension: 5, asFloats: asFloats) }
        let texts = ["one", "two", "", "\"quoted\" \\ \n \u{0} \u{1F600}", markerText]

        let embeddings = try makeProvider(kind, server, dimension: 5).embed(texts, as: .document)

        #expect(embeddings.count == 5 && embeddings.dimension == 5 && embeddings.tokens == 15)
        for (index, text) in texts.enumerated() {
            #expect(Array(embeddings[index]) == stubUnitVector(text, dimension: 5))
            #expect(abs(embeddings[index].reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        }
        #expect(server.requests.count == 1 && kind.texts(of: server.requests[0]) == texts)
        #expect(server.requests[0].headers["authorization"] == "Bearer \(markerKey)")
    }

    @Test("asks each provider in its own format")
    func formats() throws {
        let server = StubServer { request, _ in
            let kind: RemoteProviderKind = request.target == "/v2/embed" ? .cohere : request.target == "/api/embed" ? .ollama : .openai
            return kind.answer(request, dimension: 4)
        }
        func ask(_ kind: RemoteProviderKind, _ inputType: EmbeddingInputType, _ change: (inout RemoteModel) -> Void = { _ in }) throws {
            _ = try makeProvider(kind, server, key: kind == .ollama ? nil : markerKey, change: change).embed(["t"], as: inputType)
        }

        try ask(.cohere, .query)
        try ask(.cohere, .document) { $0.requestsDimension = true }
        try ask(.openai, .query) { ($0.queryPrefix, $0.documentPrefix) = ("query: ", "passage: ") }
        try ask(.openai, .document) { ($0.queryPrefix, $0.documentPrefix, $0.requestsDimension) = ("query: ", "passage: ", true) }
        try ask(.ollama, .document)

        let requests = server.requests
        #expect(requests.map(\.target) == ["/v2/embed", "/v2/embed", "/embeddings", "/embeddings", "/api/embed"])
        let cohere: [String: TestSupport.JSON] = ["model": "there", "texts": ["t"], "embedding_types": ["float"], "truncate": "END"]
        #expect(requests[0].json == .object(cohere.merging(["input_type": "search_query"]) { $1 }))
        #expect(requests[1].json == .object(cohere.merging(["input_type": "search_document", "output_dimension": 4]) { $1 }))
        #expect(requests[2].json == ["model": "there", "input": ["query: t"], "encoding_format": "base64"])
        #expect(requests[3].json == ["model": "there", "input": ["passage: t"], "encoding_format": "base64", "dimensions": 4])
        #expect(requests[4].json == ["model": "there", "input": ["t"], "truncate": true])
        #expect(requests.map { $0.headers["authorization"] != nil } == [true, true, true, true, false])
    }

    @Test(
        "sends as many texts at once as the provider takes, and puts them in order",
        arguments: [(RemoteProviderKind.cohere, 96), (.openai, 2048), (.ollama, 64)])
    func batches(kind: RemoteProviderKind, limit: Int) throws {
        let server = StubServer { request, before in
            // The first is answered last.
            if before == 0 { for _ in 0..<200 { yieldThread() } }
            return kind.answer(request, dimension: 3)
        }
        let texts = (0..<limit * 3 + 1).map { "text \($0)" }

        let embeddings = try makeProvider(kind, server, dimension: 3).embed(texts, as: .document)

        #expect(server.requests.map { kind.texts(of: $0).count }.sorted() == [1, limit, limit, limit])
        #expect(embeddings.count == texts.count && embeddings.tokens == 3 * texts.count)
        let wrong = texts.indices.filter { Array(embeddings[$0]) != stubUnitVector(texts[$0], dimension: 3) }
        #expect(wrong.isEmpty)
    }

    @Test("cuts batches by bytes too, and leaves a longer text to itself")
    func byteBatches() {
        func lengths(_ bytes: [Int], _ maxTexts: Int = 100) -> [Range<Int>] {
            RemoteProvider.batches(of: bytes.map { String(repeating: "x", count: $0) }, maxTexts: maxTexts)
        }
        let most = RemoteProvider.maxBatchBytes

        #expect(lengths([]).isEmpty && lengths([0]) == [0..<1])
        #expect(lengths([1, most - 1, 1]) == [0..<2, 2..<3])
        #expect(lengths([most + 1, 1, most + 1]) == [0..<1, 1..<2, 2..<3])
        #expect(lengths([1, 1, 1, 1, 1], 2) == [0..<2, 2..<4, 4..<5])
    }

    @Test("no texts are no request")
    func empty() throws {
        let server = StubServer { _, _ in .silence }

        #expect(try makeProvider(.openai, server).embed([], as: .document).count == 0)

        #expect(server.connections == 0)
    }

    @Test("a batch that fails for good stops the rest, and one that comes back is repeated alone")
    func failingBatch() throws {
        let texts = (0..<64 * 6).map { "text \($0)" }
        let flaky = StubServer { request, before in
            before == 2 ? .json(500, [:]) : RemoteProviderKind.ollama.answer(request, dimension: 3)
        }
        let broken = StubServer { _, _ in .json(400, [:]) }

        #expect(try makeProvider(.ollama, flaky, dimension: 3).embed(texts, as: .document).count == texts.count)
        #expect(flaky.requests.count == 7)
        #expect(throws: EmbeddingError.self) { try makeProvider(.ollama, broken, dimension: 3).embed(texts, as: .document) }
        #expect((1...4).contains(broken.requests.count), "one for each thread at most")
    }

    private static let malformed: [(RemoteProviderKind, String, String)] =
        [
            (.openai, "", "its answer is not JSON"), (.openai, "<html>502</html>", "its answer is not JSON"),
            (.openai, #"{"data":[{"index":0,"embedding":[1,2"#, "its answer is not JSON"),
            (.openai, "[]", "its answer has 0 vectors for 2 texts"), (.openai, "{}", "its answer has 0 vectors for 2 texts"),
            (.openai, #"{"data":{}}"#, "its answer has 0 vectors for 2 texts"),
            (.openai, #"{"data":[{"index":0,"embedding":[1,2]}]}"#, "its answer has 1 vectors for 2 texts"),
            (
                .openai, #"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}"#,
                "its vectors are not those of the texts"
            ),
            (
                .openai, #"{"data":[{"index":0,"embedding":[1,2]},{"index":2,"embedding":[1,2]}]}"#,
                "its vectors are not those of the texts"
            ),
            (
                .openai, #"{"data":[{"index":0,"embedding":[1,2]},{"embedding":[1,2]}]}"#,
                "its vectors are not those of the texts"
            ),
            (
                .openai, #"{"data":[{"index":1,"embedding":[1,2]},{"index":0,"embedding":[1,2,3]}]}"#,
                "vector 0 has 3 numbers, the model has 2"
            ),
            (
                .openai, #"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":["x",2]}]}"#,
                "vector 1 is not one of finite numbers"
            ),
            (
                .openai, #"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1e39,2]}]}"#,
                "vector 1 is not one of finite numbers"
            ),
            (.openai, #"{"data":[{"index":0,"embedding":"%%%"}]}"#, "vector 0 is not one of finite numbers"),
            (.openai, #"{"data":[{"index":0,"embedding":"AACAfwAAAAA="}]}"#, "vector 0 is not one of finite numbers"),
            (.openai, #"{"data":[{"index":0,"embedding":"AACAPw=="}]}"#, "vector 0 has 1 numbers, the model has 2"),
            (.openai, #"{"data":[{"index":0,"embedding":true}]}"#, "vector 0 is not one of finite numbers"),
            (.openai, #"{"data":[{"index":0}]}"#, "vector 0 is not one of finite numbers"),
            (.cohere, "{}", "its answer has 0 vectors for 2 texts"),
            (.cohere, #"{"embeddings":[[1,2],[3,4]]}"#, "its answer has 0 vectors for 2 texts"),
            (.cohere, #"{"embeddings":{"float":[[1,2]]}}"#, "its answer has 1 vectors for 2 texts"),
            (.cohere, #"{"embeddings":{"float":[[1,2],[1,2],[1,2]]}}"#, "its vectors are not those of the texts"),
            (.cohere, #"{"embeddings":{"float":[[1,2],5]}}"#, "vector 1 is not one of finite numbers"),
            (.cohere, #"{"embeddings":{"float":[[1],[1,2]]}}"#, "vector 0 has 1 numbers, the model has 2"),
            (.ollama, #"{"embeddings":[[1,2]]}"#, "its answer has 1 vectors for 2 texts"),
            (.ollama, #"{"embeddings":[[1,2],null]}"#, "vector 1 is not one of finite numbers"),
            (.ollama, #"{"embedding":[1,2]}"#, "its answer has 0 vectors for 2 texts"),
        ]

    @Test("an answer that is none is refused, and not asked for again", arguments: malformed)
    func wrongAnswers(kind: RemoteProviderKind, body: String, reason: String) {
        let server = StubServer { _, _ in .reply(200, body: Array(body.utf8)) }

        #expect(
            throws: EmbeddingError.providerFailed(model: "m", provider: kind.rawValue, status: 200, reason: reason)
        ) { try makeProvider(kind, server, dimension: 2).embed(["a", "b"], as: .document) }
        #expect(server.requests.count == 1)
    }

    @Test("an answer that is larger than any right one is not read to its end")
    func giant() {
        let server = StubServer { _, _ in .reply(200, body: [UInt8](repeating: 0x20, count: 4 << 20)) }

        #expect(
            throws: EmbeddingError.providerFailed(
                model: "m", provider: "openai", status: nil, reason: "its answer is larger than 65702 bytes")
        ) { try makeProvider(.openai, server).embed(["x"], as: .document) }
        #expect(server.requests.count == 1)
    }

    @Test("a vector without a direction is refused")
    func noDirection() {
        let server = StubServer { _, _ in RemoteProviderKind.cohere.answer([[1, 0], [0, 0]]) }

        #expect(throws: EmbeddingError.noDirection(model: "m")) {
            try makeProvider(.cohere, server, dimension: 2).embed(["a", "b"], as: .document)
        }
    }

    @Test("tokens that are not said, or not as a number, count as none")
    func tokens() throws {
        for (kind, body) in [
            (RemoteProviderKind.openai, #"{"data":[{"index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":"many"}}"#),
            (.openai, #"{"data":[{"index":0,"embedding":[1,0]}],"usage":7}"#), (.ollama, #"{"embeddings":[[1,0]]}"#),
            (.cohere, #"{"embeddings":{"float":[[1,0]]},"meta":{"billed_units":{"input_tokens":1.5}}}"#),
            (.cohere, #"{"embeddings":{"float":[[1,0]]},"meta":null}"#),
        ] {
            let server = StubServer { _, _ in .reply(200, body: Array(body.utf8)) }
            #expect(try makeProvider(kind, server, dimension: 2).embed(["a"], as: .document).tokens == 0)
        }
    }

    /// What a hostile or careless provider could say back.
    private static let echoes: [StubServer.Answer] = {
        let echo = "\(markerKey) \(markerText)"
        let bodies: [TestSupport.JSON] = [
            ["error": .string(echo)], ["message": .string(echo)],
            ["error": ["message": .string(echo), "code": .string(markerKey), "type": .string(markerText)]],
            ["data": [["index": 0, "embedding": .string(echo)]]], ["data": .string(echo)], .string(echo), ["embeddings": [[.string(echo)]]],
        ]
        return [200, 307, 400, 401, 404, 429, 500].flatMap { status in
            bodies.map { StubServer.Answer.json(status, headers: ["Retry-After": echo, "Location": "http://\(markerKey)/"], $0) }
        } + [.raw(Array(echo.utf8)), .raw(Array("HTTP/1.1 200 \(echo)\r\nContent-Length: 9999\r\n\r\n\(echo)".utf8))]
    }()

    @Test("neither key nor text is in any error, whatever the provider answers", arguments: RemoteProviderKind.allCases)
    func secrets(kind: RemoteProviderKind) throws {
        var seen = 0
        for echo in Self.echoes {
            let server = StubServer { _, _ in echo }
            let provider = makeProvider(kind, server) { $0.queryPrefix = "MARKERPREFIX" }
            for _ in 0..<2 {
                let error = #expect(throws: EmbeddingError.self) { try provider.embed([markerText], as: .query) }
                var text = "\(String(describing: error)) \(String(reflecting: error)) \(provider) \(String(reflecting: provider))"
                dump(error, to: &text)
                dump(provider, to: &text)
                #expect(!text.replacing("MARKERPREFIX", with: "").contains("MARKER"))
                seen += 1
            }
            #expect(server.requests.allSatisfy { String(decoding: $0.body, as: UTF8.self).contains(markerText) })
        }
        #expect(seen == 2 * Self.echoes.count && seen > 80)
    }
}
