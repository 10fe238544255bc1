import Database
import Embedding
import HTTP
import Prometheus
import Settings
import Storage
import VectorSearch

extension Exposition {
    /// Everything that is measured of a server, as it is now. Numbers that other rooms keep are read here, and only here.
    ///
    /// Cost: a look at every library (`Database.figures`) and some calls of the system.
    mutating func write(_ service: Service) {
        begin(.gauge("quire_build_info", "1, with the version of the server."))
        sample("quire_build_info", [("version", quireVersion)], 1)
        service.metrics.write(to: &self)
        writeTransport(service)
        writeQueries(service)
        writeProcess()
        guard case .ready(let database, _) = service.state else {
            write(.gauge("quire_ready", "Whether the data is loaded and the storage works."), 0)
            return
        }
        write(.gauge("quire_ready", "Whether the data is loaded and the storage works."), 1)
        write(database.logStatistics, of: database)
        write(database.snapshotStatistics)
        let figures = database.figures()
        writeLibraries(figures.libraries)
        writeMemory(figures, queryCache: service.queryCache)
        writeBudget(database)
        writeIssues(service, figures)
    }

    private mutating func writeTransport(_ service: Service) {
        write(.gauge("quire_http_requests_in_flight", "Requests that are being handled."), service.requestsInFlight)
        let gate = service.embeddingGate
        write(.gauge("quire_embedding_threads", "Threads that compute embeddings, also helpers of requests."), gate.computingThreads)
        write(.gauge("quire_embedding_callers", "Requests at the gate of embeddings, also those that wait for a provider."), gate.callers)
        write(.gauge("quire_embedding_callers_waiting", "Requests that wait for the gate, or inside for their turn."), gate.waitingCallers)
        guard let load = service.load else { return }
        write(.gauge("quire_worker_threads", "Requests that can be handled at one time."), load.workers)
        write(.gauge("quire_worker_threads_busy", "Requests that are: read, handled or answered."), load.busyWorkers)
        write(.gauge("quire_streams_running", "Requests besides them whose body is read while it arrives."), load.streams)
        write(.counter("quire_connections_accepted_total", "Connections from nginx, one for each request."), load.accepted)
        write(.gauge("quire_requests_waiting", "Requests that wait to be handled, by class."), load.waiting)
        write(.gauge("quire_requests_waiting_limit", "How many of one class may wait."), load.waitingLimit)
        write(
            .counter("quire_requests_turned_away_total", "Requests answered with 503 because too many waited, or they had for too long."),
            load.turnedAway)
    }

    private mutating func write(_ description: MetricDescription, _ counts: [RequestClass: Int]) {
        begin(description)
        for requestClass in RequestClass.allCases {
            sample(description.name, [("class", requestClass.rawValue)], counts[requestClass] ?? 0)
        }
    }

    private mutating func writeQueries(_ service: Service) {
        let lookUps = service.queryCache.lookUps
        begin(.counter("quire_query_cache_lookups_total", "Queries whose vector was looked for in the cache, by whether it was there."))
        sample("quire_query_cache_lookups_total", [("result", "hit")], lookUps.hits)
        sample("quire_query_cache_lookups_total", [("result", "miss")], lookUps.misses)
        write(.gauge("quire_query_cache_entries", "Vectors of queries in the cache."), service.queryCache.size.count)
    }

    private mutating func writeProcess() {
        let process = ProcessFigures.now
        write(.counter("process_cpu_seconds_total", "User and system time of the process."), process.cpuSeconds)
        write(.gauge("process_start_time_seconds", "When the process began, in seconds since 1970."), process.startTime)
        if let count = process.openDescriptors { write(.gauge("process_open_fds", "Open file descriptors."), count) }
        if let limit = process.descriptorLimit { write(.gauge("process_max_fds", "How many there may be."), limit) }
    }

    // MARK: Storage

    private mutating func write(_ log: LogStatistics, of database: Database) {
        write(.counter("quire_log_records_total", "Changes written to the log."), log.records)
        write(.counter("quire_log_appended_bytes_total", "Bytes of these changes."), log.appendedBytes)
        write(.counter("quire_log_batches_total", "Groups of changes that were written, and synced, in one go."), log.batches)
        let syncs = MetricDescription.histogram(
            "quire_log_sync_duration_seconds", "Time that a sync of the log took; every write waits for one.",
            limits: DurationHistogram.limits)
        begin(syncs)
        histogram(syncs.name, limits: syncs.limits, counts: log.syncs.counts, sum: log.syncs.sum)
        write(.gauge("quire_log_poisoned", "1: a write or sync failed and nothing is acknowledged any more."), log.isPoisoned ? 1 : 0)
        write(.gauge("quire_log_queued_records", "Changes that wait to be written."), log.queuedRecords)
        write(.gauge("quire_log_queued_bytes", "Bytes of them."), log.queuedBytes)
        write(.gauge("quire_log_bytes", "The log on disk."), log.retainedBytes)
        write(.gauge("quire_log_last_sequence", "The last change that was accepted."), Int(database.lastSequence.rawValue))
        write(.gauge("quire_log_durable_sequence", "The last change that is on disk."), Int(database.durableSequence.rawValue))
        write(
            .gauge("quire_log_truncated_bytes", "The torn end of the log that was cut off at the start, never acknowledged."),
            Int(database.recovery.truncatedBytes))
    }

    private mutating func write(_ snapshots: SnapshotStatistics) {
        begin(.counter("quire_snapshots_total", "Snapshots since the start, by what came of them."))
        sample("quire_snapshots_total", [("outcome", "taken")], snapshots.taken)
        sample("quire_snapshots_total", [("outcome", "failed")], snapshots.failed)
        write(.counter("quire_snapshot_seconds_total", "Time that those taken took together."), snapshots.duration / .seconds(1))
        write(.gauge("quire_snapshot_log_growth_bytes", "Bytes written to the log since the last snapshot began."), snapshots.growth)
        if let duration = snapshots.lastDuration {
            write(.gauge("quire_snapshot_last_duration_seconds", "Time that the last one took."), duration / .seconds(1))
        }
        guard let last = snapshots.last else { return }
        write(.gauge("quire_snapshot_last_bytes", "Size of the last snapshot."), Int(last.bytes))
        write(.gauge("quire_snapshot_last_timestamp_seconds", "When it was taken, in seconds since 1970."), Double(last.madeAt) / 1000)
        // A clock that was set back makes nothing younger than new.
        write(
            .gauge("quire_snapshot_age_seconds", "How long ago that is."),
            Double(max(0, Timestamp.now().milliseconds - last.madeAt)) / 1000)
    }

    // MARK: Libraries

    /// Libraries with series of their own, the largest: each more is a burden on Prometheus.
    static let librariesShown = 100

    private mutating func writeLibraries(_ libraries: [LibraryFigures]) {
        func sum(_ figure: (LibraryFigures) -> Int) -> Int { libraries.reduce(0) { $0 + figure($1) } }
        write(.gauge("quire_libraries", "Libraries."), libraries.count)
        write(.gauge("quire_libraries_building", "Libraries whose index lacks rows or is built anew."), sum { $0.isBuilding ? 1 : 0 })
        write(.gauge("quire_documents", "Documents."), sum(\.documents))
        write(.gauge("quire_chunks", "Chunks."), sum(\.chunks))
        begin(.gauge("quire_index_rows", "Vectors that indexes search, and that wait for them and are compared one by one."))
        sample("quire_index_rows", [("state", "indexed")], sum(\.index.indexed))
        sample("quire_index_rows", [("state", "pending")], sum(\.index.pending))

        let shown = libraries.sorted { ($0.chunks, $1.id) > ($1.chunks, $0.id) }.prefix(Self.librariesShown)
        func each(_ description: MetricDescription, _ value: (LibraryFigures) -> [(Labels, Int)]) {
            begin(description)
            for library in shown {
                for (labels, value) in value(library) { sample(description.name, [("library", library.id.description)] + labels, value) }
            }
        }
        each(.gauge("quire_library_documents", "Documents of each of the largest libraries.")) { [([], $0.documents)] }
        each(.gauge("quire_library_chunks", "Chunks of each of them.")) { [([], $0.chunks)] }
        each(.gauge("quire_library_index_rows", "Vectors that its index searches, and that wait for it.")) {
            [([("state", "indexed")], $0.index.indexed), ([("state", "pending")], $0.index.pending)]
        }
        each(.gauge("quire_library_index_building", "1: its index lacks rows or is built anew.")) { [([], $0.isBuilding ? 1 : 0)] }
        each(.gauge("quire_library_recall_raises", "How often min_recall made its searches look at more.")) {
            [([], $0.effortRaises)]
        }
        begin(.gauge("quire_library_recall_estimate", "How many of the nearest its last searches have found, where they were not exact."))
        for library in shown {
            guard let recall = library.recall?.recall else { continue }
            sample("quire_library_recall_estimate", [("library", library.id.description)], recall)
        }
    }

    private mutating func writeMemory(_ figures: LibrariesFigures, queryCache: QueryCache) {
        func sum(_ figure: (LibraryFigures) -> Int) -> Int { figures.all.reduce(0) { $0 + figure($1) } }
        // A library that is made anew has the texts of the one that it is to succeed, until a start that reads them once more.
        let texts = figures.libraries.reduce(0) { $0 + $1.textBytes }
        begin(.gauge("quire_memory_bytes", "Memory by what it is for, as the parts reckon it; all else is the rest of the process."))
        for (component, bytes) in [
            ("vectors", sum(\.vectorBytes)), ("indexes", sum(\.index.bytes)), ("text_indexes", sum(\.textIndexBytes)),
            ("documents", sum(\.documentBytes)), ("texts", texts), ("columns", sum(\.columnBytes)),
            ("query_cache", queryCache.size.bytes),
        ] {
            sample("quire_memory_bytes", [("component", component)], bytes)
        }
    }

    private mutating func writeBudget(_ database: Database) {
        // Where the disk cannot be asked, /v1/admin/issues says so.
        guard let resources = try? database.resources() else { return }
        write(
            .gauge("quire_memory_in_use_bytes", "Memory of the process without mapped files: what the budget is about."),
            resources.memoryInUse)
        write(.gauge("quire_memory_budget_bytes", "MEMORY_BUDGET_BYTES: beyond it writes are refused."), resources.budget.memoryBytes)
        write(.gauge("quire_disk_free_bytes", "Free in the file system of the data directory."), resources.freeDisk)
        write(.gauge("quire_disk_reserve_bytes", "DISK_RESERVE_BYTES: below it writes are refused."), resources.budget.diskReserveBytes)
    }

    private mutating func writeIssues(_ service: Service, _ figures: LibrariesFigures) {
        var finder = IssueFinder(service, figures: figures)
        finder.find()
        begin(.gauge("quire_issues", "What GET /v1/admin/issues has to say, by severity."))
        for severity in ServerIssue.Severity.allCases {
            sample("quire_issues", [("severity", severity.rawValue)], finder.issues.count { $0.severity == severity })
        }
    }
}

extension LibraryFigures {
    fileprivate var isBuilding: Bool { index.state == .building }
}
