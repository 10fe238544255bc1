import Locks

/// A model computed by a provider on the network.
///
/// Texts go in batches, several at a time, and their vectors come back in order. A batch that fails is tried again by itself; when one
/// fails for good, the batches that were not sent stay so.
struct RemoteProvider: EmbeddingProvider {
    /// Text in one request, in bytes of UTF-8. A token has at least one byte, so a request stays under OpenAI's 300,000 tokens.
    static let maxBatchBytes = 262_144

    let model: RemoteModel
    let endpoint: RemoteEndpoint

    /// Blocks for as long as the provider takes, on threads of its own: they compute nothing. Which part of a text beyond the model's
    /// limit is left out is the provider's to decide; OpenAI refuses such a text.
    func embed(
        _ texts: [String], as inputType: EmbeddingInputType, deadline: ContinuousClock.Instant?, on runner: any PartRunner
    ) throws(EmbeddingError) -> Embeddings {
        let prefix = inputType == .query ? model.queryPrefix : model.documentPrefix
        let texts = prefix.isEmpty ? texts : texts.map { prefix + $0 }
        let batches = Self.batches(of: texts, maxTexts: endpoint.format.maxTexts)
        let job = BatchJob(count: batches.count)
        let work: @Sendable () -> Void = {
            while let next = job.next() {
                let batch = Array(texts[batches[next]])
                job.finish(next, with: Result { () throws(CallFailure) in try ask(batch, as: inputType, deadline: deadline) })
            }
        }
        // A machine without room for threads sends one batch after the other.
        let helpers = (1..<max(1, min(batches.count, endpoint.format.maxCalls))).compactMap { _ in try? Thread("quire-embed", work) }
        work()
        for helper in helpers { helper.join() }
        return try gather(job.result)
    }

    /// The vectors of one batch, as the provider gave them.
    private func ask(
        _ texts: [String], as inputType: EmbeddingInputType, deadline: ContinuousClock.Instant?
    ) throws(CallFailure) -> BatchJob.Part {
        // A number takes some 24 bytes as text, each on a line of its own 40; a provider may repeat the texts, escaped.
        let sizeLimit = 65_536 + 40 * texts.count * model.dimension + 6 * Self.bytes(of: texts)
        let body = endpoint.format.request(texts, of: model, as: inputType)
        return try endpoint.call(body, sizeLimit: sizeLimit, deadline: deadline) { answer throws(AnswerProblem) in
            var vectors = AnsweredVectors(count: texts.count, dimension: model.dimension)
            let tokens = endpoint.format.read(answer, into: &vectors)
            return BatchJob.Part(values: try vectors.finish(), tokens: tokens)
        }
    }

    private func gather(_ result: Result<[BatchJob.Part], CallFailure>) throws(EmbeddingError) -> Embeddings {
        switch result {
        case .success(let parts):
            var values = Array(parts.map(\.values).joined())
            guard normalize(&values, dimension: model.dimension) else { throw .noDirection(model: model.name) }
            return Embeddings(dimension: model.dimension, values: values, tokens: parts.reduce(0) { $0 + $1.tokens })
        case .failure(.late):
            throw .deadlineExceeded
        case .failure(.failed(let status, let reason)):
            throw .providerFailed(model: model.name, provider: endpoint.kind.rawValue, status: status, reason: reason)
        case .failure(.resting(let remaining, let reason)):
            throw .providerResting(model: model.name, provider: endpoint.kind.rawValue, remaining: remaining, reason: reason)
        }
    }

    /// Cuts the texts, in order, into runs of at most `maxTexts` and `maxBatchBytes`. A longer text is a run of its own.
    static func batches(of texts: [String], maxTexts: Int) -> [Range<Int>] {
        var batches: [Range<Int>] = []
        var (start, bytes) = (0, 0)
        for (index, text) in texts.enumerated() {
            if index > start, index - start == maxTexts || bytes + text.utf8.count > maxBatchBytes {
                batches.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += text.utf8.count
        }
        if start < texts.count { batches.append(start..<texts.count) }
        return batches
    }

    static func bytes(of texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count } }
}

/// Batches that several threads take one by one.
// Sound as Sendable: everything that changes is read and written under `lock`.
private final class BatchJob: @unchecked Sendable {
    struct Part: Sendable {
        /// Vectors one after another.
        let values: [Float]
        let tokens: Int
    }

    private let lock = Lock()
    private var parts: [Part?]
    private var taken = 0
    private var failure: CallFailure?

    init(count: Int) {
        parts = Array(repeating: nil, count: count)
    }

    /// The next batch to be sent; `nil` if there is none, or one has failed.
    func next() -> Int? {
        lock.withLock {
            guard failure == nil, taken < parts.count else { return nil }
            taken += 1
            return taken - 1
        }
    }

    func finish(_ batch: Int, with result: Result<Part, CallFailure>) {
        lock.withLock {
            switch result {
            case .success(let part): parts[batch] = part
            case .failure(let error): failure = failure ?? error
            }
        }
    }

    /// When all threads are done.
    var result: Result<[Part], CallFailure> {
        lock.withLock {
            if let failure { return .failure(failure) }
            return .success(parts.map { $0! })
        }
    }
}

/// Brings vectors, one after another, to length 1. Returns whether each of them has a direction.
func normalize(_ values: inout [Float], dimension: Int) -> Bool {
    for start in stride(from: 0, to: values.count, by: dimension) {
        let vector = start..<start + dimension
        let length = vector.reduce(into: 0.0) { $0 += Double(values[$1]) * Double(values[$1]) }.squareRoot()
        // The squares of 32-bit floats do not overflow in 64 bits.
        guard length > 0 else { return false }
        for index in vector { values[index] = Float(Double(values[index]) / length) }
    }
    return true
}
