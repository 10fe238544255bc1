import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

/// A database in a directory of its own, to be closed and opened again as often as a test likes. Closed at the end of its life.
// Sound as Sendable: `current` changes in `close` and `open` only, which tests call while no other thread uses it.
final class TestDatabase: @unchecked Sendable {
    let directory = TemporaryDirectory()
    let fileSystem: ControlledFileSystem
    let storageFailures = Shared<[StorageError]>([])
    private let builderThreads: Int
    private let snapshotLogBytes: Int
    private let budget: Budget
    private let memoryInUse: @Sendable () -> Int
    private var current: Database?

    /// Keep no reference to it across `close`: it holds the lock on the directory for life.
    var database: Database { current! }

    /// - Parameter builderThreads: 0: no index is built.
    init(
        syncs: ControlledFileSystem.Syncs = .none, builderThreads: Int = 2, snapshotLogBytes: Int = 1 << 40,
        budget: Budget = .unlimited, memoryInUse: @escaping @Sendable () -> Int = processMemoryInUse
    ) throws {
        self.budget = budget
        self.memoryInUse = memoryInUse
        self.builderThreads = builderThreads
        self.snapshotLogBytes = snapshotLogBytes
        fileSystem = ControlledFileSystem(syncs: syncs)
        try open()
    }

    deinit {
        fileSystem.releaseSyncs()
        // A test that poisoned it knows how that ended.
        _ = try? current?.close()
    }

    func open() throws {
        var recallSampling = RecallSampling()
        (recallSampling.interval, recallSampling.restFactor) = (.zero, 0)
        current = try Database(
            directory: directory.path, fileSystem: fileSystem, snapshotLogBytes: snapshotLogBytes, budget: budget,
            memoryInUse: memoryInUse, builderThreads: builderThreads, recallSampling: recallSampling,
            storageFailed: { [storageFailures] error in storageFailures.update { $0.append(error) } })
    }

    func close() throws {
        defer { current = nil }
        try database.close()
    }

    /// Closes the database and reads it back from its files.
    func reopen() throws {
        try close()
        try open()
    }

    /// Starts a change that is durable and applied only after `releaseSyncs`; returns when it has its place in the log.
    func pending<Success: Sendable>(_ change: @escaping @Sendable (Database) throws -> Success) -> Background<Success> {
        let before = database.lastSequence
        let thread = Background { [self] in try change(database) }
        // One that is refused ends without a place.
        while database.lastSequence == before, !thread.hasEnded { yieldThread() }
        return thread
    }

    /// Starts a change that one on its way is the reason to refuse; returns when that is decided. It is told after `releaseSyncs`, when
    /// the reason is to be seen.
    func refused<Success>(_ change: @escaping @Sendable (Database) throws -> Success) -> Background<Void> {
        let before = database.waitingRefusals
        let thread = Background { [self] in _ = try change(database) }
        while database.waitingRefusals == before, !thread.hasEnded { yieldThread() }
        #expect(!thread.hasEnded, "a change is refused, or made, too early")
        return thread
    }
}

extension Database {
    /// A library of four dimensions.
    func makeLibrary(
        _ name: String = "library", metric: Metric = .l2, index: IndexConfiguration = IndexConfiguration(.bruteForce)
    ) throws(DatabaseError) -> LibraryID {
        try createLibrary(
            name: name, description: nil, metric: metric, dimension: 4, model: LibraryRecord.externalModel, index: index
        ).record.id
    }

    /// Adds documents of a hundred chunks each with random vectors, numbered from `start` on, and returns the vectors in order.
    @discardableResult
    func fill(_ library: LibraryID, count: Int, from start: Int = 0, seed: UInt64 = 1) throws(DatabaseError) -> [[Float]] {
        var generator = SplitMix(seed: seed)
        let vectors = (0..<count).map { _ in generator.vector() }
        for first in stride(from: 0, to: count, by: 100) {
            let numbers = first..<min(first + 100, count)
            try put(start + first, in: library, numbers.map { chunk(start + $0, vectors[$0]) })
        }
        return vectors
    }

    /// Asks for another index, or for the same once more.
    @discardableResult
    func rebuildIndex(of library: LibraryID, as index: IndexConfiguration? = nil) throws(DatabaseError) -> IndexStatus {
        let old = try self.library(library).record.index
        return try rebuildIndex(of: library, as: index ?? old, insteadOf: old)
    }

    @discardableResult
    func put(
        _ id: Int, in library: LibraryID, _ chunks: [ChunkRecord], title: String = "title", onConflict: ConflictPolicy = .error,
        limit: Int = 0
    ) throws(DatabaseError) -> Document {
        try putDocument(
            id: .number(id), in: library, metadata: DocumentMetadata(title: title), chunks: chunks, onConflict: onConflict,
            documentLimit: limit)
    }

    /// The numbers of the chunks found, nearest first.
    func find(_ query: [Float], in library: LibraryID, count: Int = 100, threshold: Float? = nil) throws(DatabaseError) -> [ChunkID] {
        try search(in: library, query: query, count: count, threshold: threshold).hits.map(\.chunk.id)
    }

    /// The numbers of a library's documents, all pages of `limit`.
    func listDocuments(of library: LibraryID, limit: Int = 2) throws(DatabaseError) -> [Document] {
        var documents: [Document] = []
        var cursor: SequenceNumber?
        repeat {
            let page = try self.documents(in: library, after: cursor, limit: limit)
            documents += page.elements
            // A cursor that leads back would never end.
            precondition(page.next.map { $0 > cursor ?? .zero } ?? true)
            cursor = page.next
        } while cursor != nil
        return documents
    }

    func listLibraries(limit: Int = 2) -> [LibraryView] {
        var libraries: [LibraryView] = []
        var cursor: SequenceNumber?
        repeat {
            let page = self.libraries(after: cursor, limit: limit)
            libraries += page.elements
            // A cursor that leads back would never end.
            precondition(page.next.map { $0 > cursor ?? .zero } ?? true)
            cursor = page.next
        } while cursor != nil
        return libraries
    }
}
