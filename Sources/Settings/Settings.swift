import FoundationEssentials

/// Everything an operator can choose, checked: the environment first, then the file, then the default.
///
/// To add a setting: a property here, its declaration in `init(reading:)`, its line in `Config/quire.yaml`,
/// then `quire config document > docs/configuration.md`.
package struct Settings: Sendable, Equatable {
    // Where it listens.
    package var host: IPAddress
    package var port: Int
    package var allowAnonymous: Bool
    /// `nil`: HTTP without TLS.
    package var tls: TLSFiles?

    // Who asks.
    /// Never empty.
    package var apiVersions: [APIVersion]
    package var corsAllowedOrigins: [Origin]
    package var trustedProxies: [NetworkBlock]
    package var rateLimits: RateLimits
    /// Whether a request needs a key.
    package var apiKeysRequired: Bool

    // What it keeps.
    package var dataDirectory: String
    package var keysFile: String
    package var durability: Durability
    package var snapshotLogBytes: Int
    package var memoryBudgetBytes: Int
    package var diskReserveBytes: Int

    // Limits of a request. Lengths count Unicode scalars.
    package var maxChunksPerDocument: Int
    package var maxChunkLength: Int
    package var maxQueryLength: Int
    package var maxResultsK: Int
    /// 0 means no limit.
    package var maxDocumentsPerLibrary: Int
    package var maxTagsPerDocument: Int
    package var maxTagLength: Int
    package var maxTitleLength: Int
    package var maxAuthorLength: Int
    package var maxBodyBytes: Int
    package var maxLineBytes: Int
    package var maxBulkDocuments: Int
    package var requestTimeoutSeconds: Int

    // Embedding.
    /// A name of the model catalogue, which is the server's to know: only its shape is checked here.
    package var embeddingModel: String
    /// What the operator believes the model's dimension to be; the server refuses to start when it is not.
    package var embeddingDimension: Int?
    package var modelDirectory: String
    /// Besides the built-in ones.
    package var models: [ModelSettings]
    /// 0 means no cache.
    package var queryCacheBytes: Int

    // Processes.
    package var workerThreads: Int
    package var queueLimit: Int
    package var queueTimeoutMS: Int
    package var indexBuildThreads: Int
    package var nginxWorkerProcesses: Int
    package var runDirectory: String

    // Logs.
    package var logLevel: LogLevel
    package var logJSONFormat: Bool
    package var accessLog: AccessLog
    package var requestLog: RequestLog
    /// 0 means that no search is slow.
    package var slowQueryMS: Int

    /// Reads every setting.
    ///
    /// - Parameter file: the YAML file; nil reads the environment and the defaults only.
    package static func load(
        file: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment, machine: Machine = .current
    ) throws(SettingsError) -> Settings {
        try read(file: file, environment: environment, machine: machine).settings
    }

    /// Every setting in the order of `Config/quire.yaml`, with what was read and from where.
    package static func explain(
        file: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment, machine: Machine = .current
    ) throws(SettingsError) -> [SettingDeclaration] {
        try read(file: file, environment: environment, machine: machine).declarations
    }

    private static func read(
        file: String?, environment: [String: String], machine: Machine
    ) throws(SettingsError) -> (settings: Settings, declarations: [SettingDeclaration]) {
        // Not `map`: it would widen the error's type.
        var settingsFile: SettingsFile?
        if let file { settingsFile = try SettingsFile(path: file) }
        var reader = SettingsReader(environment: environment, file: settingsFile, machine: machine)
        let settings = try Settings(reading: &reader)
        return (settings, reader.declarations)
    }

    /// The environment variables that may hold keys of embedding providers. The keys themselves are no settings: nothing that prints
    /// settings can print them.
    package var keyVariables: Set<String> { Self.keyVariables(of: models) }

    static func keyVariables(of models: [ModelSettings]) -> Set<String> {
        Set(["COHERE_API_KEY", "OPENAI_API_KEY"] + models.compactMap(\.keyVariable))
    }
}
