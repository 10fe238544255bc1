import FoundationEssentials
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

/// A log that has records which the snapshot has too, from one of them to all. Proves that a start applies each change once.
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
}

/// Random changes of one database, and a snapshot of what it was after some of them.
private struct RandomHistory {
    private let directories = (live: TemporaryDirectory(), early: TemporaryDirectory(), overlapping: TemporaryDirectory())
    private let fileSystem = ControlledFileSystem(syncs: .none)
    private var generator: SplitMix
    private let changes: Int
    private let overlap: Int

    init(seed: UInt64) throws {
        generator = SplitMix(seed: seed)
        changes = Int.random(in: 1...20, using: &generator)
        overlap = Int.random(in: 1...changes, using: &generator)
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
        let name = try database.takeSnapshot().name
        try database.close()
        return name
    }

    /// What a start gives that loads this snapshot.
    private func dump(_ directory: TemporaryDirectory, loading snapshot: String?) throws -> Dump {
        let database = try open(directory)
        #expect(database.loaded.snapshot == snapshot)
        #expect(database.recovery.recordsSkipped == (snapshot == nil ? 0 : overlap))
        #expect(database.recovery.recordsReplayed == changes - (snapshot == nil ? 0 : overlap))
        let dump = try database.dump()
        try database.close()
        return dump
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
        case 2...3: try database.deleteDocument(id)
        default:
            let chunks = (0..<3).map { _ in chunk(Int.random(in: 0..<40, using: &generator), generator.exactVector()) }
            _ = try database.putDocument(
                id: id, in: library, metadata: DocumentMetadata(title: "title"), chunks: chunks, onConflict: .replace)
        }
    }
}
