import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("Opening a database again")
struct ReplayTests {
    @Test("gives the same state, however often", arguments: Metric.allCases)
    func sameState(metric: Metric) throws {
        let test = try TestDatabase(syncs: .real)
        let library = try test.database.makeLibrary("first", metric: metric)
        let doomed = try test.database.makeLibrary("doomed", metric: metric)
        let last = try test.database.makeLibrary("last", metric: metric)
        for number in 1...6 {
            try test.database.put(number, in: number == 4 ? doomed : library, [chunk(number, [1, 0, 0.1, Float(number)], page: number)])
        }
        try test.database.put(7, in: library, [chunk(70, [-0.0, 1, 0, 0]), chunk(71, [0, 1, 0, 0]), chunk(72, [0, 1, 0, 0])])
        try test.database.put(2, in: library, [chunk(8, [1, 2, 3, 4]), chunk(2, [4, 3, 2, 1])], title: "new", onConflict: .replace)
        try test.database.deleteDocument(.number(5))
        try test.database.deleteLibrary(doomed)
        _ = try test.database.updateLibrary(last, LibraryChange(name: "renamed", description: "words"))
        try test.database.rebuildIndex(of: library, as: IndexConfiguration(.hnsw, quantization: .int8, chosen: [.m: 8]))
        try test.database.waitUntilIndexed(library)
        _ = try test.database.updateLibrary(library, LibraryChange(indexParameters: [.efSearch: 50]))
        let live = try test.database.dump()
        #expect(live.libraries[0].record.index == IndexConfiguration(.hnsw, quantization: .int8, chosen: [.m: 8, .efSearch: 50]))
        #expect(live.libraries.map(\.record.name) == ["first", "renamed"])
        #expect(live.libraries[0].documents.map(\.id) == [1, 2, 3, 6, 7].map(DocumentID.number))

        for round in 1...3 {
            try test.reopen()

            #expect(try test.database.dump() == live, "round \(round)")
            #expect(test.database.recovery.recordsReplayed == 16)
            #expect(test.database.recovery.sealed)
            #expect(test.database.durableSequence == .number(16))
        }
        // The next change goes on where the last one stood, and deleted ids stay free.
        #expect(try test.database.put(5, in: last, [chunk(4, [1, 0, 0, 0])]).sequence == .number(17))
    }

    @Test("makes the directory it is given, with its parents")
    func makesDirectories() throws {
        let parent = TemporaryDirectory()
        let middle = "\(parent.path)/a"
        let directory = "\(middle)/b"
        let database = try Database(directory: directory + "/", fileSystem: ControlledFileSystem())
        defer {
            for name in (try? LocalFileSystem().list(directory)) ?? [] { unlink("\(directory)/\(name)") }
            rmdir(directory)
            rmdir(middle)
        }

        _ = try database.makeLibrary()
        try database.close()

        #expect(try LocalFileSystem().list(middle) == ["b"])
        #expect(try LocalFileSystem().list(directory).contains("LOCK"))
    }

    @Test("is refused to a second one while the first lives, also when it is closed")
    func oneOwner() throws {
        let test = try TestDatabase()

        #expect(throws: StorageError.locked(path: "\(test.directory.path)/LOCK", pid: getpid())) {
            try Database(directory: test.directory.path)
        }
    }

    @Test("is refused when a record cannot be applied", arguments: InapplicableChange.allCases)
    func inapplicable(change: InapplicableChange) throws {
        let directory = TemporaryDirectory()
        try writeLog(in: directory, change.mutations.map { ($0.recordType.rawValue, $0.recordType.version, $0.encoded()) })
        let files = try contents(of: directory)

        #expect {
            _ = try Database(directory: directory.path)
        } throws: { error in
            guard case .damaged(_, _, let sequence, let reason, _) = error as? StorageError else { return false }
            return sequence.rawValue == UInt64(change.mutations.count) && reason.contains("cannot be applied")
        }

        // Refused means untouched, apart from the lock.
        #expect(try contents(of: directory) == files)
    }

    @Test("is refused when a record is of a later version, or says nothing sensible")
    func unreadable() throws {
        for (type, payload) in [(9, []), (3, [1, 2, 3])] as [(UInt8, [UInt8])] {
            let directory = TemporaryDirectory()
            try writeLog(in: directory, [(type, 1, payload)])

            #expect {
                _ = try Database(directory: directory.path)
            } throws: {
                ($0 as? StorageError)?.category == .dataRefused
            }
        }
    }

    private func writeLog(in directory: TemporaryDirectory, _ records: [(type: UInt8, version: UInt8, payload: [UInt8])]) throws {
        let log = try WriteAheadLog.open(
            directory: directory.path, fileSystem: ControlledFileSystem(), policy: .os, options: LogOptions()
        ) { _ in }
        for record in records { _ = try log.append(type: record.type, version: record.version, payload: record.payload) }
        try log.close()
    }

    private func contents(of directory: TemporaryDirectory) throws -> [String: [UInt8]] {
        let fileSystem = LocalFileSystem()
        var contents: [String: [UInt8]] = [:]
        for name in try fileSystem.list(directory.path) where name != DirectoryLock.fileName {
            let file = try fileSystem.open("\(directory.path)/\(name)", for: .reading)
            var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
            try bytes.withUnsafeMutableBytes { try file.readFully(into: $0, at: 0) }
            contents[name] = bytes
        }
        return contents
    }
}

/// Changes that validation refuses; the last of each list cannot follow those before it.
enum InapplicableChange: CaseIterable {
    case libraryTwice, changeOfMissingLibrary, deleteOfMissingLibrary, documentInMissingLibrary, documentOfOtherLibrary
    case rebuildInMissingLibrary, parameterOfOtherIndex
    case deleteOfMissingDocument, deleteInOtherLibrary, chunkOfOtherDocument, repeatedChunk, wrongDimension

    var mutations: [Mutation] {
        let created = [Self.library(1), Self.library(2), .putDocument(Self.document(1, in: 1, [chunk(1, [1, 2, 3, 4])]))]
        let time = Timestamp(milliseconds: 0)
        let last: Mutation =
            switch self {
            case .libraryTwice: Self.library(1)
            case .changeOfMissingLibrary: .updateLibrary(.number(9), LibraryChange(name: "x"), at: time)
            case .deleteOfMissingLibrary: .deleteLibrary(.number(9))
            case .rebuildInMissingLibrary: .rebuildIndex(.number(9), IndexConfiguration(.hnsw), at: time)
            case .parameterOfOtherIndex: .updateLibrary(.number(1), LibraryChange(indexParameters: [.nprobe: 1]), at: time)
            case .documentInMissingLibrary: .putDocument(Self.document(2, in: 9, []))
            case .documentOfOtherLibrary: .putDocument(Self.document(1, in: 2, []))
            case .deleteOfMissingDocument: .deleteDocument(.number(2), in: .number(1), at: time)
            case .deleteInOtherLibrary: .deleteDocument(.number(1), in: .number(2), at: time)
            case .chunkOfOtherDocument: .putDocument(Self.document(2, in: 2, [chunk(1, [1, 2, 3, 4])]))
            case .repeatedChunk: .putDocument(Self.document(2, in: 1, [chunk(2, [1, 2, 3, 4]), chunk(2, [1, 2, 3, 4])]))
            case .wrongDimension: .putDocument(Self.document(2, in: 1, [chunk(2, [1, 2, 3])]))
            }
        return created + [last]
    }

    private static func library(_ number: Int) -> Mutation {
        .createLibrary(
            LibraryRecord(
                id: .number(number), name: "", description: nil, metric: .l2, dimension: 4, model: "external",
                index: IndexConfiguration(.bruteForce),
                createdAt: Timestamp(milliseconds: 0)))
    }

    private static func document(_ number: Int, in library: Int, _ chunks: [ChunkRecord]) -> DocumentRecord {
        DocumentRecord(
            id: .number(number), libraryID: .number(library), metadata: DocumentMetadata(title: ""), chunks: chunks,
            writtenAt: Timestamp(milliseconds: 0))
    }
}
