import Database
import Embedding
import Glibc
import Settings

extension ModelCatalogue {
    /// The catalogue that the settings ask for, with the keys that the environment has.
    init(_ settings: Settings) {
        var keys: [String: APIKey] = [:]
        for variable in settings.keyVariables { keys[variable] = getenv(variable).flatMap { APIKey(String(cString: $0)) } }
        self.init(modelDirectory: settings.modelDirectory, configured: settings.models.map(RemoteModel.init), keys: keys)
    }
}

extension RemoteModel {
    init(_ settings: ModelSettings) {
        let provider = RemoteProviderKind(settings.provider)
        // A key that was given for one address is sent to no other.
        let keyVariable = settings.keyVariable ?? (settings.baseURL == nil ? provider.standardKeyVariable : nil)
        self.init(
            name: settings.name, provider: provider, remoteName: settings.model, dimension: settings.dimension,
            maxTokens: settings.maxTokens, baseURL: settings.baseURL, keyVariable: keyVariable,
            requestsDimension: settings.requestsDimension, queryPrefix: settings.queryPrefix, documentPrefix: settings.documentPrefix,
            summary: "A model of the configuration file, computed by \(settings.provider.rawValue) at "
                + "\(settings.baseURL ?? provider.standardBaseURL): texts are sent there.")
    }
}

extension RemoteProviderKind {
    fileprivate init(_ provider: ModelSettings.Provider) {
        switch provider {
        case .cohere: self = .cohere
        case .openai: self = .openai
        case .ollama: self = .ollama
        }
    }
}

/// What the catalogue has against the models of the settings; one line for the operator.
func contradictionOfModels(in settings: Settings) -> String? {
    let taken = ModelCatalogue.builtInNames.union([LibraryRecord.externalModel])
    guard let model = settings.models.first(where: { taken.contains($0.name) }) else { return nil }
    return "models: the name \"\(model.name)\" (\(model.origin)) is refused; accepted: a name that no built-in model has"
}
