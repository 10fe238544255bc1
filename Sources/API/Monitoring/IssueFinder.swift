import Database
import Embedding
import Keys
import Settings
import Storage
import VectorSearch

/// Looks at everything that keeps count of itself, and says in sentences what is not as it should be.
///
/// Cost: a look at every library, and no file is read. Of each kind about libraries as many are named as `librariesNamed`, the largest;
/// the others are only counted.
struct IssueFinder {
    private let service: Service
    private let figures: LibrariesFigures?
    private(set) var issues: [ServerIssue] = []

    static let librariesNamed = 20
    /// An index that is at work for longer, while so many rows are compared one by one.
    private static let longBuild = Duration.seconds(600)
    private static let manyPendingRows = 20_000
    /// From so many rows on, comparing all of them takes tens of milliseconds.
    private static let rowsWorthAnIndex = 200_000
    /// A search that misses more than one in ten of the nearest is not what people expect.
    private static let lowRecall = 0.9
    /// Released rows that are worth a purge: as many, and as large a share.
    private static let manyFreeRows = 50_000
    /// Shares of the budget of memory, and multiples of the reserve of disk.
    private static let highMemory = 0.85
    private static let lowDisk = 2.0
    /// A sync that takes longer holds up every write. One in so many is no accident.
    private static let slowSync = 0.5
    private static let slowSyncShare = 0.01

    /// - Parameter figures: a look at every library, if somebody has just had one.
    init(_ service: Service, figures: LibrariesFigures? = nil) {
        self.service = service
        self.figures = figures
    }

    /// What there is to say now, the gravest first.
    mutating func find() {
        switch service.state {
        case .starting:
            add(.starting, .warning, "The server is loading its data; requests are answered with 503 until it is done", "Wait")
        case .failed(let error):
            add(
                .storageFailed, .critical, "The storage failed and nothing is acknowledged any more: \(error)",
                "Look at the disk and the system's log; the server restarts, and the next start judges what is on disk")
        case .ready(let database, let catalogue):
            findInResources(database)
            findInStart(database)
            findInSnapshots(database.snapshotStatistics)
            findInLog(database.logStatistics)
            let libraries = (figures ?? database.figures()).libraries
            findInLibraries(libraries)
            findInModels(catalogue, libraries)
            findInReembeddings(of: Set(libraries.map(\.id)))
        }
        findInKeys()
        findInRequests()
        let order = Dictionary(uniqueKeysWithValues: ServerIssue.Severity.allCases.reversed().enumerated().map { ($1, $0) })
        // Equally grave ones stay in the order in which they were found.
        issues = issues.enumerated().sorted { (order[$0.element.severity]!, $0.offset) < (order[$1.element.severity]!, $1.offset) }
            .map(\.element)
    }

    private mutating func add(
        _ code: ServerIssue.Code, _ severity: ServerIssue.Severity, _ message: String, _ action: String, library: LibraryID? = nil
    ) {
        issues.append(ServerIssue(code: code, severity: severity, message: message, action: action, library: library))
    }

    // MARK: Memory and disk

    private mutating func findInResources(_ database: Database) {
        let resources: Resources
        do {
            resources = try database.resources()
        } catch {
            add(
                .diskUnreadable, .critical, "The free space of the data directory cannot be read: \(error)",
                "Look at the disk and at the rights of VECTOR_DB_DATA_DIR")
            return
        }
        let (memory, budget) = (resources.memoryInUse, resources.budget.memoryBytes)
        if memory >= budget {
            add(
                .memoryFull, .critical, "Memory is used up: \(memory) of \(budget) bytes; writes are refused with 507",
                "Delete what is not needed and POST /v1/admin/purge, or raise MEMORY_BUDGET_BYTES on a machine that has more")
        } else if Double(memory) > Self.highMemory * Double(budget) {
            add(
                .memoryHigh, .warning,
                "Memory is at \(percent(memory, of: budget)) % of its budget: \(memory) of \(budget) bytes; at 100 % writes are refused",
                "Delete what is not needed and POST /v1/admin/purge, or plan for more memory")
        }
        let (free, reserve) = (resources.freeDisk, resources.budget.diskReserveBytes)
        if free <= reserve {
            add(
                .diskFull, .critical,
                "The disk is full: \(free) bytes are free and DISK_RESERVE_BYTES = \(reserve); writes are refused with 507",
                "Make room in the file system of VECTOR_DB_DATA_DIR; deletions are taken, and POST /v1/admin/purge gives their space back")
        } else if Double(free) < Self.lowDisk * Double(reserve) {
            add(
                .diskLow, .warning, "The disk is nearly full: \(free) bytes are free, and at \(reserve) writes are refused",
                "Make room in the file system of VECTOR_DB_DATA_DIR")
        }
    }

    // MARK: Keys

    /// Nobody has a key to ask for issues with then: seen in `quire_issues`.
    private mutating func findInKeys() {
        guard case .failure(let error) = service.keyRing?.current else { return }
        add(
            .keyRingUnusable, .critical, "No key can be checked, and every request that needs one is answered with 503: \(error)",
            "Look at KEYS_FILE, its owner and mode; what is damaged is made anew with `quire keys create`, or put back from a backup")
    }

    // MARK: Start, log, snapshots

    private mutating func findInStart(_ database: Database) {
        for error in database.loaded.refused {
            add(
                .snapshotDamaged, .warning,
                "A snapshot was damaged and set aside at the start; everything in it came from the one before it and the log: \(error)",
                "Check the disk, take a snapshot with POST /v1/admin/snapshots, and remove the file *.damaged when it was looked at")
        }
        for (what, count) in [("vectors", database.loaded.rebuiltIndexes), ("texts", database.loaded.rebuiltTextIndexes)] where count > 0 {
            add(
                .indexesRebuilt, .info,
                "Indexes of \(what) in the snapshot were damaged or of another version and are made anew, those of \(count) libraries",
                "Nothing, after an upgrade; else check the disk")
        }
        let recovery = database.recovery
        if recovery.truncatedBytes > 0 {
            add(
                .logTornTail, .info,
                "The log ended in a torn write of \(recovery.truncatedBytes) bytes, never acknowledged, that was cut off at the start "
                    + "and kept in \(recovery.tornFile ?? "no file, for want of space")",
                "Nothing, after a crash or a power loss; the file can be removed")
        }
        if !recovery.ignoredFiles.isEmpty {
            add(
                .filesIgnored, .info,
                "\(recovery.ignoredFiles.count) files in the data directory are named like parts of the log and are none, "
                    + "the first of them \(oneLine(recovery.ignoredFiles[0]))",
                "Move them elsewhere")
        }
    }

    mutating func findInSnapshots(_ snapshots: SnapshotStatistics) {
        if let failure = snapshots.failure {
            add(
                .snapshotFailed, .warning,
                "The last snapshot failed: \(failure). The log is kept, which grows, and with it the time of a start",
                "Make room on the disk, or find out what is wrong with it; then POST /v1/admin/snapshots")
        } else if snapshots.growth > 2 * snapshots.growthLimit {
            add(
                .snapshotOverdue, .warning,
                "\(snapshots.growth) bytes were written to the log since the last snapshot began, more than twice SNAPSHOT_LOG_BYTES = "
                    + "\(snapshots.growthLimit); a start reads all of them",
                "See in GET /metrics how long snapshots take (quire_snapshot_last_duration_seconds); a faster disk, or a higher "
                    + "SNAPSHOT_LOG_BYTES, lets them keep up")
        }
    }

    mutating func findInLog(_ log: LogStatistics) {
        let slow = zip(DurationHistogram.limits + [.infinity], log.syncs.counts).filter { $0.0 > Self.slowSync }.reduce(0) { $0 + $1.1 }
        if slow > 0, Double(slow) > Self.slowSyncShare * Double(log.syncs.count) {
            add(
                .syncsSlow, .warning,
                "\(slow) of \(log.syncs.count) syncs of the log took longer than \(Self.slowSync) s; every write waits for one",
                "See what else uses the disk, or put VECTOR_DB_DATA_DIR on a faster one")
        }
    }

    // MARK: Libraries

    private mutating func findInLibraries(_ libraries: [LibraryFigures]) {
        add(
            .indexBuildingLong, .warning, libraries.filter(isBuildingLong),
            "If it goes on, give INDEX_BUILD_THREADS more threads, or write more slowly"
        ) {
            "The index has been at work for \($0.busyFor!.components.seconds / 60) minutes and lacks \($0.index.pending) of "
                + "\($0.index.indexed + $0.index.pending) rows, which searches compare one by one"
        }
        add(
            .recallLow, .warning, libraries.filter { $0.recall.map { $0.recall < Self.lowRecall } ?? false },
            "Have the index look at more: PATCH /v1/libraries/{id} with {\"index_params\": ...}, ef_search for hnsw, nprobe for ivf, probes for "
                + "lsh; or ask for \"exact\": true"
        ) {
            "Searches find \(Int($0.recall!.recall * 100)) % of the nearest chunks, by the last \($0.recall!.searches) that were repeated with "
                + "all vectors"
        }
        for (severity, libraries) in [
            (ServerIssue.Severity.warning, libraries.filter { $0.effort == .exact }),
            (.info, libraries.filter { if case .ef = $0.effort { true } else { false } }),
        ] {
            add(
                .recallGuarded, severity, libraries,
                "Have the index find more: POST /v1/libraries/{id}/index/rebuild with a higher m or ef_construction for hnsw, or PATCH "
                    + "/v1/libraries/{id} with a higher ef_search, nprobe or probes; or with a lower min_recall"
            ) { library in
                let effort = if case .ef(let ef) = library.effort { "keep \(ef) candidates" } else { "compare all vectors" }
                return "Searches found fewer of the nearest chunks than min_recall = \(library.minimumRecall) asks for, so they were made "
                    + "to look at more \(library.effortRaises) times: those that name no ef now \(effort), and take longer"
            }
        }
        add(
            .noIndex, .info, libraries.filter { $0.index.kind == .bruteForce && $0.index.indexed >= Self.rowsWorthAnIndex },
            "POST /v1/libraries/{id}/index/rebuild with {\"index_type\": \"auto\"}, unless searches have to be exact"
        ) {
            "The library compares all of its \($0.index.indexed) rows in every search"
        }
        add(
            .freeRows, .info, libraries.filter { $0.freeRows >= Self.manyFreeRows && $0.freeRows > $0.index.indexed + $0.index.pending },
            "POST /v1/admin/purge gives the memory back, unless as much will be written again"
        ) {
            "Deletions left room for \($0.freeRows) vectors, more than the library has"
        }
    }

    private func isBuildingLong(_ library: LibraryFigures) -> Bool {
        guard let time = library.busyFor else { return false }
        return time > Self.longBuild && library.index.pending >= Self.manyPendingRows
    }

    /// One issue for each of the largest libraries, and one for the others together.
    private mutating func add(
        _ code: ServerIssue.Code, _ severity: ServerIssue.Severity, _ libraries: [LibraryFigures], _ action: String,
        message: (LibraryFigures) -> String
    ) {
        let largest = libraries.sorted { $0.chunks > $1.chunks }
        for library in largest.prefix(Self.librariesNamed) { add(code, severity, message(library), action, library: library.id) }
        if largest.count > Self.librariesNamed {
            add(code, severity, "The same is true of \(largest.count - Self.librariesNamed) smaller libraries", action)
        }
    }

    // MARK: Models

    private mutating func findInModels(_ catalogue: ModelCatalogue, _ libraries: [LibraryFigures]) {
        let users = Dictionary(grouping: libraries, by: \.model).mapValues(\.count)
        for model in catalogue.models where model.name == service.settings.embeddingModel || users[model.name] != nil {
            guard case .unavailable(let reason) = catalogue.availability(of: model) else { continue }
            let count = users[model.name] ?? 0
            let whose = count == 0 ? "libraries that name none" : "\(count) \(count == 1 ? "library" : "libraries")"
            let isResting = catalogue.isResting(model)
            add(
                isResting ? .modelResting : .modelUnavailable, count == 0 ? .info : .warning,
                "Texts cannot be embedded by \(model.name), the model of \(whose): \(reason)",
                isResting
                    ? "See whether the provider is reachable and its limits are not used up; it is asked again by itself"
                    : "Give the model what the reason names and restart; searches and writes by vector go on")
        }
        let foreign = users.filter { $0.key != LibraryRecord.externalModel && catalogue.model(named: $0.key) == nil }
        for (name, count) in foreign.sorted(by: { $0.key < $1.key }).prefix(Self.librariesNamed) {
            add(
                .modelUnavailable, .warning,
                "\(count) \(count == 1 ? "library was" : "libraries were") made with the model \(name), which the catalogue does not have",
                "Name the model in the configuration file (models), or POST /v1/libraries/{id}/reembed")
        }
    }

    private mutating func findInReembeddings(of libraries: Set<LibraryID>) {
        let failed = service.reembedder.failures.filter { libraries.contains($0.id) }
        for (id, failure) in failed.prefix(Self.librariesNamed) {
            add(
                .reembeddingFailed, .warning,
                "The re-embedding of a library failed: \(failure.detail). The library works with its old vectors",
                "POST /v1/libraries/{id}/reembed goes on where it ended, DELETE gives it up", library: id)
        }
        if failed.count > Self.librariesNamed {
            add(
                .reembeddingFailed, .warning, "The same is true of \(failed.count - Self.librariesNamed) other libraries",
                "POST /v1/libraries/{id}/reembed goes on where it ended, DELETE gives it up")
        }
    }

    // MARK: Requests

    private mutating func findInRequests() {
        let count = service.requestsFailed
        guard count > 0 else { return }
        add(
            .requestsFailed, .warning, "\(count) \(count == 1 ? "request has" : "requests have") failed with 500 since the start",
            "That is a defect of the server: look for \"a request failed unexpectedly\" in its log, and report it")
    }

    private func percent(_ part: Int, of whole: Int) -> Int { Int(100 * Double(part) / Double(whole)) }
}

/// A file's name on one line.
private func oneLine(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(100).map { $0.value < 0x20 ? "?" : $0 }))
}
