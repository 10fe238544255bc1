import Glibc
import HTTP
import HTTPTypes
import Keys
import Logging
import Settings
import TestSupport
import Testing

@testable import API
@testable import Database
@testable import Embedding
@testable import Storage
@testable import VectorSearch

/// What a server says of itself.
struct IssueTests {
    private func issues(_ server: TestServer) -> [(code: String, severity: String)] {
        let reply = server.get("/v1/admin/issues")
        #expect(reply.status == 200)
        let issues = reply.json["issues"]?.array ?? []
        #expect(reply.json["total"]?.integer == issues.count)
        return issues.map { ($0["code"]?.string ?? "", $0["severity"]?.string ?? "") }
    }

    private func codes(_ server: TestServer) -> [String] { issues(server).map(\.code) }

    /// Its model needs neither weights nor a key, and nobody is asked for it.
    private func healthy(
        _ directory: TemporaryDirectory = TemporaryDirectory(), disk: Disk = Disk(), budget: Budget = .unlimited,
        memoryInUse: @escaping @Sendable () -> Int = { 1000 }
    ) throws -> TestServer {
        let model = RemoteModel(name: "m", provider: .ollama, dimension: 4, maxTokens: 99, summary: "s")
        return try TestServer(
            ["EMBEDDING_MODEL": "m"], catalogue: ModelCatalogue(modelDirectory: nil, configured: [model]), disk: disk, budget: budget,
            directory: directory, memoryInUse: memoryInUse)
    }

    @Test("a server with which all is well has none")
    func none() throws {
        let server = try healthy()
        let library = server.vectors()
        server.add([[1, 2, 3]], to: library)
        _ = server.post("/v1/admin/snapshots", text: "")

        #expect(server.get("/v1/admin/issues").json == ["issues": [], "total": 0])
    }

    @Test(
        "memory is spoken of above 85 % of its budget, and gravely at its end",
        arguments: [(850, nil), (851, "memory_high"), (1000, "memory_full")])
    func memory(inUse: Int, code: String?) throws {
        let server = try healthy(budget: Budget(memoryBytes: 1000), memoryInUse: { inUse })

        let issues = issues(server)

        #expect(issues.map(\.code) == (code.map { [$0] } ?? []))
        #expect(issues.map(\.severity) == (code.map { [$0 == "memory_full" ? "critical" : "warning"] } ?? []))
        #expect(server.get("/ready").json["components"]?[4]?["status"] == (inUse < 1000 ? "ready" : "unavailable"))
    }

    @Test(
        "the disk is spoken of below twice its reserve, and gravely at it",
        arguments: [(2000, nil), (1999, "disk_low"), (1001, "disk_low"), (1000, "disk_full")])
    func disk(free: Int, code: String?) throws {
        let disk = Disk()
        disk.setFreeBytes(free)
        let server = try healthy(disk: disk, budget: Budget(diskReserveBytes: 1000))

        #expect(codes(server) == (code.map { [$0] } ?? []))
        #expect(server.get("/ready").json["components"]?[3]?["status"] == (free > 1000 ? "ready" : "unavailable"))
    }

    @Test("a disk that cannot be asked is an issue, and no error")
    func unreadableDisk() throws {
        let disk = Disk()
        let server = try healthy(disk: disk)
        disk.setFreeBytes(nil)

        #expect(codes(server) == ["disk_unreadable"])
        #expect(server.get("/ready").status == 200)
        #expect(server.get("/ready").json["components"]?[3]?["status"] == "unavailable")
        #expect(try PrometheusText(server.get("/metrics").body).value("quire_issues", ["severity": "critical"]) == 1)
    }

    @Test("a snapshot that failed is one until the next succeeds")
    func failedSnapshot() throws {
        let disk = Disk()
        let server = try healthy(disk: disk)
        server.add([[1, 2, 3]], to: server.vectors())
        disk.become(.full)
        #expect(server.post("/v1/admin/snapshots", text: "").status == 507)
        #expect(codes(server) == ["snapshot_failed"])

        disk.become(.none)
        #expect(server.post("/v1/admin/snapshots", text: "").status == 201)

        #expect(codes(server) == [])
    }

    @Test("what a start found on disk is told until the next")
    func start() throws {
        let directory = TemporaryDirectory()
        do {
            let server = try healthy(directory)
            server.add([[1, 2, 3]], to: server.vectors())
            let snapshot = try #require(server.post("/v1/admin/snapshots", text: "").json["name"]?.string)
            try server.flip(snapshot, at: 100)
            try server.database.close()
        }
        let log = directory / "wal-0000000000000002.log"
        try directory.write("wal-0000000000000002.log", try contents(of: log) + [UInt8](repeating: 0xAB, count: 64))
        try directory.write("wal-x.log", [1])

        let server = try healthy(directory)
        let issues = issues(server)

        #expect(Set(issues.map(\.code)) == ["snapshot_damaged", "log_torn_tail", "files_ignored"])
        #expect(issues.map(\.severity) == ["warning", "info", "info"])
    }

    @Test("a log that outgrew its snapshots, and syncs that take long, are spoken of")
    func log() throws {
        let server = try healthy()
        func codes(_ find: (inout IssueFinder) -> Void) -> [ServerIssue.Code] {
            var finder = IssueFinder(server.service)
            find(&finder)
            return finder.issues.map(\.code)
        }
        var snapshots = SnapshotStatistics()
        (snapshots.growth, snapshots.growthLimit) = (200, 100)
        var log = LogStatistics()
        for _ in 0..<990 { log.syncs.record(.milliseconds(1)) }
        for _ in 0..<10 { log.syncs.record(.seconds(1)) }

        #expect(codes { $0.findInSnapshots(snapshots) } == [])
        #expect(codes { $0.findInLog(log) } == [])
        #expect(codes { $0.findInLog(LogStatistics()) } == [])
        snapshots.growth = 201
        log.syncs.record(.seconds(100))
        #expect(codes { $0.findInSnapshots(snapshots) } == [.snapshotOverdue])
        #expect(codes { $0.findInLog(log) } == [.syncsSlow])
    }

    private func figures(
        _ kind: IndexKind = .auto, indexed: Int = 0, pending: Int = 0, free: Int = 0, busyFor: Duration? = nil, chunks: Int = 1,
        recall: Double? = nil, effort: SearchEffort = .configured
    ) -> LibraryFigures {
        let index = IndexedStatistics(
            kind: kind, active: .bruteForce, quantization: .none, state: .ready, indexed: indexed, pending: pending, progress: 1, bytes: 0,
            details: [], target: nil)
        return LibraryFigures(
            id: .random(), model: "external", documents: 1, chunks: chunks, index: index, freeRows: free, vectorBytes: 0, textIndexBytes: 0,
            documentBytes: 0, textBytes: 0, columnBytes: 0,
            busyFor: busyFor, recall: recall.map { RecallEstimate(recall: $0, searches: 10) }, minimumRecall: 0.9,
            effort: effort, effortRaises: effort == .configured ? 0 : 3)
    }

    @Test("a library is spoken of when its index takes long, misses much, or is none though it is large, or half of it is free")
    func libraries() throws {
        let server = try healthy()
        func issues(_ figures: LibraryFigures) -> [ServerIssue] {
            var finder = IssueFinder(server.service, figures: LibrariesFigures(libraries: [figures], successors: []))
            finder.find()
            #expect(finder.issues.allSatisfy { $0.library == figures.id })
            return finder.issues
        }
        func found(_ figures: LibraryFigures) -> [String] { issues(figures).map(\.code.rawValue) }

        #expect(found(figures(.hnsw, indexed: 5, pending: 20_000, busyFor: .seconds(601))) == ["index_building_long"])
        #expect(found(figures(.hnsw, indexed: 5, pending: 20_000, busyFor: .seconds(600))) == [])
        #expect(found(figures(.hnsw, indexed: 5, pending: 19_999, busyFor: .seconds(601))) == [])
        #expect(found(figures(.hnsw, indexed: 5, pending: 20_000)) == [])
        #expect(found(figures(.hnsw, indexed: 5, recall: 0.89)) == ["recall_low"])
        #expect(found(figures(.hnsw, indexed: 5, recall: 0.9)) == [])
        #expect(issues(figures(.hnsw, indexed: 5, effort: .ef(512))).map { "\($0.code) \($0.severity)" } == ["recallGuarded info"])
        #expect(issues(figures(.lsh, indexed: 5, effort: .exact)).map { "\($0.code) \($0.severity)" } == ["recallGuarded warning"])
        #expect(found(figures(.bruteForce, indexed: 200_000)) == ["no_index"])
        #expect(found(figures(.bruteForce, indexed: 199_999)) == [])
        #expect(found(figures(.auto, indexed: 200_000)) == [])
        #expect(found(figures(indexed: 49_999, free: 50_000)) == ["free_rows"])
        #expect(found(figures(indexed: 50_000, free: 50_000)) == [])
        #expect(found(figures(indexed: 5, free: 49_999)) == [])
    }

    @Test("of many libraries the largest are named, the others counted; the gravest issue comes first")
    func bounded() throws {
        let server = try healthy(budget: Budget(memoryBytes: 1000))
        let many = (0..<50).map { figures(.bruteForce, indexed: 200_000, chunks: $0) }
        var finder = IssueFinder(server.service, figures: LibrariesFigures(libraries: many, successors: []))

        finder.find()

        #expect(finder.issues.map(\.code).prefix(2) == [.memoryFull, .noIndex])
        #expect(finder.issues.dropFirst().compactMap(\.library) == many.suffix(20).reversed().map(\.id))
        #expect(finder.issues.last?.message == "The same is true of 30 smaller libraries" && finder.issues.count == 22)
    }

    @Test("models that libraries need and do not get are spoken of, with the reason")
    func models() throws {
        let stub = StubServer { _, _ in .json(200, "nonsense") }
        let model = RemoteModel(name: "m", provider: .openai, dimension: 4, maxTokens: 99, baseURL: stub.url, summary: "s")
        // Whose rest does not end.
        let server = try TestServer(
            catalogue: ModelCatalogue(modelDirectory: nil, configured: [model], policy: RetryPolicy(), clock: .standing),
            memoryInUse: { 1000 })
        #expect(codes(server) == ["model_unavailable"])
        let library = try #require(server.post("/v1/libraries", ["name": "l", "embedding_model": "m"]).headers[.location])
        #expect(codes(server) == ["model_unavailable"])

        for _ in 0..<CircuitBreaker.limit { _ = server.post("\(library)/search", ["query": "q"]) }
        var figures = figures()
        figures = LibraryFigures(
            id: figures.id, model: "gone", documents: 1, chunks: 1, index: figures.index, freeRows: 0, vectorBytes: 0, textIndexBytes: 0,
            documentBytes: 0, textBytes: 0, columnBytes: 0,
            busyFor: nil, recall: nil, minimumRecall: 0, effort: .configured, effortRaises: 0)
        var finder = IssueFinder(server.service, figures: LibrariesFigures(libraries: [figures], successors: []))
        finder.find()

        // What no library needs is only worth knowing.
        #expect(issues(server).map { "\($0.code) \($0.severity)" } == ["model_resting warning", "model_unavailable info"])
        #expect(finder.issues.map(\.code) == [.modelUnavailable, .modelUnavailable])
        #expect(finder.issues.first?.message.contains("the model gone") == true)
    }

    @Test("a re-embedding that failed is one, while its library is there")
    func reembedding() throws {
        let server = try healthy()
        defer { server.service.stop() }
        let library = try #require(server.post("/v1/libraries", ["name": "l", "embedding_model": "m"]).headers[.location])
        let id = try #require(LibraryID(String(library.suffix(36))))

        try server.database.beginReembedding(of: id, as: EmbeddingSource(model: "gone", dimension: 8))
        try server.service.reembedder.start(id, from: "m", to: "gone", with: server.service)
        while server.service.reembedder.run(of: id)?.state == .running { yieldThread() }

        #expect(codes(server) == ["reembedding_failed"])
        #expect(server.get("/v1/admin/issues").json["issues"]?[0]?["library_id"] == .string(id.description))
        _ = server.delete(library)
        #expect(codes(server) == [])
    }

    @Test("requests that ended with 500, a start and a failed storage are spoken of")
    func server() throws {
        let server = try healthy()
        let monitor = RequestMonitor(routes: [], registry: server.service.metrics, log: .off, logger: LogRecorder().logger)
        server.service.watch(monitor)
        let request = Request(method: .get, path: "/x", id: "1")
        _ = monitor.observe(request, PathParameters()) { (Response(status: .internalServerError), nil) }

        #expect(codes(server) == ["requests_failed"])
        #expect(codes(try TestServer(starts: false)) == ["starting"])
        server.service.fail(.closed)
        #expect(codes(server) == ["storage_failed", "requests_failed"])
    }

    @Test("a key ring that cannot be used is spoken of, as long as it cannot")
    func keys() throws {
        let (server, _) = try TestServer.withKeys { ring throws(KeysError) in try ring.create(name: "k", right: .admin, at: .now()) }
        func critical() throws -> Double? {
            try PrometheusText(server.get("/metrics").body).samples("quire_issues").first { $0.labels["severity"] == "critical" }?.value
        }
        #expect(try critical() == 0)
        chmod(server.settings.keysFile, 0o666)
        let deadline = ContinuousClock.now + .seconds(600)
        while try critical() == 0, ContinuousClock.now < deadline { yieldThread() }
        #expect(try critical() == 1)
        var finder = IssueFinder(server.service)
        finder.find()
        #expect(finder.issues.first?.code == .keyRingUnusable)
    }

    @Test("every code is in the document")
    func documented() {
        let codes = Contract.shared.document["components"]?["schemas"]?["Issue"]?["properties"]?["code"]?["enum"]?.array
        #expect(codes?.compactMap(\.string) == ServerIssue.Code.allCases.map(\.rawValue))
    }
}
