/// The kinds of providers on the network, by the name they have in settings and on the wire.
package enum RemoteProviderKind: String, Sendable, CaseIterable {
    case cohere, openai, ollama

    var format: any WireFormat {
        switch self {
        case .cohere: CohereFormat()
        case .openai: OpenAIFormat()
        case .ollama: OllamaFormat()
        }
    }
}

/// A model that a provider on the network computes.
package struct RemoteModel: Sendable, Equatable {
    /// Its name here.
    package var name: String
    package var provider: RemoteProviderKind
    /// Its name there.
    package var remoteName: String
    package var dimension: Int
    package var maxTokens: Int
    /// http or https, without a slash at its end; what the provider's documentation calls its base URL.
    package var baseURL: String
    /// The environment variable with the key; `nil` for a provider that asks for none.
    package var keyVariable: String?
    /// Whether a request names the dimension, for models that have several.
    package var requestsDimension: Bool
    /// Put before texts of each kind, where a model was trained so.
    package var queryPrefix: String
    package var documentPrefix: String
    package var summary: String

    package init(
        name: String, provider: RemoteProviderKind, remoteName: String? = nil, dimension: Int, maxTokens: Int, baseURL: String? = nil,
        keyVariable: String? = nil, requestsDimension: Bool = false, queryPrefix: String = "", documentPrefix: String = "",
        summary: String
    ) {
        self.name = name
        self.provider = provider
        self.remoteName = remoteName ?? name
        self.dimension = dimension
        self.maxTokens = maxTokens
        self.baseURL = baseURL ?? provider.standardBaseURL
        self.keyVariable = keyVariable
        self.requestsDimension = requestsDimension
        self.queryPrefix = queryPrefix
        self.documentPrefix = documentPrefix
        self.summary = summary
    }

    /// As libraries see it.
    package var model: EmbeddingModel {
        EmbeddingModel(name: name, dimension: dimension, maxTokens: maxTokens, provider: provider.rawValue, summary: summary)
    }
}

extension RemoteProviderKind {
    package var standardBaseURL: String {
        switch self {
        case .cohere: "https://api.cohere.com"
        case .openai: "https://api.openai.com/v1"
        case .ollama: "http://127.0.0.1:11434"
        }
    }

    /// The variable with the key for the standard base URL. It is sent nowhere else unless a model names it.
    package var standardKeyVariable: String? {
        switch self {
        case .cohere: "COHERE_API_KEY"
        case .openai: "OPENAI_API_KEY"
        case .ollama: nil
        }
    }
}
