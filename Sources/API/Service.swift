package import Database
package import Embedding
package import HTTP
import Keys
import Locks
package import Logging
package import Prometheus
package import Settings
package import Storage

/// What the endpoints work with. It exists before the data is loaded, so that a starting server already answers.
// Sound as Sendable: `current` and who is watched are read and written under `lock`.
package final class Service: @unchecked Sendable {
    package let settings: Settings
    /// How long a request may wait for embeddings. nginx waits longer, so that it is told whether anything was stored.
    let embeddingLimit: Duration
    let embeddingGate: EmbeddingGate
    let queryCache: QueryCache
    /// What is measured here; other rooms are asked when somebody wants to know.
    package let metrics = Registry(RequestMonitor.descriptions + EmbeddingMonitor.descriptions)
    let embeddingMonitor: EmbeddingMonitor
    let fingerprints = FingerprintCache()
    let reembedder = Reembedder()
    /// `nil` where nobody needs a key.
    let keyRing: LiveKeyRing?
    let rateLimiter: RateLimiter?
    private let lock = Lock()
    private var current = State.starting
    private var requests: RequestMonitor?
    private var transportLoad: (@Sendable () -> TransportLoad)?

    enum State {
        case starting
        case ready(Database, ModelCatalogue)
        case failed(StorageError)
    }

    package init(settings: Settings, logger: Logger = Logger(label: "quire.service")) {
        self.settings = settings
        embeddingLimit = .seconds(settings.requestTimeoutSeconds) * 5 / 6
        keyRing = LiveKeyRing(settings, logger)
        rateLimiter = settings.rateLimits.isEnabled ? RateLimiter(settings.rateLimits) : nil
        embeddingGate = EmbeddingGate(workerThreads: settings.workerThreads, processors: Machine.current.cores)
        queryCache = QueryCache(limit: settings.queryCacheBytes)
        embeddingMonitor = EmbeddingMonitor(registry: metrics)
        ProcessFigures.noteStart()
    }

    /// Goes on with what was under way when the server ended.
    package func start(_ database: Database, _ catalogue: ModelCatalogue) {
        lock.withLock { current = .ready(database, catalogue) }
        for id in database.reembeddedLibraries {
            guard let library = try? database.library(id).record, let progress = try? database.reembeddingProgress(of: id) else { continue }
            // What keeps it from starting, its run says.
            try? reembedder.start(id, from: library.model, to: progress.source.model, with: self)
        }
    }

    /// Ends what works beside requests. Before the database is closed.
    package func stop() { reembedder.stop() }

    /// Whom to ask how busy the transport is.
    package func watch(transport load: @escaping @Sendable () -> TransportLoad) {
        lock.withLock { transportLoad = load }
    }

    func watch(_ requests: RequestMonitor) {
        lock.withLock { self.requests = requests }
    }

    /// Requests that are being handled.
    var requestsInFlight: Int { lock.withLock { requests }?.inFlight ?? 0 }

    /// Requests that were answered with 500.
    var requestsFailed: Int { lock.withLock { requests }?.failed ?? 0 }

    /// nil where no transport is watched.
    var load: TransportLoad? { lock.withLock { transportLoad }?() }

    /// From here on every request is answered with 503.
    package func fail(_ error: StorageError) {
        lock.withLock { current = .failed(error) }
    }

    /// - Throws: 503 while the server starts and after its storage failed.
    var database: Database {
        get throws { try ready.0 }
    }

    var catalogue: ModelCatalogue {
        get throws { try ready.1 }
    }

    var state: State { lock.withLock { current } }

    private var ready: (Database, ModelCatalogue) {
        get throws {
            switch state {
            case .ready(let database, let catalogue): return (database, catalogue)
            case .starting: throw APIError(.unavailable, "The server is starting")
            case .failed: throw APIError(.unavailable, "The storage has stopped; the server restarts")
            }
        }
    }
}
