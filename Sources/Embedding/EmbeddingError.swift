/// What keeps a text from becoming a vector.
package enum EmbeddingError: Error, Equatable {
    /// There is nothing in this process that computes vectors of `model`; `reason` tells an operator what to do.
    case providerUnavailable(model: String, reason: String)
    /// The operating system refused a file of the model.
    case unreadableFile(path: String, reason: String)
    /// A file of the model is not what its format or the model says.
    case invalidModelFile(path: String, reason: String)
    /// The precision was asked for explicitly and this CPU has no instructions for it.
    case unsupportedPrecision(EmbeddingPrecision)
    /// The model's result has no direction (its length is zero, infinite or not a number), so it cannot be compared with others.
    case noDirection(model: String)
    /// The caller's deadline passed before all texts were embedded.
    case deadlineExceeded
}
