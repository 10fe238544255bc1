import TestSupport
import Testing

@testable import Embedding

@Suite("Catalogue") struct ModelCatalogueTests {
    private static let dimensions = [
        "all-minilm-l6-v2": 384, "embed-english-v3.0": 1024, "embed-multilingual-v3.0": 1024, "embed-english-light-v3.0": 384,
        "embed-v4.0": 1536, "text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536,
        "nomic-embed-text": 768, "mxbai-embed-large": 1024, "bge-m3": 1024,
    ]

    @Test("lists the models by name, with or without weights and keys")
    func lists() {
        let catalogue = ModelCatalogue(modelDirectory: nil)

        #expect(Dictionary(uniqueKeysWithValues: catalogue.models.map { ($0.name, $0.dimension) }) == Self.dimensions)
        #expect(catalogue.models.map(\.provider).first == "minilm" && catalogue.models[0].maxTokens == 256)
        #expect(Set(catalogue.models.map(\.provider)) == Set(RemoteProviderKind.allCases.map(\.rawValue) + ["minilm"]))
        #expect(catalogue.models.allSatisfy { $0.maxTokens >= 256 && !$0.summary.isEmpty && $0.isLocal == ($0.provider == "minilm") })
        #expect(catalogue.model(named: "embed-english-v3.0") == catalogue.models[1])
        #expect(catalogue.model(named: "all-MiniLM-L6-v2") == nil)
        #expect(ModelCatalogue.builtInNames == Set(Self.dimensions.keys))
    }

    private let fetching = "run Scripts/bootstrap-model, or quire-bootstrap-model where Quire is installed"

    @Test("says why the local model has no provider", arguments: [nil, "/nonexistent"] as [String?])
    func unavailable(directory: String?) throws {
        let catalogue = ModelCatalogue(modelDirectory: directory)
        let model = catalogue.models[0]
        let why = directory.map {
            "weights not found in \($0); \(fetching) (/nonexistent/model.safetensors: cannot open: No such file or directory)"
        }
        let reason = why ?? "no model directory is set"

        #expect(catalogue.availability(of: model) == .unavailable(reason: reason))
        #expect(throws: EmbeddingError.providerUnavailable(model: model.name, reason: reason)) { try catalogue.provider(for: model) }
    }

    @Test("says which variable lacks the key of a model, and has those whose key is there")
    func keys() throws {
        let own = RemoteModel(
            name: "own", provider: .openai, dimension: 3, maxTokens: 9, baseURL: "http://127.0.0.1:1", keyVariable: "OWN_KEY", summary: "")
        let open = RemoteModel(name: "open", provider: .openai, dimension: 3, maxTokens: 9, baseURL: "http://127.0.0.1:1", summary: "")
        let catalogue = ModelCatalogue(
            modelDirectory: nil, configured: [own, open], keys: ["OPENAI_API_KEY": try #require(APIKey(markerKey))])
        let reasons = Dictionary(
            uniqueKeysWithValues: catalogue.models.map { model -> (String, String?) in
                guard case .unavailable(let reason) = catalogue.availability(of: model) else { return (model.name, nil) }
                return (model.name, reason)
            })

        #expect(reasons["text-embedding-3-small"] == .some(nil) && reasons["nomic-embed-text"] == .some(nil))
        #expect(reasons["open"] == .some(nil))
        #expect(reasons["own"] == "no API key: set OWN_KEY in the environment of the server")
        #expect(reasons["embed-v4.0"] == "no API key: set COHERE_API_KEY in the environment of the server")
        #expect(catalogue.models.suffix(2).map(\.name) == ["own", "open"])
        var text = "\(catalogue)"
        dump(catalogue, to: &text)
        #expect(!text.contains("MARKER"))
    }

    @Test("a configured model is computed by its provider; models of one address share what is known of it")
    func configured() throws {
        let isUp = Shared(true)
        let server = StubServer { request, _ in
            isUp.current ? RemoteProviderKind.openai.answer(request, dimension: 6) : .json(400 + 100, [:])
        }
        func model(_ name: String) -> RemoteModel {
            RemoteModel(name: name, provider: .openai, remoteName: "e5", dimension: 6, maxTokens: 9, baseURL: server.url, summary: "s")
        }
        let clock = TestClock()
        let catalogue = ModelCatalogue(
            modelDirectory: nil, configured: [model("a"), model("b")], policy: RetryPolicy(attempts: 9), clock: clock.remote)
        let (a, b) = (try #require(catalogue.model(named: "a")), try #require(catalogue.model(named: "b")))

        #expect(try Array(catalogue.provider(for: a).embed(["t"], as: .query)[0]) == stubUnitVector("t", dimension: 6))
        #expect(catalogue.availability(of: b) == .available)

        isUp.set(false)
        #expect(throws: EmbeddingError.self) { try catalogue.provider(for: a).embed(["t"], as: .query) }
        guard case .unavailable(let reason) = catalogue.availability(of: b) else {
            Issue.record("the circuit is not open")
            return
        }
        #expect(reason.hasPrefix("5 calls or more have failed in a row, the last with: status 500: it failed; the next one is in "))
        clock.advance(by: .seconds(30))
        #expect(catalogue.availability(of: b) == .available)
    }

    @Test("says that weights are damaged")
    func damaged() throws {
        let directory = TemporaryDirectory()
        try TinyModel(seed: 1).write(to: directory)
        let path = directory.path + "/model.safetensors"
        for (bytes, complaint) in [
            (try contents(of: path), "has shape"), (Array(try contents(of: path).dropLast(100)), "the tensors have"),
            ([], "the file is empty"),
        ] {
            try directory.write("model.safetensors", bytes)

            let catalogue = ModelCatalogue(modelDirectory: directory.path)

            guard case .unavailable(let reason) = catalogue.availability(of: catalogue.models[0]) else {
                Issue.record("a damaged model is available")
                continue
            }
            #expect(reason.hasPrefix("damaged weights; \(fetching) (\(path): ") && reason.contains(complaint))
        }
    }

    @Test("has no provider for a model it does not list")
    func unlisted() {
        let model = EmbeddingModel(name: "other", dimension: 3, maxTokens: 3, provider: "minilm", summary: "")

        #expect(ModelCatalogue(modelDirectory: nil).availability(of: model) == .unavailable(reason: "the model is not in the catalogue"))
    }

    @Test("has the local model when its weights are there", .needsWeights)
    func available() throws {
        let catalogue = ModelCatalogue(modelDirectory: weightsDirectory)
        let model = try #require(catalogue.model(named: "all-minilm-l6-v2"))

        #expect(catalogue.availability(of: model) == .available)
        let vectors = try catalogue.provider(for: model).embed(["a dog", "a puppy", "the stock market"], as: .query)

        #expect(vectors.dimension == model.dimension && vectors.count == 3)
        // [CLS] and [SEP] around two, two and three words.
        #expect(vectors.tokens == 13)
        let closeness = [1, 2].map { cosine(vectors[0].map(Double.init), vectors[$0].map(Double.init)) }
        #expect(closeness[0] > 0.6 && closeness[1] < 0.3)
    }
}
