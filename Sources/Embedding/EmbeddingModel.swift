/// A model a library can be created for. Its name and dimension are fixed in the library from then on.
package struct EmbeddingModel: Sendable, Equatable {
    package let name: String
    package let dimension: Int
    /// Tokens of a text that the model reads, its own marks at both ends included; the rest of a longer text is ignored.
    package let maxTokens: Int
    /// Who computes it: "minilm" in this process, others over the network.
    package let provider: String
    package var isLocal: Bool { provider == Self.allMiniLML6v2.provider }
    /// One sentence for a person choosing a model.
    package let summary: String

    static let allMiniLML6v2 = EmbeddingModel(
        name: "all-minilm-l6-v2", dimension: 384, maxTokens: 256, provider: "minilm",
        summary: "Sentence embeddings for English, computed in this process: nothing leaves the machine.")
}
