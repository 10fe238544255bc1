import FoundationEssentials
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

/// A log that has records which the snapshot has too, from one of them to all. Proves that a start applies each change once, to the
/// documents and to what finds them: vectors, the index of texts, columns.
@Suite("A log and a snapshot that overlap")
struct OverlapTests {
    @Test("end in the same state, by however many records they overlap and however often they are replayed")
    func overlap() throws {
        let rounds = count("QUIRE_OVERLAPS", standard: 100)
        let first = seed("overlaps", standard: 1)
        var overlaps: Set<Int> = []
        for seed in first..<first + UInt64(rounds) {
            var history = try RandomHistory(seed: seed)
            overlaps.insert(try history.play())
            #expect(try history.agreesWithSnapshot(), "seed \(seed)")
        }
        #expect(overlaps.count >= min(15, rounds / 4))
        report("starts whose log and snapshot overlap, all with the same state", "\(3 * rounds)")
    }

    @Test("do not if the start applies a change twice, or leaves one out", arguments: [PlantedBug.appliedTwice, .leftOut])
    func plantedBug(bug: PlantedBug) throws {
        let histories = 40
        var found = 0
        for seed in 1...UInt64(histories) {
            var history = try RandomHistory(seed: seed, bug: bug)
            _ = try history.play()
            // What cannot be made twice, or not without the one before, is refused.
            if (try? history.agreesWithSnapshot()) != true { found += 1 }
        }
        // To put the same document twice changes nothing, and what is left out may be undone later.
        #expect(found > histories / 4, "\(found) of \(histories)")
    }

    /// What the start makes of the last change that the snapshot has, or of the first that it has not.
    enum PlantedBug: Sendable {
        case appliedTwice, leftOut
    }
}

/// Random changes of one database, and a snapshot of what it was after some of them.
private struct RandomHistory {
    private let directories = (live: TemporaryDirectory(), early: TemporaryDirectory(), overlapping: TemporaryDirectory())
    private let fileSystem = ControlledFileSystem(syncs: .none)
    private var generator: SplitMix
    private let changes: Int
    private let overlap: Int
    private let bug: OverlapTests.PlantedBug?
    /// The last change that the snapshot says it has.
    private var base: Int { bug == .leftOut ? overlap + 1 : overlap }

    init(seed: UInt64, bug: OverlapTests.PlantedBug? = nil) throws {
        generator = SplitMix(seed: seed)
        self.bug = bug
        changes = Int.random(in: (bug == nil ? 1 : 2)...20, using: &generator)
        overlap = Int.random(in: 1...(bug == .leftOut ? changes - 1 : changes), using: &generator)
    }

    /// Makes the changes, keeps the log as it was after `overlap` of them, and returns how many these are.
    mutating func play() throws -> Int {
        let database = try open(directories.live)
        while database.lastSequence.rawValue < changes {
            let before = database.lastSequence
            // What cannot be done in this state is refused, and leaves no record.
            _ = try? change(database)
            let hasChanged = database.lastSequence > before
            if hasChanged, database.lastSequence.rawValue == overlap { try copy(directories.live, to: directories.early) }
        }
        try database.close()
        return overlap
    }

    /// Whether the whole log gives the same state with the snapshot as without, three times.
    func agreesWithSnapshot() throws -> Bool {
        try copy(directories.live, to: directories.overlapping)
        let snapshot = try takeSnapshot(of: directories.early)
        for name in [snapshot, "CURRENT"] {
            try FileManager.default.copyItem(atPath: directories.early / name, toPath: directories.overlapping / name)
        }
        let expected = try dump(directories.live, loading: nil)
        #expect(expected.libraries == expected.libraries.map { $0.withExpectedSearch() })
        return try (1...3).allSatisfy { _ in try dump(directories.overlapping, loading: snapshot) == expected }
    }

    private func open(_ directory: TemporaryDirectory) throws -> Database {
        try Database(directory: directory.path, fileSystem: fileSystem, builderThreads: 0)
    }

    private func copy(_ source: TemporaryDirectory, to target: TemporaryDirectory) throws {
        for name in try source.names() where name != DirectoryLock.fileName {
            try FileManager.default.copyItem(atPath: source / name, toPath: target / name)
        }
    }

    private func takeSnapshot(of directory: TemporaryDirectory) throws -> String {
        let database = try open(directory)
        let name = try bug == .leftOut ? takeWrongSnapshot(of: database) : database.takeSnapshot().name
        try database.close()
        return name
    }

    private func takeWrongSnapshot(of database: Database) throws -> String {
        let images = database.repository.images()
        defer { for image in images { image.end() } }
        let info = try database.snapshots.write(.number(UInt64(base)), of: database.log.databaseID, madeAt: 0) {
            (writer) throws(StorageError) in
            for image in images { try SnapshotCoding.write(image, to: &writer) }
        }
        return info.name
    }

    /// What a start gives that loads this snapshot.
    private func dump(_ directory: TemporaryDirectory, loading snapshot: String?) throws -> Dump {
        let database = try open(directory)
        #expect(database.loaded.snapshot == snapshot)
        #expect(database.recovery.recordsSkipped == (snapshot == nil ? 0 : base))
        #expect(database.recovery.recordsReplayed == changes - (snapshot == nil ? 0 : base))
        if bug == .appliedTwice, snapshot != nil { try applyAgain(in: directory, database) }
        let dump = try database.dump()
        try database.close()
        return dump
    }

    private func applyAgain(in directory: TemporaryDirectory, _ database: Database) throws {
        let log = LogFiles(directory: directory.path, fileSystem: fileSystem)
        _ = try log.read(after: .zero, expectedDatabaseID: nil) { record in
            if record.sequence == .number(UInt64(overlap)) { try Database.replay(record, into: database.repository) }
        }
    }

    /// Few ids, so that they meet.
    private mutating func change(_ database: Database) throws {
        let libraries = database.listLibraries().map(\.record.id)
        let id = DocumentID.number(Int.random(in: 0..<6, using: &generator))
        guard let library = libraries.randomElement(using: &generator), !generator.chance(10) else {
            _ = try database.makeLibrary(metric: Metric.allCases.randomElement(using: &generator)!, index: generator.index())
            return
        }
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: try database.deleteLibrary(library)
        case 1: _ = try database.updateLibrary(library, LibraryChange(name: "renamed"))
        case 2: try database.deleteDocument(id)
        case 3...4:
            let edit = DocumentEdit(
                metadata: generator.chance(50) ? generator.metadata() : nil,
                removed: try database.document(id).document.chunks.prefix(1).map(\.id), put: [chunk()])
            _ = try database.updateDocument(id) { _ in edit }
        default:
            let chunks = (0..<3).map { _ in chunk() }
            _ = try database.putDocument(id: id, in: library, metadata: generator.metadata(), chunks: chunks, onConflict: .replace)
        }
    }

    private mutating func chunk() -> ChunkRecord {
        ChunkRecord(
            id: .number(Int.random(in: 0..<40, using: &generator)), text: "\(generator.word()) \(generator.word())",
            custom: generator.custom(), embedding: generator.exactVector())
    }
}
