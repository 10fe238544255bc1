package import Database
package import Embedding
import JSON
import Keys
import Locks
package import Logging
package import Settings
package import Storage

/// What the endpoints work with. It exists before the data is loaded, so that a starting server already answers.
// Sound as Sendable: `state` is read and written under `lock`.
package final class Service: @unchecked Sendable {
    /// Below nginx's `fastcgi_read_timeout` of 60 s.
    static let embeddingLimit = Duration.seconds(50)

    package let settings: Settings
    let embeddingGate: EmbeddingGate
    let queryCache: QueryCache
    let fingerprints = FingerprintCache()
    let reembedder = Reembedder()
    /// `nil` where nobody needs a key.
    let keyRing: LiveKeyRing?
    let rateLimiter: RateLimiter?
    private let lock = Lock()
    private var state = State.starting

    private enum State {
        case starting
        case ready(Database, ModelCatalogue)
        case failed(StorageError)
    }

    package init(settings: Settings, logger: Logger = Logger(label: "quire.service")) {
        self.settings = settings
        keyRing = LiveKeyRing(settings, logger)
        rateLimiter = settings.rateLimits.isEnabled ? RateLimiter(settings.rateLimits) : nil
        embeddingGate = EmbeddingGate(workerThreads: settings.workerThreads, processors: Machine.current.cores)
        queryCache = QueryCache(limit: settings.queryCacheBytes)
    }

    /// Goes on with what was under way when the server ended.
    package func start(_ database: Database, _ catalogue: ModelCatalogue) {
        lock.withLock { state = .ready(database, catalogue) }
        for id in database.reembeddedLibraries {
            guard let library = try? database.library(id).record, let progress = try? database.reembeddingProgress(of: id) else { continue }
            // What keeps it from starting, its run says.
            try? reembedder.start(id, from: library.model, to: progress.source.model, with: self)
        }
    }

    /// Ends what works beside requests. Before the database is closed.
    package func stop() { reembedder.stop() }

    /// From here on every request is answered with 503.
    package func fail(_ error: StorageError) {
        lock.withLock { state = .failed(error) }
    }

    /// - Throws: 503 while the server starts and after its storage failed.
    var database: Database {
        get throws { try ready.0 }
    }

    var catalogue: ModelCatalogue {
        get throws { try ready.1 }
    }

    private var ready: (Database, ModelCatalogue) {
        get throws {
            switch lock.withLock({ state }) {
            case .ready(let database, let catalogue): return (database, catalogue)
            case .starting: throw APIError(.unavailable, "The server is starting")
            case .failed: throw APIError(.unavailable, "The storage has stopped; the server restarts")
            }
        }
    }

    /// How each part is, for `GET /ready`.
    var components: [Component] { stateComponents + (keyComponent.map { [$0] } ?? []) }

    var keyComponent: Component? { keyRing?.component }

    private var stateComponents: [Component] {
        switch lock.withLock({ state }) {
        case .starting:
            return [
                Component(name: "storage", isReady: false, detail: "loading"),
                Component(name: "embedding", isReady: false, detail: "loading"),
            ]
        case .failed(let error):
            return [Component(name: "storage", isReady: false, detail: "\(error)")]
        case .ready(let database, let catalogue):
            return [
                Component(name: "storage", isReady: true, detail: "\(database.recovery.recordsReplayed) records replayed at start"),
                embeddingComponent(catalogue),
            ]
        }
    }

    /// Without weights everything but text embedding works, so the server is ready all the same.
    private func embeddingComponent(_ catalogue: ModelCatalogue) -> Component {
        guard let model = catalogue.model(named: settings.embeddingModel) else {
            preconditionFailure("the server checks EMBEDDING_MODEL before it starts")
        }
        return switch catalogue.availability(of: model) {
        case .available: Component(name: "embedding", isReady: true, detail: model.name)
        case .unavailable(let reason): Component(name: "embedding", isReady: false, detail: reason)
        }
    }
}

/// A part of the server and whether it works.
struct Component {
    let name: String
    let isReady: Bool
    let detail: String
}

extension JSONWriter {
    mutating func write(_ components: [Component]) {
        key("components")
        array { json in
            for component in components {
                json.object { json in
                    json.member("name", component.name)
                    json.member("status", component.isReady ? "ready" : "unavailable")
                    json.member("detail", component.detail)
                }
            }
        }
    }
}
