import Database
import Locks
import Storage
import TestSupport
import Testing
import VectorSearch

@Suite("Faults: snapshots beside writers", .serialized)
struct SnapshotTests {
    @Test("writing goes on while a snapshot is written")
    func writersGoOn() throws {
        let chunks = count("QUIRE_SNAPSHOT_CHUNKS", standard: 20_000)
        let first = seed("writers beside snapshots", standard: 22)
        let directory = TemporaryDirectory()
        let database = try Database(directory: directory / "data", durability: .always, builderThreads: 0)
        defer { #expect(throws: Never.self) { try database.close() } }
        let library = try database.createLibrary(
            name: "test", description: nil, metric: .l2, dimension: 384, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.bruteForce)
        ).record.id
        @Sendable func put(_ count: Int, _ chance: inout SplitMix) throws {
            let chunks = (0..<count).map { _ in
                let vector = (0..<384).map { _ in Float(Int.random(in: 1...4095, using: &chance)) }
                return ChunkRecord(id: .random(), text: "text", pageNumber: nil, embedding: vector)
            }
            _ = try database.putDocument(
                id: nil, in: library, metadata: DocumentMetadata(title: "title", tags: []), chunks: chunks)
        }
        var chance = SplitMix(seed: first)
        for _ in 0..<chunks / 500 { try put(500, &chance) }

        /// How long each write of eight writers takes until `end`.
        func write(until end: Shared<Bool>) -> [Background<[Duration]>] {
            (0..<8).map { writer in
                Background {
                    var chance = SplitMix(seed: first &+ UInt64(writer) &+ 1)
                    var times: [Duration] = []
                    while !end.current {
                        let begin = ContinuousClock.now
                        try put(1, &chance)
                        times.append(.now - begin)
                    }
                    return times
                }
            }
        }
        let undisturbed = Shared(false)
        let alone = write(until: undisturbed)
        let goal = database.lastSequence.rawValue + 800
        while database.lastSequence.rawValue < goal { yieldThread() }
        undisturbed.set(true)
        let timesAlone = try alone.flatMap { try $0.value() }.sorted()

        let isOver = Shared(false)
        let beside = write(until: isOver)
        var writesMeanwhile: [UInt64] = []
        var snapshots: [Duration] = []
        for _ in 0..<count("QUIRE_SNAPSHOTS", standard: 5) {
            let (before, begin) = (database.lastSequence.rawValue, ContinuousClock.now)
            _ = try database.takeSnapshot()
            writesMeanwhile.append(database.lastSequence.rawValue - before)
            snapshots.append(.now - begin)
        }
        isOver.set(true)
        let timesBeside = try beside.flatMap { try $0.value() }.sorted()

        // Every writer had its turn several times, during each of them.
        #expect(writesMeanwhile.allSatisfy { $0 >= 16 }, "\(writesMeanwhile)")
        report("a snapshot of \(chunks) x 384 takes", "\(snapshots.max()!.inMilliseconds) ms at most")
        report("writes of 8 writers alone", describe(timesAlone))
        report("writes of 8 writers beside snapshots", describe(timesBeside))
    }

    private func describe(_ times: [Duration]) -> String {
        func at(_ share: Double) -> String { "\(times[Int(Double(times.count - 1) * share)].inMilliseconds) ms" }
        return "p50 \(at(0.5)), p99 \(at(0.99)), longest \(at(1)), of \(times.count)"
    }
}
