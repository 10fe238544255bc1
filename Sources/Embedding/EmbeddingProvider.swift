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
    /// - Parameters:
    ///   - deadline: when nobody waits for the result any more: past it the call ends with `deadlineExceeded`.
    ///   - runner: does what is computed in this process. The vectors are the same whoever it is.
    func embed(
        _ texts: [String], as inputType: EmbeddingInputType, deadline: ContinuousClock.Instant?, on runner: any PartRunner
    ) throws(EmbeddingError) -> Embeddings
}

extension EmbeddingProvider {
    /// As above, on the caller's thread.
    package func embed(
        _ texts: [String], as inputType: EmbeddingInputType, deadline: ContinuousClock.Instant? = nil
    ) throws(EmbeddingError) -> Embeddings {
        try embed(texts, as: inputType, deadline: deadline, on: SingleThread())
    }
}
