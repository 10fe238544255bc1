import Locks

/// all-MiniLM-L6-v2 in this process: model.safetensors and vocab.txt of sentence-transformers, read from a directory.
///
/// Nothing is shared between callers but the weights, which do not change, and a pool of scratch memory. A short query is one run of
/// the encoder, some milliseconds of one thread; the runs that many texts make are done by as many threads as the caller brings.
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

    /// Of the kernels in use, for whoever measures them.
    package var instructionSetName: String { "\(encoder.instructionSet)" }

    /// Operations that a token takes in the matrices of the encoder, a multiplication and an addition for each of their elements.
    package var operationsPerToken: Int { 2 * encoder.shape.matrixElements }

    /// The same for documents and queries: the model makes no difference between them.
    /// The deadline is looked at between runs of the encoder, which take some milliseconds.
    package func embed(
        _ texts: [String], as inputType: EmbeddingInputType, deadline: ContinuousClock.Instant?, on runner: any PartRunner
    ) throws(EmbeddingError) -> Embeddings {
        let width = encoder.shape.width
        let runs = runs(of: texts)
        var values = [Float](repeating: 0, count: texts.count * width)
        let failure = FirstFailure()
        values.withUnsafeMutableBufferPointer { values in
            // Sound to share, because every run writes the vectors of its own texts.
            nonisolated(unsafe) let vectors = values
            runner.run(runs.count) { number in
                guard failure.error == nil else { return }
                do throws(EmbeddingError) {
                    try self.encode(runs[number], deadline, into: vectors.baseAddress! + runs[number].first * width)
                } catch {
                    failure.note(error)
                }
            }
        }
        if let error = failure.error { throw error }
        return Embeddings(dimension: width, values: values, tokens: runs.reduce(0) { $0 + $1.ids.count })
    }

    /// Texts that go through the encoder together.
    private struct Run {
        /// The position of the first of them.
        let first: Int
        /// The tokens of all.
        var ids: [UInt32] = []
        /// How many of these each text has.
        var lengths: [Int] = []
    }

    private func runs(of texts: [String]) -> [Run] {
        var runs: [Run] = []
        for (position, text) in texts.enumerated() {
            var ids: [UInt32] = []
            tokenizer.encode(text, into: &ids)
            if runs.isEmpty || runs[runs.count - 1].ids.count + ids.count > tokensPerRun { runs.append(Run(first: position)) }
            runs[runs.count - 1].ids += ids
            runs[runs.count - 1].lengths.append(ids.count)
        }
        return runs
    }

    private func encode(
        _ run: Run, _ deadline: ContinuousClock.Instant?, into vectors: UnsafeMutablePointer<Float>
    ) throws(EmbeddingError) {
        if let deadline, ContinuousClock.now > deadline { throw .deadlineExceeded }
        let hasDirections = scratch.withScratch { encoder.run(ids: run.ids, lengths: run.lengths, scratch: $0, into: vectors) }
        guard hasDirections else { throw .noDirection(model: model.name) }
    }
}

/// The first of the errors of several threads.
// Sound as Sendable: `first` is read and written under `lock`.
private final class FirstFailure: @unchecked Sendable {
    private let lock = Lock()
    private var first: EmbeddingError?

    var error: EmbeddingError? { lock.withLock { first } }

    func note(_ error: EmbeddingError) { lock.withLock { first = first ?? error } }
}
