/// The models a library can be created for, and who computes them here.
///
/// A model whose provider is missing stays listed with the reason, so that libraries created for it can be opened, searched by
/// vector and told apart from ones with a misspelt model.
package struct ModelCatalogue: Sendable {
    package enum Availability: Sendable, Equatable {
        case available
        case unavailable(reason: String)
    }

    package let models: [EmbeddingModel] = [.allMiniLML6v2, .embedEnglishV3]

    /// By the name of the model: its provider, or why there is none.
    private let providers: [String: Result<any EmbeddingProvider, Unavailable>]

    private struct Unavailable: Error {
        let reason: String
    }

    /// Loads the local model from `modelDirectory`, which has its model.safetensors and vocab.txt (20 to 40 ms). Missing or
    /// damaged files are not an error here: they are the reason that the model is unavailable.
    package init(modelDirectory: String?, precision: EmbeddingPrecision = .automatic) {
        var providers: [String: Result<any EmbeddingProvider, Unavailable>] = [:]
        for model in models {
            switch model.provider {
            case "minilm": providers[model.name] = Self.miniLM(modelDirectory, precision)
            default: providers[model.name] = .failure(Unavailable(reason: "no provider for '\(model.provider)' models in this version"))
            }
        }
        self.providers = providers
    }

    private static func miniLM(_ directory: String?, _ precision: EmbeddingPrecision) -> Result<any EmbeddingProvider, Unavailable> {
        guard let directory else { return .failure(Unavailable(reason: "no model directory is set")) }
        do {
            return .success(try MiniLMProvider(directory: directory, precision: precision))
        } catch .unreadableFile(let path, let reason) {
            return .failure(Unavailable(reason: "weights not found in \(directory); run Scripts/bootstrap-model (\(path): \(reason))"))
        } catch .invalidModelFile(let path, let reason) {
            return .failure(Unavailable(reason: "damaged weights; run Scripts/bootstrap-model (\(path): \(reason))"))
        } catch {
            return .failure(Unavailable(reason: "\(error)"))
        }
    }

    package func model(named name: String) -> EmbeddingModel? {
        models.first { $0.name == name }
    }

    package func provider(for model: EmbeddingModel) throws(EmbeddingError) -> any EmbeddingProvider {
        switch lookUp(model) {
        case .success(let provider): return provider
        case .failure(let unavailable): throw .providerUnavailable(model: model.name, reason: unavailable.reason)
        }
    }

    /// For a list of models and for readiness; asks nobody and costs nothing.
    package func availability(of model: EmbeddingModel) -> Availability {
        switch lookUp(model) {
        case .success: .available
        case .failure(let unavailable): .unavailable(reason: unavailable.reason)
        }
    }

    private func lookUp(_ model: EmbeddingModel) -> Result<any EmbeddingProvider, Unavailable> {
        providers[model.name] ?? .failure(Unavailable(reason: "the model is not in the catalogue"))
    }
}
