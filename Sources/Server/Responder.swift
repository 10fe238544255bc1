import API
import CPlatform
import CoreMetrics
import Database
import Embedding
import FastCGI
import Glibc
import Locks
import Logging
import Prometheus
import Settings
import Storage
import Supervisor

/// The one process that owns the data: answers from its first second, loads, serves, and ends cleanly.
struct Responder {
    /// How long requests may take to finish once the responder is told to stop; under the supervisor's five seconds.
    private static let drainLimit = Duration.milliseconds(4500)
    /// The same after the storage failed: nothing more can be acknowledged.
    private static let failureDrainLimit = Duration.milliseconds(700)

    /// How long loading may take before requests are accepted and told to come back. Together with the start of the process under
    /// the second in which the responder must accept.
    private static let silentStart = Duration.milliseconds(700)

    private enum Event: Sendable {
        case loaded(Database, ModelCatalogue)
        case refused(ExitCode, String)
        case storageFailed(StorageError)
        case terminate
    }

    let settings: Settings
    private let logger = Logger(label: "quire.responder")
    private let events = Mailbox<Event>()

    init(settings: Settings) {
        self.settings = settings
    }

    func run() -> Never {
        SupervisedProcess.exitWithParent()
        // Freed memory is kept per heap; two heaps are enough for threads that mostly wait or compute.
        quire_limit_arenas(2)
        watchSignals()
        // A file at its size limit is an error that the log handles, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        let service = Service(settings: settings)
        // What is measured through swift-metrics, by whatever library, is found at /metrics.
        MetricsSystem.bootstrap(RegistryFactory(service.metrics))
        var database: Database?
        func start(_ loaded: Database, _ catalogue: ModelCatalogue) {
            database = loaded
            service.start(loaded, catalogue)
            logStart(loaded)
        }

        let server = makeServer(API(service))
        service.watch(transport: { server.load })
        load()
        // A responder that takes the place of another one usually loads in no time: nobody needs to be told that it starts.
        var next = events.next(atMost: Self.silentStart)
        if case .loaded(let loaded, let catalogue) = next {
            start(loaded, catalogue)
            next = nil
        }
        if case .refused(let code, let reason) = next { code.exit(reason) }
        serve(server)

        while true {
            switch next ?? events.next() {
            case .loaded(let loaded, let catalogue):
                start(loaded, catalogue)
            case .refused(let code, let reason):
                _ = server.stop(drainingFor: Self.failureDrainLimit)
                code.exit(reason)
            case .storageFailed(let error):
                service.fail(error)
                _ = server.stop(drainingFor: Self.failureDrainLimit)
                ExitCode.storageFailed.exit("\(error)")
            case .terminate:
                finish(server, service, database)
            }
            next = nil
        }
    }

    private func logStart(_ database: Database) {
        logger.info(
            "ready",
            metadata: [
                "snapshot": "\(database.loaded.snapshot ?? "none")", "replayed": "\(database.recovery.recordsReplayed)",
                "last_sequence": "\(database.lastSequence)",
            ])
        if !database.recovery.ignoredFiles.isEmpty {
            logger.warning(
                "files are named like parts of the log and are none; they were left alone",
                metadata: ["files": "\(database.recovery.ignoredFiles.joined(separator: ", "))"])
        }
        for error in database.loaded.refused {
            logger.error(
                "a snapshot is damaged; it was renamed, and everything in it came from the one before it and the log",
                metadata: ["error": "\(error)"])
        }
        let rebuilt = [("vectors", database.loaded.rebuiltIndexes), ("texts", database.loaded.rebuiltTextIndexes)]
        for (what, libraries) in rebuilt where libraries > 0 {
            logger.warning(
                "indexes in the snapshot were damaged or of another version; they are built again",
                metadata: ["of": "\(what)", "libraries": "\(libraries)"])
        }
        if database.recovery.truncatedBytes > 0 {
            logger.warning(
                "the log ended in a torn write, which was never acknowledged; it was cut off",
                metadata: [
                    "wal_truncated_bytes": "\(database.recovery.truncatedBytes)",
                    "kept_in": "\(database.recovery.tornFile ?? "nothing: the disk is full")",
                ])
        }
    }

    // MARK: Start

    /// Checks the socket; accepts nothing yet.
    private func makeServer(_ api: API) -> FastCGIServer {
        let configuration = FastCGIConfiguration(
            workerThreads: settings.workerThreads, queueLimit: settings.queueLimit, queueTimeout: .milliseconds(settings.queueTimeoutMS),
            maxBodyBytes: settings.maxBodyBytes)
        return orConfigurationError("cannot serve on descriptor \(configuration.listeningDescriptor)") { () throws(FastCGIError) in
            try FastCGIServer(configuration: configuration) { rejection, request in
                api.refuse(request, Refusal(rejection))
            } route: { request in
                api.destination(of: request)
            }
        }
    }

    private func serve(_ server: FastCGIServer) {
        orConfigurationError("cannot start to serve") { () throws(FastCGIError) in try server.start() }
        SupervisedProcess.reportServing()
    }

    /// Loads on a thread of its own, so that a signal is heard while it works.
    private func load() {
        let (settings, events, logger) = (settings, events, logger)
        startThread("quire-load") {
            if let problem = contradictionOfModels(in: settings) {
                events.post(.refused(.configuration, problem))
                return
            }
            let catalogue = ModelCatalogue(settings)
            if let problem = contradiction(of: settings, with: catalogue) {
                events.post(.refused(.configuration, problem))
                return
            }
            do {
                let database = try Database(
                    directory: settings.dataDirectory, durability: DurabilityPolicy(settings.durability),
                    snapshotLogBytes: settings.snapshotLogBytes,
                    budget: Budget(memoryBytes: settings.memoryBudgetBytes, diskReserveBytes: settings.diskReserveBytes),
                    builderThreads: settings.indexBuildThreads,
                    snapshotFailed: { logger.error("no snapshot could be taken; the log is kept", metadata: ["error": "\($0)"]) },
                    storageFailed: { events.post(.storageFailed($0)) })
                events.post(.loaded(database, catalogue))
            } catch {
                events.post(.refused(ExitCode(openingFailedWith: error), "\(error)"))
            }
        }
    }

    /// The signals that end the process are blocked in every thread and taken by this one.
    private func watchSignals() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let (events, waited) = (events, signals)
        startThread("quire-signals") {
            var waited = waited
            var signal: Int32 = 0
            while sigwait(&waited, &signal) == 0 { events.post(.terminate) }
        }
    }

    // MARK: End

    private func finish(_ server: FastCGIServer, _ service: Service, _ database: Database?) -> Never {
        if !server.stop(drainingFor: Self.drainLimit) { logger.warning("stopped with requests still running") }
        service.stop()
        do {
            try database?.close()
        } catch {
            ExitCode.storageFailed.exit("\(error)")
        }
        ExitCode.success.exit()
    }
}

/// What the settings say of embedding that the catalogue does not; one line for the operator.
private func contradiction(of settings: Settings, with catalogue: ModelCatalogue) -> String? {
    guard let model = catalogue.model(named: settings.embeddingModel) else {
        let known = catalogue.models.map(\.name).joined(separator: ", ")
        return "EMBEDDING_MODEL: \"\(settings.embeddingModel)\" is refused; accepted: \(known)"
    }
    if let dimension = settings.embeddingDimension, dimension != model.dimension {
        return "EMBEDDING_DIMENSION: \"\(dimension)\" is refused; accepted: \(model.dimension), the dimension of \(model.name), or unset"
    }
    return nil
}

extension Refusal {
    init(_ rejection: RequestRejection) {
        switch rejection {
        case .bodyTooLarge(let limit): self = .bodyTooLarge(limit: limit)
        case .bodyIncomplete(let expected, let received): self = .bodyIncomplete(expected: expected, received: received)
        case .headersTooLarge(let limit): self = .headersTooLarge(limit: limit)
        case .tooManyStreams(let limit): self = .tooManyStreams(limit: limit)
        case .overloaded(let requestClass): self = .overloaded(requestClass)
        case .badRequest(let reason): self = .malformed(reason)
        }
    }
}

extension DurabilityPolicy {
    init(_ durability: Durability) {
        switch durability {
        case .always: self = .always
        case .interval(let milliseconds): self = .interval(milliseconds: milliseconds)
        case .os: self = .os
        }
    }
}

/// A thread for the life of the process.
private func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
    orConfigurationError("cannot start a thread") { () throws(Thread.StartFailed) in try Thread(name, body).detach() }
}

/// What the machine does not let us have is for the operator to see to.
private func orConfigurationError<Result, Failure: Error>(_ what: String, _ body: () throws(Failure) -> Result) -> Result {
    do {
        return try body()
    } catch {
        ExitCode.configuration.exit("\(what): \(error)")
    }
}
