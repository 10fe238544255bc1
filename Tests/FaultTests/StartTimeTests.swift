import Database
import FoundationEssentials
import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

/// How soon a server answers that has much to load: within two seconds with the graph of the index or without, within five with a long
/// tail of the log.
///
/// Tests run unoptimised programs, and twenty thousand chunks instead of a hundred thousand: what takes longer here takes longer there. The
/// machine may be busy for a moment, so that the limit is for the fastest of three starts; what they say is for each.
@Suite("Faults: time to start", .serialized)
struct StartTimeTests {
    @Test("a graph in the snapshot is there at once; a damaged one is built again while exact search serves; the log's tail is replayed")
    func starts() throws {
        let data = TemporaryDirectory()
        let stored = try StoredLibrary(in: data.path)
        let settings = noModel.merging(["VECTOR_DB_DATA_DIR": data.path]) { $1 }
        func threeStarts() throws -> [Start] { try (0..<3).map { _ in try Start(settings, stored) } }

        let whole = try threeStarts()
        for start in whole { #expect(start.pending == 0 && start.log.contains("replayed=0"), "\(start.log)") }

        try stored.damageGraph()
        let damaged = try threeStarts()
        for start in damaged {
            #expect(start.log.contains("they are built again"), "\(start.log)")
            #expect(start.pending > 0, "the graph was there again before the first request")
            #expect(start.isExact)
        }

        let tail = count("QUIRE_START_TAIL", standard: 2000)
        try stored.write(tail)
        let replayed = try threeStarts()
        for start in replayed { #expect(start.log.contains("replayed=\(tail)"), "\(start.log)") }

        #expect(fastest(of: whole) <= .seconds(2))
        #expect(fastest(of: damaged) <= .seconds(2))
        #expect(fastest(of: replayed) <= .seconds(5))
        report("start, \(stored.chunks) x \(StoredLibrary.dimension) with graph", "\(fastest(of: whole).inMilliseconds) ms")
        report("start with the graph damaged, exact search serving", "\(fastest(of: damaged).inMilliseconds) ms")
        report("start with \(tail) changes behind the snapshot", "\(fastest(of: replayed).inMilliseconds) ms")
    }

    @Test("a start that takes too long is found out")
    func plantedBug() throws {
        let data = TemporaryDirectory()
        let stored = try StoredLibrary(in: data.path, chunks: 1000)
        let faults = try Faults.environment(data / "faults", ["pread *.snap 3 delay 2000"])

        let start = try Start(noModel.merging(["VECTOR_DB_DATA_DIR": data.path]) { $1 }.merging(faults) { $1 }, stored)

        #expect(start.time > .seconds(2))
    }

    @Test(
        "while a responder loads, from its first second on, every request is told that it starts and when to come back, and health is 200; then all are answered"
    )
    func startUnderLoad() throws {
        let data = TemporaryDirectory()
        let stored = try StoredLibrary(in: data.path, chunks: count("QUIRE_STARTING_CHUNKS", standard: 20_000), index: .bruteForce)
        let (library, query) = ("\(stored.library)", stored.vectors[0])
        let scratch = TemporaryDirectory()
        let faults = scratch / "faults"
        let settings = noModel.merging(["VECTOR_DB_DATA_DIR": data.path]) { $1 }
        let quire = try QuireInstance(settings.merging(try Faults.environment(faults, [])) { $1 })
        #expect(quire.stopServer() == 0)

        var firsts: [Duration] = []
        var numberOfRefusals = 0
        for _ in 0..<3 {
            // So that it has not loaded before anybody asks. From the first byte of the snapshot on it is as busy as ever.
            try Faults.environment(faults, ["pread *.snap 1 hold 0"])
            try quire.startServer()
            try quire.waitUntil("a responder runs") { quire.responder != nil }
            let clients = StartedClients(of: quire, library, query)
            try quire.waitUntil("it reads the snapshot") { access(faults + ".held", F_OK) == 0 }
            try quire.waitUntil("requests are told that it starts") { clients.answers.count { $0.isStarting } >= 100 }
            #expect(try quire.get("/health").status == 200)
            #expect(try quire.get("/ready").status == 503)
            try Faults.environment(faults, [])
            unlink(faults + ".held")
            try quire.waitUntilReady()
            try quire.waitUntil("a search is answered") { clients.answers.contains { $0.status == 200 } }
            let answers = try clients.stop()

            let refusals = answers.filter(\.isStarting)
            #expect(answers.allSatisfy { $0.status == 200 || $0.isStarting }, "\(Set(answers.map(\.text)))")
            let firstFound = try #require(answers.filter { $0.status == 200 }.map(\.end).min())
            #expect(refusals.allSatisfy { $0.start < firstFound }, "one was refused after another one was answered")
            #expect(answers.allSatisfy { $0.end - $0.start <= .seconds(5) })
            let firstRefusal = try #require(refusals.map(\.end).min())
            firsts.append(firstRefusal - clients.start)
            numberOfRefusals += refusals.count
            #expect(try quire.get("/v1/libraries/\(library)").json["num_chunks"]?.integer == stored.chunks)
            #expect(quire.stopServer() == 0)
        }

        #expect(firsts.min()! <= .seconds(1))
        report(
            "three starts under load, \(stored.chunks) x \(StoredLibrary.dimension): first answer after, requests told to come back",
            firsts.map { "\($0.inMilliseconds)" }.joined(separator: ", ") + " ms; \(numberOfRefusals)")
    }

    private func fastest(of starts: [Start]) -> Duration { starts.map(\.time).min()! }

    /// A start and what the first requests after it see.
    private struct Start {
        let time: Duration
        let pending: Int
        let isExact: Bool
        let log: String

        init(_ settings: [String: String], _ stored: StoredLibrary) throws {
            let quire = try QuireInstance(settings, awaitingReady: false)
            _ = quire.stopServer()
            let begin = ContinuousClock.now
            try quire.startServer()
            try quire.waitUntilReady()
            time = .now - begin
            let reply = try quire.search("\(stored.library)", for: stored.vectors[0], count: 1, isExact: false)
            isExact = reply.json["plan"]?["exact"]?.bool ?? false
            pending = try quire.get("/v1/libraries/\(stored.library)/index").json["pending"]?.integer ?? -1
            #expect(reply.json["results"]?[0]?["distance"]?.number == 0)
            #expect(quire.stopServer() == 0)
            log = quire.lastLog
        }
    }
}

/// Eight clients that search, whatever they are answered.
private final class StartedClients: Sendable {
    struct Answer: Sendable {
        let start: ContinuousClock.Instant
        let end: ContinuousClock.Instant
        let status: Int
        let text: String
        let isStarting: Bool
    }

    let start = ContinuousClock.now
    private let isOver = Shared(false)
    private let told = Shared<[Answer]>([])
    private let clients: [Background<Void>]

    init(of quire: QuireInstance, _ library: String, _ query: [Float]) {
        let (isOver, told) = (isOver, told)
        clients = (0..<8).map { _ in
            Background {
                while !isOver.current {
                    let start = ContinuousClock.now
                    let reply = try quire.search(library, for: query, count: 1, isExact: true)
                    let end = ContinuousClock.now
                    let error = reply.status == 503 ? reply.json : .null
                    let saysSo = error["error_type"] == "UnavailableError" && error["detail"] == "The server is starting"
                    let isStarting = saysSo && reply["retry-after"] == "1"
                    told.update {
                        $0.append(
                            Answer(
                                start: start, end: end, status: reply.status, text: reply.status == 200 ? "" : reply.text,
                                isStarting: isStarting))
                    }
                }
            }
        }
    }

    var answers: [Answer] { told.current }

    func stop() throws -> [Answer] {
        isOver.set(true)
        for client in clients { try client.value() }
        return told.current
    }
}

/// A library in a data directory that no server has, with its index in a snapshot.
private final class StoredLibrary {
    static let dimension = count("QUIRE_START_DIMENSION", standard: 16)

    let chunks: Int
    let library: LibraryID
    private(set) var vectors: [[Float]] = []
    private let directory: String
    private let snapshot: Snapshots.Info
    private var chance = SplitMix(seed: seed("time to start", standard: 29))

    init(in directory: String, chunks: Int = count("QUIRE_START_CHUNKS", standard: 20_000), index: IndexKind = .hnsw) throws {
        (self.directory, self.chunks) = (directory, chunks)
        let database = try Database(directory: directory, durability: .os, builderThreads: 2)
        let library = try database.createLibrary(
            name: "test", description: nil, metric: .l2, dimension: Self.dimension, model: LibraryRecord.externalModel,
            index: IndexConfiguration(index)
        ).record.id
        self.library = library
        for _ in 0..<chunks / 100 {
            var new: [[Float]] = []
            for _ in 0..<100 { new.append(Self.vector(&chance)) }
            try Self.put(new, in: library, database)
            vectors += new
        }
        while try database.indexStatus(of: library).statistics.pending > 0 { yieldThread() }
        snapshot = try database.takeSnapshot()
        try database.close()
    }

    /// Adds documents behind the snapshot.
    func write(_ count: Int) throws {
        let database = try Database(directory: directory, durability: .os, builderThreads: 0)
        for _ in 0..<count { try Self.put([Self.vector(&chance)], in: library, database) }
        try database.close()
    }

    /// The index is the last section before the end, which has 24 bytes.
    func damageGraph() throws {
        let path = directory + "/" + snapshot.name
        var bytes = try contents(of: path)
        bytes[bytes.count - 1000] ^= 1
        try Data(bytes).write(to: URL(filePath: path))
    }

    private static func vector(_ chance: inout SplitMix) -> [Float] {
        (0..<dimension).map { _ in Float(Int.random(in: 1...4095, using: &chance)) }
    }

    private static func put(_ vectors: [[Float]], in library: LibraryID, _ database: Database) throws {
        let chunks = vectors.map { ChunkRecord(id: .random(), text: "text", pageNumber: nil, embedding: $0) }
        _ = try database.putDocument(id: nil, in: library, metadata: DocumentMetadata(title: "title", tags: []), chunks: chunks)
    }
}
