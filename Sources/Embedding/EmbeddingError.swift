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
    /// A provider on the network failed, at once for good or as often as it was tried. `status` is that of its last answer, if there was
    /// one. `reason` has nothing of the texts and nothing of the key, whatever the provider answered.
    case providerFailed(model: String, provider: String, status: Int?, reason: String)
    /// The provider failed so often in a row that it is not asked for the time that `remaining` says; `reason` is what it failed with.
    case providerResting(model: String, provider: String, remaining: Duration, reason: String)

    /// Whether it is one of the texts that the model or its provider does not take: without it, the others may have vectors.
    package var isAboutTexts: Bool {
        switch self {
        case .noDirection: true
        case .providerFailed(_, _, let status?, _): [400, 413, 422].contains(status)
        default: false
        }
    }
}
