/// The models a library can be created for, and who computes them here.
///
/// A model whose provider is missing stays listed with the reason, so that libraries created for it can be opened, searched by
/// vector and told apart from ones with a misspelt model.
package struct ModelCatalogue: Sendable {
    package enum Availability: Sendable, Equatable {
        case available
        case unavailable(reason: String)
    }

    /// The local model, those of the providers on the network, then those of the configuration.
    package let models: [EmbeddingModel]

    /// By the name of the model: its provider, or why there is none.
    private let providers: [String: Result<any EmbeddingProvider, Unavailable>]

    private struct Unavailable: Error {
        let reason: String
    }

    /// Names that a model of the configuration cannot have.
    package static let builtInNames: Set<String> = Set([EmbeddingModel.allMiniLML6v2.name] + RemoteModel.builtIn.map(\.name))

    /// Loads the local model from `modelDirectory`, which has its model.safetensors and vocab.txt (20 to 40 ms). Missing or
    /// damaged files are not an error here: they are the reason that the model is unavailable. No provider on the network is asked.
    ///
    /// - Parameters:
    ///   - configured: models besides the built-in ones, with names of their own.
    ///   - keys: by the name of their environment variable.
    package init(
        modelDirectory: String?, precision: EmbeddingPrecision = .automatic, configured: [RemoteModel] = [], keys: [String: APIKey] = [:]
    ) {
        self.init(
            modelDirectory: modelDirectory, precision: precision, configured: configured, keys: keys, policy: RetryPolicy(), clock: .system)
    }

    init(
        modelDirectory: String?, precision: EmbeddingPrecision = .automatic, configured: [RemoteModel] = [], keys: [String: APIKey] = [:],
        policy: RetryPolicy, clock: RemoteClock
    ) {
        let local = EmbeddingModel.allMiniLML6v2
        let remote = RemoteModel.builtIn + configured
        models = [local] + remote.map(\.model)
        var providers = [local.name: Self.miniLM(modelDirectory, precision)]
        var endpoints: [EndpointName: RemoteEndpoint] = [:]
        for model in remote {
            precondition(providers[model.name] == nil, "the server checks the names of models before it starts")
            let key = model.keyVariable.flatMap { keys[$0] }
            if let variable = model.keyVariable, key == nil {
                providers[model.name] = .failure(Unavailable(reason: "no API key: set \(variable) in the environment of the server"))
                continue
            }
            let name = EndpointName(kind: model.provider, baseURL: model.baseURL, keyVariable: model.keyVariable)
            let endpoint =
                endpoints[name] ?? RemoteEndpoint(model.provider, baseURL: model.baseURL, key: key, policy: policy, clock: clock)
            endpoints[name] = endpoint
            providers[model.name] = .success(RemoteProvider(model: model, endpoint: endpoint))
        }
        self.providers = providers
    }

    /// What models have in common that share an endpoint.
    private struct EndpointName: Hashable {
        let kind: RemoteProviderKind
        let baseURL: String
        let keyVariable: String?
    }

    private static let fetching = "run Scripts/bootstrap-model, or quire-bootstrap-model where Quire is installed"

    private static func miniLM(_ directory: String?, _ precision: EmbeddingPrecision) -> Result<any EmbeddingProvider, Unavailable> {
        guard let directory else { return .failure(Unavailable(reason: "no model directory is set")) }
        do {
            return .success(try MiniLMProvider(directory: directory, precision: precision))
        } catch .unreadableFile(let path, let reason) {
            return .failure(Unavailable(reason: "weights not found in \(directory); \(fetching) (\(path): \(reason))"))
        } catch .invalidModelFile(let path, let reason) {
            return .failure(Unavailable(reason: "damaged weights; \(fetching) (\(path): \(reason))"))
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

    /// For a list of models and for readiness; asks nobody and costs nothing. A provider on the network counts as available until calls
    /// of it have failed.
    package func availability(of model: EmbeddingModel) -> Availability {
        switch lookUp(model) {
        case .success(let provider):
            guard let refusal = (provider as? RemoteProvider)?.endpoint.refusal else { return .available }
            return .unavailable(
                reason: "\(CircuitBreaker.limit) calls or more have failed in a row, the last with: \(refusal.reason); "
                    + "the next one is in \(refusal.remaining.components.seconds + 1) s")
        case .failure(let unavailable):
            return .unavailable(reason: unavailable.reason)
        }
    }

    /// Whether the model's provider is not asked now, because calls of it have failed again and again.
    package func isResting(_ model: EmbeddingModel) -> Bool {
        guard case .success(let provider as RemoteProvider) = lookUp(model) else { return false }
        return provider.endpoint.refusal != nil
    }

    private func lookUp(_ model: EmbeddingModel) -> Result<any EmbeddingProvider, Unavailable> {
        providers[model.name] ?? .failure(Unavailable(reason: "the model is not in the catalogue"))
    }
}
