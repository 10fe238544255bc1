import CoreMetrics
import Embedding
import Locks
import Prometheus

/// Counts and times the embedding of texts, for each model.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class EmbeddingMonitor: @unchecked Sendable {
    static let descriptions: [MetricDescription] = [
        .counter(
            "quire_embedding_calls_total",
            "Embeddings of one or more texts, by what came of them: ok, failed, late, resting (the provider is not asked for a while), "
                + "unavailable (there is no provider) or refused (too many were waiting)."),
        .histogram(
            "quire_embedding_duration_seconds", "Time that embeddings took, with the wait for their turn and calls that were repeated.",
            limits: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]),
        .counter("quire_embedding_texts_total", "Texts that became vectors; those of queries that the cache knew are not among them."),
        .counter("quire_embedding_tokens_total", "Tokens that models read, where their providers say."),
    ]

    private struct Meter {
        let labels: [(String, String)]
        let timer: Timer
        let texts: Counter
        let tokens: Counter
        var outcomes: [String: Counter] = [:]
    }

    private let factory: RegistryFactory
    private let lock = Lock()
    /// By the model's name: a model of the catalogue.
    private var meters: [String: Meter] = [:]

    init(registry: Registry) {
        factory = RegistryFactory(registry)
    }

    func observe(_ model: EmbeddingModel, texts: Int, _ embed: () throws -> Embeddings) throws -> Embeddings {
        let start = ContinuousClock.now
        do {
            let embeddings = try embed()
            record(model, "ok", since: start, texts: texts, tokens: embeddings.tokens)
            return embeddings
        } catch {
            record(model, Self.outcome(of: error), since: start, texts: 0, tokens: 0)
            throw error
        }
    }

    private static func outcome(of error: any Error) -> String {
        switch error as? EmbeddingError {
        case .providerUnavailable: "unavailable"
        case .deadlineExceeded: "late"
        case .providerResting: "resting"
        case .unreadableFile, .invalidModelFile, .unsupportedPrecision, .noDirection, .providerFailed: "failed"
        // Of the gate.
        case nil: "refused"
        }
    }

    private func record(
        _ model: EmbeddingModel, _ outcome: String, since start: ContinuousClock.Instant, texts: Int, tokens: Int
    ) {
        let duration = ContinuousClock.now - start
        let (meter, calls) = lock.withLock { self.meter(of: model, outcome) }
        calls.increment()
        meter.timer.recordNanoseconds(duration.nanoseconds)
        meter.texts.increment(by: texts)
        meter.tokens.increment(by: tokens)
    }

    private func meter(of model: EmbeddingModel, _ outcome: String) -> (Meter, Counter) {
        var meter = meters[model.name] ?? make(model)
        let labels = meter.labels + [("outcome", outcome)]
        let calls = meter.outcomes[outcome] ?? Counter(label: "quire_embedding_calls_total", dimensions: labels, factory: factory)
        meter.outcomes[outcome] = calls
        meters[model.name] = meter
        return (meter, calls)
    }

    private func make(_ model: EmbeddingModel) -> Meter {
        let labels = [("model", model.name), ("provider", model.provider)]
        return Meter(
            labels: labels, timer: Timer(label: "quire_embedding_duration_seconds", dimensions: labels, factory: factory),
            texts: Counter(label: "quire_embedding_texts_total", dimensions: labels, factory: factory),
            tokens: Counter(label: "quire_embedding_tokens_total", dimensions: labels, factory: factory))
    }
}
