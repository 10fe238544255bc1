import CEmbeddingKernels

/// Token ids to sentence vectors: a BERT encoder, the mean over a text's tokens, scaled to length 1.
///
/// Texts of a run stand one behind another without padding: linear layers work on the tokens of all, attention on those of one.
/// A text's vector is the same to the last bit whatever stands beside it.
struct BERTEncoder: Sendable {
    private let weights: BERTWeights
    let instructionSet: InstructionSet
    private static let epsilon: Float = 1e-12

    init(weights: BERTWeights, instructionSet: InstructionSet) {
        self.weights = weights
        self.instructionSet = instructionSet
    }

    var shape: BERTShape { weights.shape }

    /// Writes the vector of each text to `vectors`, `shape.width` elements after another. False when one of them has no direction.
    ///
    /// `ids` are those of all texts, `lengths` how many each has. `scratch` was made for at least `ids.count` tokens.
    func run(ids: [UInt32], lengths: [Int], scratch: EncoderScratch, into vectors: UnsafeMutablePointer<Float>) -> Bool {
        precondition(ids.allSatisfy { $0 < weights.vocabularyCount }, "ids are rows of the table of words")
        precondition(lengths.allSatisfy { $0 <= shape.positions } && lengths.reduce(0, +) == ids.count, "every token has a position")
        lookUp(ids, lengths, scratch)
        for layer in weights.layers {
            attend(layer, lengths, scratch)
            feedForward(layer, ids.count, scratch)
        }
        return pool(lengths, scratch, vectors)
    }

    private func lookUp(_ ids: [UInt32], _ lengths: [Int], _ scratch: EncoderScratch) {
        ids.withUnsafeBufferPointer { ids in
            var row = 0
            for length in lengths {
                embedding_look_up(
                    instructionSet.rawValue, ids.baseAddress! + row, length, shape.width, weights.words, weights.positions, weights.type,
                    scratch.x + row * shape.width)
                row += length
            }
        }
        normalize(scratch.x, adding: nil, weights.normalization, rows: ids.count)
    }

    private func attend(_ layer: BERTWeights.Layer, _ lengths: [Int], _ scratch: EncoderScratch) {
        let rows = lengths.reduce(0, +)
        layer.query(scratch.x, rows: rows, into: scratch.query, using: instructionSet, scratch: scratch.rounded)
        layer.key(scratch.x, rows: rows, into: scratch.key, using: instructionSet, scratch: scratch.rounded)
        layer.value(scratch.x, rows: rows, into: scratch.value, using: instructionSet, scratch: scratch.rounded)
        var start = 0
        for length in lengths {
            embedding_attention(
                instructionSet.rawValue, scratch.query + start, scratch.key + start, scratch.value + start, length, shape.heads,
                scratch.mixed + start, scratch.attention)
            start += length * shape.width
        }
        // The queries are done with; their place takes the result.
        layer.output(scratch.mixed, rows: rows, into: scratch.query, using: instructionSet, scratch: scratch.rounded)
        normalize(scratch.x, adding: scratch.query, layer.attentionNormalization, rows: rows)
    }

    private func feedForward(_ layer: BERTWeights.Layer, _ rows: Int, _ scratch: EncoderScratch) {
        layer.inner(scratch.x, rows: rows, activation: .gelu, into: scratch.inner, using: instructionSet, scratch: scratch.rounded)
        layer.outer(scratch.inner, rows: rows, into: scratch.query, using: instructionSet, scratch: scratch.rounded)
        normalize(scratch.x, adding: scratch.query, layer.normalization, rows: rows)
    }

    private func normalize(
        _ x: UnsafeMutablePointer<Float>, adding residual: UnsafePointer<Float>?, _ normalization: BERTWeights.Normalization, rows: Int
    ) {
        embedding_layer_norm(
            instructionSet.rawValue, x, residual, rows, shape.width, normalization.scale, normalization.shift, Self.epsilon)
    }

    private func pool(_ lengths: [Int], _ scratch: EncoderScratch, _ vectors: UnsafeMutablePointer<Float>) -> Bool {
        var row = 0
        for (text, length) in lengths.enumerated() {
            let mean = vectors + text * shape.width
            guard embedding_mean_pool(instructionSet.rawValue, scratch.x + row * shape.width, length, shape.width, mean) else {
                return false
            }
            row += length
        }
        return true
    }
}
