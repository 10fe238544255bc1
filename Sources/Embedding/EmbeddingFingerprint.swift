/// What a model makes of three texts, to be kept with the vectors of a library: a model that was changed behind its name, in the weights
/// or at the provider, is found before its vectors meet those of the one before.
///
/// The vectors are kept in 16 bits a number and compared by their angle, because the same model gives slightly different numbers on
/// another processor, and a provider's from one day to the next.
package struct EmbeddingFingerprint: Sendable, Equatable {
    /// How exactly a model is computed. Vectors of different classes are not to be mixed.
    package enum PrecisionClass: UInt8, Sendable {
        /// 32-bit floats and 16-bit ones: they differ by less than the tolerance.
        case float = 0
        /// Weights in 8 bits.
        case int8 = 1
    }

    /// The name of the model in the catalogue.
    package let model: String
    package let dimension: Int
    package let precision: PrecisionClass
    /// The vectors of the canary texts, `dimension` numbers each, scaled so that the largest of a vector is 32767.
    package let canaries: [[Int16]]

    /// Vectors of one text are of one model if their cosine is at least this: bfloat16 and float32 give 0.9999, models that were trained
    /// apart less than 0.5.
    package static let leastCosine = 0.999

    /// Different in language, length and kind of words, so that a change of the tokenizer shows as well.
    static let texts = [
        "The quick brown fox jumps over the lazy dog.",
        "Ein Fingerabdruck zeigt, ob ein Modell noch dasselbe ist: 1 + 1 = 2?",
        "vector database",
    ]

    /// - Parameter embeddings: of `texts`.
    init(of model: EmbeddingModel, precision: PrecisionClass = .float, embeddings: Embeddings) {
        precondition(embeddings.count == Self.texts.count && embeddings.dimension == model.dimension, "one vector for each canary text")
        self.model = model.name
        dimension = model.dimension
        self.precision = precision
        canaries = (0..<embeddings.count).map { Self.quantized(embeddings[$0]) }
    }

    /// One that was kept as `encoded`, of a model of this name and dimension; nil if that is not what it is.
    package init?(model: String, dimension: Int, encoded: [UInt8]) {
        let size = 2 * dimension
        guard let first = encoded.first, let precision = PrecisionClass(rawValue: first), dimension > 0,
            (encoded.count - 1).isMultiple(of: size)
        else { return nil }
        (self.model, self.dimension, self.precision) = (model, dimension, precision)
        canaries = stride(from: 1, to: encoded.count, by: size).map { start in
            (0..<dimension).map { Int16(bitPattern: UInt16(encoded[start + 2 * $0]) | UInt16(encoded[start + 2 * $0 + 1]) << 8) }
        }
    }

    /// To be kept with the vectors, beside the model's name and dimension: a byte for the precision, then the canaries, each number in two
    /// bytes, the lower first.
    package var encoded: [UInt8] {
        [precision.rawValue] + canaries.joined().flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    private static func quantized(_ vector: ArraySlice<Float>) -> [Int16] {
        let scale = 32_767 / (vector.lazy.map(\.magnitude).max() ?? 1)
        return vector.map { Int16(($0 * scale).rounded()) }
    }

    /// Whether vectors of both can be compared with each other.
    package func matches(_ other: EmbeddingFingerprint) -> Bool { difference(from: other) == nil }

    /// What keeps `matches` from being true, in words for an operator.
    package func difference(from other: EmbeddingFingerprint) -> String? {
        guard model == other.model else { return "the model is '\(model)' and not '\(other.model)'" }
        guard dimension == other.dimension else { return "the dimension is \(dimension) and not \(other.dimension)" }
        guard precision == other.precision else { return "the precision is \(precision) and not \(other.precision)" }
        guard canaries.count == other.canaries.count else { return "it was made of other texts" }
        for (index, pair) in zip(canaries, other.canaries).enumerated() {
            let cosine = Self.cosine(pair.0, pair.1)
            guard cosine >= Self.leastCosine else {
                return "the model '\(model)' has changed: its vector of canary text \(index) has cosine "
                    + "\((cosine * 10_000).rounded() / 10_000) with the one before"
            }
        }
        return nil
    }

    /// 0 for vectors without a direction.
    private static func cosine(_ a: [Int16], _ b: [Int16]) -> Double {
        var (dot, aa, bb) = (0, 0, 0)
        for (x, y) in zip(a, b) {
            dot += Int(x) * Int(y)
            aa += Int(x) * Int(x)
            bb += Int(y) * Int(y)
        }
        return aa == 0 || bb == 0 ? 0 : Double(dot) / (Double(aa).squareRoot() * Double(bb).squareRoot())
    }
}

extension ModelCatalogue {
    /// The model's fingerprint as it is now. Embeds three texts: some milliseconds here, a call over the network for other models, so
    /// keep what comes of it.
    package func fingerprint(
        of model: EmbeddingModel, deadline: ContinuousClock.Instant? = nil
    ) throws(EmbeddingError) -> EmbeddingFingerprint {
        let embeddings = try provider(for: model).embed(EmbeddingFingerprint.texts, as: .document, deadline: deadline)
        return EmbeddingFingerprint(of: model, embeddings: embeddings)
    }
}
