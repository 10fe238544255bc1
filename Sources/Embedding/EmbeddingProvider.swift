/// What a text is to the library it meets: some models place the same words differently when asked than when stored.
package enum EmbeddingInputType: Sendable {
    case document
    case query
}

/// Turns texts into vectors of one model.
package protocol EmbeddingProvider: Sendable {
    /// The vectors of `texts`, in their order, each of length 1.
    ///
    /// Returns when all are done, and may be called from many threads at once. Text beyond the model's limit of tokens is left
    /// out without an error, as every model of this kind does. Fails as a whole: there is no result for some of the texts.
    func embed(_ texts: [String], as inputType: EmbeddingInputType) throws(EmbeddingError) -> Embeddings
}
