import Database
import Locks
import Storage
import TestSupport
import Testing
import VectorSearch

@Suite("Faults: snapshots beside writers", .serialized)
struct SnapshotTests {
    @Test("writing goes on while a snapshot is written: with no pause above 50 ms, and p99 at most twice as long")
    func writersGoOn() throws {
        let run = try SnapshotsBesideWriters()

        #expect(run.flaws == [])
        report("a snapshot of \(run.chunks) x 384 takes", "\(run.snapshots.max()!.inMilliseconds) ms at most")
        report("writes of 8 writers alone", describe(run.alone))
        report("writes of 8 writers beside snapshots", describe(run.beside.flatMap { $0 }.sorted()))
        let longest = run.beside.map { "\($0.last!.inMilliseconds)" }
        report("longest write of 8 writers beside each snapshot", "\(longest.joined(separator: ", ")) ms")
    }

    @Test("a snapshot during which nobody can write is found out")
    func plantedBug() throws {
        #expect(try SnapshotsBesideWriters(stoppingWriters: true).flaws.contains(.longPause))
    }

    private func describe(_ times: [Duration]) -> String {
        func at(_ share: Double) -> String { "\(times[Int(Double(times.count - 1) * share)].inMilliseconds) ms" }
        return "p50 \(at(0.5)), p99 \(at(0.99)), longest \(at(1)), of \(times.count)"
    }
}

/// How long the writes of eight writers take, alone and then while snapshots are taken.
private struct SnapshotsBesideWriters {
    enum Flaw {
        /// A snapshot during which not every writer had its turn several times.
        case fewWrites
        case longPause, slowWrites
    }

    let chunks = count("QUIRE_SNAPSHOT_CHUNKS", standard: 20_000)
    /// Sorted, as are those beside each snapshot.
    let alone: [Duration]
    let beside: [[Duration]]
    private(set) var snapshots: [Duration] = []
    private(set) var flaws: Set<Flaw> = []

    init(stoppingWriters: Bool = false) throws {
        let directory = TemporaryDirectory()
        let database = try Database(directory: directory / "data", durability: .always, builderThreads: 0)
        defer { #expect(throws: Never.self) { try database.close() } }
        let writers = try Writers(of: database, chunks: chunks, gate: stoppingWriters ? ReadWriteLock() : nil)

        let undisturbed = Shared(false)
        let first = writers.start(until: undisturbed)
        let goal = database.lastSequence.rawValue + 800
        while database.lastSequence.rawValue < goal { yieldThread() }
        undisturbed.set(true)
        alone = try first.flatMap { try $0.value() }.map(\.time).sorted()

        let isOver = Shared(false)
        let second = writers.start(until: isOver)
        var spans: [Span] = []
        for _ in 0..<count("QUIRE_SNAPSHOTS", standard: 5) {
            let (before, begin) = (database.lastSequence.rawValue, ContinuousClock.now)
            try writers.pausing(for: alone.last! + .milliseconds(200)) { _ = try database.takeSnapshot() }
            if database.lastSequence.rawValue - before < 16 { flaws.insert(.fewWrites) }
            spans.append(Span(begin: begin, end: .now))
        }
        isOver.set(true)
        let writes = try second.flatMap { try $0.value() }
        beside = spans.map { snapshot in writes.filter { $0.overlaps(snapshot) }.map(\.time).sorted() }
        snapshots = spans.map(\.time)
        judge()
    }

    /// What else uses the machine and its disk lengthens writes now and then, alone as beside snapshots; what a snapshot does it does
    /// every time. So the limits are for the snapshot that disturbed least, and the pause is what it adds to the longest write without
    /// one: on a quiet machine with a fast disk this is nearly the limit itself, on a busy one a snapshot that keeps writers waiting
    /// while it is written, for hundreds of milliseconds, is still found out.
    private mutating func judge() {
        guard beside.allSatisfy({ !$0.isEmpty }) else {
            flaws.insert(.fewWrites)
            return
        }
        let pause = beside.map(\.last!).min()! - alone.last!
        if pause > .milliseconds(50) { flaws.insert(.longPause) }
        // Twice nearly nothing is no limit on two cores.
        let slowest = beside.map(\.percentile99).min()!
        if slowest > max(alone.percentile99 * 2, .milliseconds(20)) { flaws.insert(.slowWrites) }
    }
}

private struct Span {
    let begin: ContinuousClock.Instant
    let end: ContinuousClock.Instant

    var time: Duration { end - begin }

    func overlaps(_ other: Span) -> Bool { begin < other.end && end > other.begin }
}

private struct Writers: Sendable {
    private let database: Database
    private let library: LibraryID
    private let seed: UInt64
    /// Whoever takes a snapshot keeps the writers out by it: the bug that is planted.
    private let gate: ReadWriteLock?

    /// - Parameter chunks: so many are there before they start.
    init(of database: Database, chunks: Int, gate: ReadWriteLock?) throws {
        (self.database, self.gate) = (database, gate)
        seed = TestSupport.seed("writers beside snapshots", standard: 22)
        library = try database.createLibrary(
            name: "test", description: nil, metric: .l2, dimension: 384, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.bruteForce)
        ).record.id
        var chance = SplitMix(seed: seed)
        for _ in 0..<chunks / 500 { try put(500, &chance) }
    }

    /// Eight of them; each gives back when it wrote.
    func start(until end: Shared<Bool>) -> [Background<[Span]>] {
        (0..<8).map { writer in
            Background {
                var chance = SplitMix(seed: seed &+ UInt64(writer) &+ 1)
                var spans: [Span] = []
                while !end.current {
                    let begin = ContinuousClock.now
                    if let gate { try gate.withReadLock { try put(1, &chance) } } else { try put(1, &chance) }
                    spans.append(Span(begin: begin, end: .now))
                }
                return spans
            }
        }
    }

    /// Runs `body`, with the bug while nobody writes.
    /// - Parameter least: for so long a planted bug keeps them out: what else uses the machine must not hide it.
    func pausing(for least: Duration, _ body: () throws -> Void) throws {
        guard let gate else { return try body() }
        try gate.withWriteLock {
            let begin = ContinuousClock.now
            try body()
            while ContinuousClock.now - begin < least { yieldThread() }
        }
    }

    private func put(_ count: Int, _ chance: inout SplitMix) throws {
        let chunks = (0..<count).map { _ in
            let vector = (0..<384).map { _ in Float(Int.random(in: 1...4095, using: &chance)) }
            return ChunkRecord(id: .random(), text: "text", pageNumber: nil, embedding: vector)
        }
        _ = try database.putDocument(
            id: nil, in: library, metadata: DocumentMetadata(title: "title", tags: []), chunks: chunks)
    }
}
