import Database
import Embedding
import Locks

/// The fingerprints of models, as they were when they were last taken.
// Sound as Sendable: the dictionary is read and written under `lock`.
final class FingerprintCache: @unchecked Sendable {
    private let lock = Lock()
    private var taken: [String: (fingerprint: EmbeddingFingerprint, at: ContinuousClock.Instant)] = [:]

    /// A model that is changed behind its name is found no later.
    private static let age = Duration.seconds(3600)

    func fingerprint(of model: String, else take: () throws -> EmbeddingFingerprint) rethrows -> EmbeddingFingerprint {
        if let last = lock.withLock({ taken[model] }), ContinuousClock.now - last.at < Self.age { return last.fingerprint }
        // Not under the lock: it may be a call over the network.
        let fingerprint = try take()
        lock.withLock { taken[model] = (fingerprint, .now) }
        return fingerprint
    }
}

extension Service {
    /// The fingerprint of a model as it is now, or was less than an hour ago.
    ///
    /// - Throws: 503 if the model's provider is missing or fails.
    func fingerprint(of model: EmbeddingModel) throws -> EmbeddingFingerprint {
        let catalogue = try catalogue
        return try fingerprints.fingerprint(of: model.name) {
            try catalogue.fingerprint(of: model, deadline: .now + Self.embeddingLimit)
        }
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
                try fingerprint(of: model).difference(from: kept)
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
