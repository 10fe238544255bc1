import Glibc
import Storage
import TestSupport
import Testing

@testable import Database

@Suite("A failing disk")
struct FailureTests {
    let test: TestDatabase
    let library: LibraryID
    var database: Database { test.database }

    init() throws {
        test = try TestDatabase()
        library = try test.database.makeLibrary()
        try test.database.put(1, in: library, [chunk(1, [1, 0, 0, 0])])
    }

    @Test("without space refuses the change, forgets it, and takes the next")
    func noSpace() throws {
        let before = try database.dump()
        test.fileSystem.failNextWrite(ENOSPC)

        #expect { try database.put(2, in: library, [chunk(2, [2, 0, 0, 0])]) } throws: { $0.isInsufficientSpace }

        #expect(try database.dump() == before)
        let put = try database.afterPause { try $0.put(2, in: library, [chunk(2, [3, 0, 0, 0])]) }
        #expect(put.sequence == .number(3))
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(1), .number(2)])
        #expect(test.storageFailures.current.isEmpty)
        let live = try database.dump()
        try test.reopen()
        #expect(try test.database.dump() == live)
    }

    @Test("without space refuses also what was built on the refused change, and no entry of theirs stays")
    func noSpaceWithPending() throws {
        let before = try database.dump()
        test.fileSystem.holdSyncs()
        // The first is in the file and will be committed; the write after it fails, with all that is queued by then.
        let first = test.pending { [library] in try $0.put(2, in: library, [chunk(2, [2, 0, 0, 0])]).sequence }
        test.fileSystem.waitUntilSyncIsHeld()
        // Also when deletions are tried again.
        test.fileSystem.failWrites(ENOSPC)
        let refused = [
            test.pending { [library] in _ = try $0.put(3, in: library, [chunk(3, [3, 0, 0, 0])], limit: 10) },
            test.pending { try $0.deleteDocument(.number(1)) },
            test.pending { [library] in _ = try $0.put(1, in: library, [chunk(1, [4, 0, 0, 0])]) },
            test.pending { [library] in try $0.deleteLibrary(library) },
        ]
        test.fileSystem.releaseSyncs()

        #expect(try first.value() == .number(3))
        for change in refused { #expect { try change.value() } throws: { $0.isInsufficientSpace } }
        test.fileSystem.repair()

        // The library is not about to go, document 1 is where it was, document 3 and chunk 3 are free and not counted.
        #expect(throws: DatabaseError.documentExists(.number(1))) { try database.put(1, in: library, []) }
        #expect(throws: DatabaseError.changedSince(.number(3))) { try database.deleteLibrary(library, expecting: .number(2)) }
        try database.afterPause { _ = try $0.put(4, in: library, [chunk(3, [5, 0, 0, 0])], limit: 3) }
        try database.put(3, in: library, [], limit: 4)
        let live = try database.dump()
        #expect(live.libraries[0].documents.map(\.id) == [1, 2, 4, 3].map(DocumentID.number))
        #expect(live.libraries[0].documents[0] == before.libraries[0].documents[0])
        try test.reopen()
        #expect(try test.database.dump() == live)
        #expect(test.storageFailures.current.isEmpty)
    }

    @Test("whose sync fails stops all changes for good and is reported once; reading goes on")
    func failedSync() throws {
        let before = try database.dump()
        test.fileSystem.failNextSync(EIO)
        var poison: StorageError?

        #expect { try database.put(2, in: library, [chunk(2, [2, 0, 0, 0])]) } throws: { error in
            poison = error.storageError
            return poison?.category == .storageFailed
        }

        #expect(test.storageFailures.current == [try #require(poison)])
        #expect(throws: DatabaseError.storage(try #require(poison))) { try database.put(3, in: library, []) }
        #expect(throws: DatabaseError.storage(try #require(poison))) { try database.deleteLibrary(library) }
        #expect(try database.dump() == before)
        #expect(throws: try #require(poison)) { try test.close() }
        #expect(test.storageFailures.current.count == 1)
        // The machine did not lose power, so the record that nobody was promised is in the file: the restart decides, and takes it.
        try test.open()
        #expect(try database.listDocuments(of: library).map(\.id) == [.number(1), .number(2)])
    }

    @Test("whose sync fails fails everyone who waits, and none of it is seen")
    func failedSyncWithPending() throws {
        let before = try database.dump()
        test.fileSystem.holdSyncs()
        let changes = [
            test.pending { [library] in _ = try $0.put(2, in: library, []) },
            test.pending { [library] in _ = try $0.put(2, in: library, [], onConflict: .replace) },
            test.pending { [library] in try $0.deleteLibrary(library) },
        ]
        test.fileSystem.failNextSync(EIO)
        test.fileSystem.releaseSyncs()

        for change in changes { #expect { try change.value() } throws: { $0.storageError?.category == .storageFailed } }
        #expect(try database.dump() == before)
        #expect(test.storageFailures.current.count == 1)
    }

    @Test("whose directory cannot be synced for a snapshot stops all changes: the log's own names are synced with it", arguments: 0..<3)
    func failedDirectorySync(passes: Int) throws {
        let before = try database.dump()
        // First that of the log's new segment, then those of the snapshot and of CURRENT.
        test.fileSystem.failDirectorySync(EIO, after: passes)

        #expect { try database.takeSnapshot() } throws: { $0.storageError?.category == .storageFailed }

        while test.storageFailures.current.isEmpty { yieldThread() }
        #expect(throws: DatabaseError.self) { try database.put(3, in: library, []) }
        #expect(try database.dump() == before)
        #expect(throws: StorageError.self) { try test.reopen() }
        try test.open()
        #expect(try test.database.dump() == before)
    }

    @Test("that could not keep a new directory is asked for it by the next start, before anything is acknowledged")
    func newDirectory() throws {
        let parent = TemporaryDirectory()
        let fileSystem = ControlledFileSystem()
        fileSystem.failDirectorySync(EIO, after: 0)
        #expect(throws: StorageError.self) { try Database(directory: parent / "data/quire", fileSystem: fileSystem) }

        try Database(directory: parent / "data/quire", fileSystem: fileSystem).close()
        #expect(fileSystem.syncedDirectories.contains(parent.path) && fileSystem.syncedDirectories.contains(parent / "data"))

        // From then on it has been there.
        let before = fileSystem.syncedDirectories.count { $0 == parent.path }
        try Database(directory: parent / "data/quire", fileSystem: fileSystem).close()
        #expect(fileSystem.syncedDirectories.count { $0 == parent.path } == before)
    }

    @Test("that has a directory in one which nobody may read is started in all the same")
    func unreadableParent() throws {
        let parent = TemporaryDirectory()
        let fileSystem = ControlledFileSystem()
        #expect(try LocalFileSystem().makeDirectory(parent / "data"))
        // The root is the first whose names are synced.
        fileSystem.failDirectorySync(EACCES, after: 0)

        try Database(directory: parent / "data", fileSystem: fileSystem).close()

        #expect(fileSystem.syncedDirectories.contains(parent.path))
    }

    @Test("that fails otherwise in a write stops all changes, too")
    func failedWrite() throws {
        test.fileSystem.failNextWrite(EIO)

        #expect { try database.put(2, in: library, []) } throws: { $0.storageError?.category == .storageFailed }

        #expect(test.storageFailures.current.count == 1)
        #expect(throws: DatabaseError.self) { try database.put(3, in: library, []) }
    }

    @Test("is no concern of a closed database: changes are refused, reading works")
    func closed() throws {
        let before = try database.dump()

        try database.close()

        #expect(throws: DatabaseError.storage(.closed)) { try database.put(2, in: library, []) }
        #expect(throws: DatabaseError.storage(.closed)) { try database.makeLibrary() }
        #expect(try database.dump() == before)
        #expect(try database.find([1, 0, 0, 0], in: library) == [.number(1)])
        #expect(throws: Never.self) { try database.close() }
    }
}

extension Database {
    /// Makes a change as soon as a disk that was full is tried again.
    fileprivate func afterPause<Success>(_ change: (Database) throws -> Success) throws -> Success {
        while true {
            do {
                return try change(self)
            } catch  where error.isInsufficientSpace {
                yieldThread()
            }
        }
    }
}

extension Error {
    fileprivate var storageError: StorageError? {
        guard case .storage(let error) = self as? DatabaseError else { return nil }
        return error
    }

    fileprivate var isInsufficientSpace: Bool {
        guard case .insufficientSpace = storageError else { return false }
        return true
    }
}
