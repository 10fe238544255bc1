/// all-MiniLM-L6-v2 in this process: model.safetensors and vocab.txt of sentence-transformers, read from a directory.
///
/// Nothing is shared between callers but the weights, which do not change, and a pool of scratch memory. A call keeps one
/// thread busy: about a millisecond for a short query, and callers use as many CPUs as they bring threads.
package final class MiniLMProvider: EmbeddingProvider {
    private let model = EmbeddingModel.allMiniLML6v2
    let tokenizer: WordPieceTokenizer
    private let encoder: BERTEncoder
    private let scratch: EncoderScratchPool

    /// Tokens of a run of the encoder: as many as the longest text has. More would not be faster, and would leave the caches.
    private let tokensPerRun: Int

    package convenience init(directory: String, precision: EmbeddingPrecision = .automatic) throws(EmbeddingError) {
        let best = InstructionSet.best
        switch precision {
        case .bfloat16 where best != .avx512bf16: throw .unsupportedPrecision(precision)
        case .float32 where best == .avx512bf16: try self.init(directory: directory, instructionSet: .avx512)
        default: try self.init(directory: directory, instructionSet: best)
        }
    }

    /// With the set of instructions said, which also says the precision: `.avx512bf16` is the one that rounds.
    init(directory: String, instructionSet: InstructionSet, shape: BERTShape = .miniLML6) throws(EmbeddingError) {
        let weights = try BERTWeights(
            path: directory + "/model.safetensors", shape: shape, instructionSet: instructionSet)
        let vocabularyPath = directory + "/vocab.txt"
        let vocabulary = try Vocabulary(path: vocabularyPath)
        guard vocabulary.count == weights.vocabularyCount else {
            throw .invalidModelFile(
                path: vocabularyPath, reason: "it has \(vocabulary.count) pieces, the model has \(weights.vocabularyCount)")
        }
        tokensPerRun = min(model.maxTokens, shape.positions)
        tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, maxTokens: tokensPerRun, path: vocabularyPath)
        encoder = BERTEncoder(weights: weights, instructionSet: instructionSet)
        scratch = EncoderScratchPool(shape: shape, tokens: tokensPerRun)
    }

    /// The same for documents and queries: the model makes no difference between them.
    /// The deadline is looked at between runs of the encoder, which take some milliseconds.
    package func embed(
        _ texts: [String], as inputType: EmbeddingInputType, deadline: ContinuousClock.Instant?
    ) throws(EmbeddingError) -> Embeddings {
        let width = encoder.shape.width
        var values = [Float](repeating: 0, count: texts.count * width)
        var tokens = 0
        try values.withUnsafeMutableBufferPointer { values throws(EmbeddingError) in
            try scratch.withScratch { scratch throws(EmbeddingError) in
                var run = Run()
                var done = 0
                func finish() throws(EmbeddingError) {
                    guard let vectors = values.baseAddress, !run.lengths.isEmpty else { return }
                    if let deadline, ContinuousClock.now > deadline { throw .deadlineExceeded }
                    guard encoder.run(ids: run.ids, lengths: run.lengths, scratch: scratch, into: vectors + done * width) else {
                        throw .noDirection(model: model.name)
                    }
                    done += run.lengths.count
                    tokens += run.ids.count
                }
                for text in texts {
                    let before = run.ids.count
                    tokenizer.encode(text, into: &run.ids)
                    guard run.ids.count > tokensPerRun else {
                        run.lengths.append(run.ids.count - before)
                        continue
                    }
                    // This text is the first of the next run.
                    let ids = Array(run.ids[before...])
                    run.ids.removeLast(ids.count)
                    try finish()
                    run = Run(ids: ids, lengths: [ids.count])
                }
                try finish()
            }
        }
        return Embeddings(dimension: width, values: values, tokens: tokens)
    }

    /// Texts that go through the encoder together.
    private struct Run {
        var ids: [UInt32] = []
        var lengths: [Int] = []
    }
}
