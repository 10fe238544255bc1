import TestSupport
import Testing

@testable import Embedding

@Suite("Catalogue") struct ModelCatalogueTests {
    @Test("lists the models by name, with or without weights")
    func lists() {
        let catalogue = ModelCatalogue(modelDirectory: nil)

        #expect(catalogue.models.map(\.name) == ["all-minilm-l6-v2", "embed-english-v3.0"])
        #expect(catalogue.models.map(\.dimension) == [384, 1024])
        #expect(catalogue.models.map(\.maxTokens) == [256, 512])
        #expect(catalogue.models.map(\.provider) == ["minilm", "cohere"])
        #expect(catalogue.model(named: "embed-english-v3.0") == catalogue.models[1])
        #expect(catalogue.model(named: "all-MiniLM-L6-v2") == nil)
    }

    @Test("says why a model has no provider", arguments: [nil, "/nonexistent"] as [String?])
    func unavailable(directory: String?) throws {
        let catalogue = ModelCatalogue(modelDirectory: directory)
        let why = directory.map {
            "weights not found in \($0); run Scripts/bootstrap-model (/nonexistent/model.safetensors: cannot open: No such file or directory)"
        }
        let expected = [why ?? "no model directory is set", "no provider for 'cohere' models in this version"]

        for (model, reason) in zip(catalogue.models, expected) {
            #expect(catalogue.availability(of: model) == .unavailable(reason: reason))
            #expect(throws: EmbeddingError.providerUnavailable(model: model.name, reason: reason)) { try catalogue.provider(for: model) }
        }
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
            #expect(reason.hasPrefix("damaged weights; run Scripts/bootstrap-model (\(path): ") && reason.contains(complaint))
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
        let closeness = [1, 2].map { cosine(vectors[0].map(Double.init), vectors[$0].map(Double.init)) }
        #expect(closeness[0] > 0.6 && closeness[1] < 0.3)
    }
}
