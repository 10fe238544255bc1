import Database
import Embedding
import Locks

/// The fingerprints of models, as they were when they were last taken.
// Sound as Sendable: the dictionary is read and written under `lock`.
final class FingerprintCache: @unchecked Sendable {
    private let lock = Lock()
    private var taken: [String: (fingerprint: EmbeddingFingerprint, at: ContinuousClock.Instant)] = [:]

    /// The one that was taken last, if that was less than `age` ago.
    func fingerprint(of model: String, atMost age: Duration) -> EmbeddingFingerprint? {
        lock.withLock { taken[model] }.flatMap { ContinuousClock.now - $0.at < age ? $0.fingerprint : nil }
    }

    /// - Returns: whether the model is another one than when its fingerprint was taken before.
    func keep(_ fingerprint: EmbeddingFingerprint, of model: String) -> Bool {
        let before = lock.withLock {
            defer { taken[model] = (fingerprint, .now) }
            return taken[model]
        }
        return before.map { fingerprint.difference(from: $0.fingerprint) != nil } ?? false
    }
}

extension Service {
    /// A model that is changed behind its name is found no later.
    private static let fingerprintAge = Duration.seconds(3600)

    /// The fingerprint of a model as it was no longer than `age` ago. That of one whose weights are in this process never changes.
    ///
    /// Vectors of queries that another model of the same name has made are forgotten.
    ///
    /// - Throws: 503 if the model's provider is missing or fails.
    func fingerprint(of model: EmbeddingModel, atMost age: Duration = .zero) throws -> EmbeddingFingerprint {
        if let known = fingerprints.fingerprint(of: model.name, atMost: model.isLocal ? .seconds(Int64.max) : age) { return known }
        let fingerprint = try catalogue.fingerprint(of: model, deadline: .now + embeddingLimit)
        if fingerprints.keep(fingerprint, of: model.name) { queryCache.removeAll(of: model.name) }
        return fingerprint
    }

    /// The model that makes the vectors of a library, if it still is the one that made those the library has.
    ///
    /// - Throws: 503 if it is not, or cannot be asked.
    func model(of source: EmbeddingSource) throws -> EmbeddingModel {
        guard let model = try catalogue.model(named: source.model) else {
            throw EmbeddingError.providerUnavailable(model: source.model, reason: "this version's catalogue does not have it")
        }
        guard let encoded = source.fingerprint else { return model }
        let difference =
            if let kept = EmbeddingFingerprint(model: source.model, dimension: source.dimension, encoded: encoded) {
                try fingerprint(of: model, atMost: Self.fingerprintAge).difference(from: kept)
            } else {
                "its fingerprint cannot be read"
            }
        if let difference {
            throw APIError(
                .embeddingService,
                "No text is embedded for this library, whose vectors are of another model: \(difference). "
                    + "POST /v1/libraries/{id}/reembed makes them anew")
        }
        return model
    }
}
