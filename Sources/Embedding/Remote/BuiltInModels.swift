extension RemoteModel {
    /// The models that need no line in the configuration file. Dimensions and limits are those of the providers' documentation;
    /// prefixes those of the models' cards.
    static let builtIn: [RemoteModel] =
        [
            cohere("embed-english-v3.0", 1024, 512, "for English"),
            cohere("embed-multilingual-v3.0", 1024, 512, "for more than 100 languages"),
            cohere("embed-english-light-v3.0", 384, 512, "for English, the small ones"),
            cohere("embed-v4.0", 1536, 128_000, "for more than 100 languages and long texts"),
            openAI("text-embedding-3-small", 1536, "the small ones"),
            openAI("text-embedding-3-large", 3072, "the large ones"),
            openAI("text-embedding-ada-002", 1536, "the ones before these"),
            ollama(
                "nomic-embed-text", 768, 2048, "for English", queryPrefix: "search_query: ", documentPrefix: "search_document: "),
            ollama(
                "mxbai-embed-large", 1024, 512, "for English",
                queryPrefix: "Represent this sentence for searching relevant passages: "),
            ollama("bge-m3", 1024, 8192, "for more than 100 languages"),
        ]

    private static func cohere(_ name: String, _ dimension: Int, _ maxTokens: Int, _ what: String) -> RemoteModel {
        RemoteModel(
            name: name, provider: .cohere, dimension: dimension, maxTokens: maxTokens,
            keyVariable: RemoteProviderKind.cohere.standardKeyVariable,
            summary: "Cohere's embeddings \(what), computed by Cohere: texts are sent over the network and need an API key.")
    }

    private static func openAI(_ name: String, _ dimension: Int, _ what: String) -> RemoteModel {
        RemoteModel(
            name: name, provider: .openai, dimension: dimension, maxTokens: 8191,
            keyVariable: RemoteProviderKind.openai.standardKeyVariable,
            summary: "OpenAI's embeddings, \(what), computed by OpenAI: texts are sent over the network and need an API key.")
    }

    private static func ollama(
        _ name: String, _ dimension: Int, _ maxTokens: Int, _ what: String, queryPrefix: String = "", documentPrefix: String = ""
    ) -> RemoteModel {
        RemoteModel(
            name: name, provider: .ollama, dimension: dimension, maxTokens: maxTokens, queryPrefix: queryPrefix,
            documentPrefix: documentPrefix,
            summary: "Embeddings \(what), computed by an Ollama on this machine that has pulled the model.")
    }
}
