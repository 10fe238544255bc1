import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

/// Changes are validated against the state as it will be: what is applied and what is in the log's queue. Syncs are held here, so that
/// changes are certainly on their way while the next one is judged.
@Suite("Changes on their way")
struct PendingTests {
    let test: TestDatabase
    let library: LibraryID
    private let refusals = Shared<[(expected: DatabaseError, thread: Background<Void>)]>([])
    var database: Database { test.database }

    init() throws {
        test = try TestDatabase()
        library = try test.database.makeLibrary()
    }

    /// Runs `body` while syncs are held, then lets them go, waits for the changes it started, and checks that live state is the state
    /// that the log gives.
    private func whilePending(_ body: () throws -> [Background<Void>]) throws {
        test.fileSystem.holdSyncs()
        let changes = try body()
        test.fileSystem.releaseSyncs()
        for change in changes { try change.value() }
        for refusal in refusals.current { #expect(throws: refusal.expected) { try refusal.thread.value() } }
        refusals.set([])

        let live = try database.dump()
        try test.reopen()
        #expect(try database.dump() == live)
    }

    private func refused<Success>(_ expected: DatabaseError, _ change: @escaping @Sendable (Database) throws -> Success) {
        let thread = test.refused(change)
        refusals.update { $0.append((expected, thread)) }
    }

    @Test("are not to be seen before they are durable")
    func invisible() throws {
        try whilePending { () throws in
            let put = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(1, [1, 0, 0, 0])]) }
            test.fileSystem.waitUntilSyncIsHeld()

            #expect(throws: DatabaseError.documentNotFound(.number(1))) { try database.document(.number(1)) }
            #expect(try database.find([1, 0, 0, 0], in: library).isEmpty)
            #expect(try database.library(library).documentCount == 0)
            #expect(database.lastSequence == .number(2))
            #expect(database.durableSequence == .number(1))
            return [put]
        }
        #expect(try database.find([1, 0, 0, 0], in: library) == [.number(1)])
    }

    @Test("take the ids of their document and chunks")
    func idsAreTaken() throws {
        let other = try database.makeLibrary("other")
        try whilePending { () throws in
            let put = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(1, [1, 0, 0, 0])]) }

            refused(.documentExists(.number(1))) { try $0.put(1, in: library, []) }
            refused(.documentExists(.number(1))) { try $0.put(1, in: other, [], onConflict: .replace) }
            refused(.chunkExists(.number(1))) { try $0.put(2, in: other, [chunk(1, [1, 0, 0, 0])]) }
            return [put]
        }
        #expect(try database.listDocuments(of: library).map(\.id) == [.number(1)])
    }

    @Test("of a library's vectors refuse what the old ones were made for")
    func finishedReembedding() throws {
        try database.beginReembedding(of: library, as: EmbeddingSource(model: "new", dimension: 2))
        try whilePending { () throws in
            let finish = test.pending { [library] in _ = try $0.finishReembedding(of: library) }

            refused(.invalidVector(.dimensionMismatch(expected: 2, actual: 4), chunk: 0)) { [library] in
                try $0.put(1, in: library, [chunk(1, [1, 0, 0, 0])])
            }
            refused(.modelChanged(library)) { [library] in
                try $0.putDocument(
                    id: nil, in: library, metadata: DocumentMetadata(title: ""), chunks: [chunk(1, [1, 0, 0, 0])], by: "external")
            }
            refused(.noReembedding(library)) { [library] in try $0.cancelReembedding(of: library) }
            return [finish]
        }
        #expect(try database.library(library).record.model == "new")
    }

    @Test("of a library's documents hold its new vectors back")
    func unfinishedReembedding() throws {
        let source = EmbeddingSource(model: "new", dimension: 4)
        try database.beginReembedding(of: library, as: source)
        try whilePending { () throws in
            let put = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(1, [1, 0, 0, 0])]) }
            let finish = test.refused { [library] database in
                let isDone = try database.finishReembedding(of: library)
                #expect(!isDone)
            }
            return [put, finish]
        }
        try database.cancelReembedding(of: library)
        try whilePending { () throws in
            let begin = test.pending { [library] in try $0.beginReembedding(of: library, as: source) }
            refused(.reembeddingIsRunning(library)) { [library] in try $0.beginReembedding(of: library, as: source) }
            return [begin]
        }
    }

    @Test("replace a version that is on its way, whose chunks are free then")
    func replacePending() throws {
        try whilePending { () throws in
            let put = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(1, [1, 0, 0, 0]), chunk(2, [2, 0, 0, 0])]) }
            refused(.chunkExists(.number(1))) { try $0.put(2, in: library, [chunk(1, [0, 0, 0, 0])]) }

            let replace = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(2, [3, 0, 0, 0])], onConflict: .replace) }
            refused(.chunkExists(.number(2))) { try $0.put(2, in: library, [chunk(2, [0, 0, 0, 0])]) }
            let reuse = test.pending { [library] in _ = try $0.put(2, in: library, [chunk(1, [4, 0, 0, 0])]) }
            refused(.chunkExists(.number(1))) { try $0.put(3, in: library, [chunk(1, [0, 0, 0, 0])]) }
            return [put, replace, reuse]
        }
        let document = try database.document(.number(1)).document
        #expect(document.createdSequence == .number(2))
        #expect(document.sequence == .number(3))
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(2), .number(1)])
    }

    @Test("replace an applied version, whose chunks are free then")
    func replaceApplied() throws {
        try database.put(1, in: library, [chunk(1, [1, 0, 0, 0]), chunk(2, [2, 0, 0, 0])])
        try whilePending { () throws in
            let replace = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(2, [3, 0, 0, 0])], onConflict: .replace) }
            // Which it has now, too.
            #expect(throws: DatabaseError.chunkExists(.number(2))) { try database.put(2, in: library, [chunk(2, [0, 0, 0, 0])]) }
            let reuse = test.pending { [library] in _ = try $0.put(2, in: library, [chunk(1, [4, 0, 0, 0])]) }
            return [replace, reuse]
        }
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(2), .number(1)])
    }

    @Test("delete a document: it cannot be deleted again, and all its ids are free")
    func deletePending() throws {
        try database.put(1, in: library, [chunk(1, [1, 0, 0, 0])])
        let other = try database.makeLibrary("other")
        try whilePending { () throws in
            let delete = test.pending { try $0.deleteDocument(.number(1)) }
            // Readers still see it, changes do not.
            #expect(try database.document(.number(1)).document.id == .number(1))
            refused(.documentNotFound(.number(1))) { try $0.deleteDocument(.number(1)) }

            let again = test.pending { _ = try $0.put(1, in: other, [chunk(2, [2, 0, 0, 0])]) }
            let reuse = test.pending { [library] in _ = try $0.put(2, in: library, [chunk(1, [3, 0, 0, 0])]) }
            // It is in another library by now.
            refused(.documentNotFound(.number(1))) { try $0.deleteDocument(.number(1)) }
            return [delete, again, reuse]
        }
        #expect(try database.find([0, 0, 0, 0], in: other) == [.number(2)])
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(1)])
    }

    @Test("delete a library: nothing can be done in it, and the ids in it are free")
    func deleteLibraryPending() throws {
        let doomed = try database.makeLibrary("doomed")
        try database.put(1, in: doomed, [chunk(1, [1, 0, 0, 0])])
        let gone = DatabaseError.libraryNotFound(doomed)
        try whilePending { () throws in
            let put = test.pending { _ = try $0.put(2, in: doomed, [chunk(2, [2, 0, 0, 0])]) }
            let delete = test.pending { try $0.deleteLibrary(doomed) }

            refused(gone) { try $0.put(3, in: doomed, []) }
            refused(gone) { try $0.put(1, in: doomed, [], onConflict: .replace) }
            refused(gone) { try $0.updateLibrary(doomed, LibraryChange(name: "x")) }
            refused(gone) { try $0.deleteLibrary(doomed) }
            refused(.documentNotFound(.number(1))) { try $0.deleteDocument(.number(1)) }
            // The applied one and the pending one, crosswise.
            let first = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(2, [3, 0, 0, 0])]) }
            let second = test.pending { [library] in _ = try $0.put(2, in: library, [chunk(1, [4, 0, 0, 0])]) }
            return [put, delete, first, second]
        }
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(2), .number(1)])
        #expect(throws: gone) { try database.library(doomed) }
    }

    @Test("change an index: nobody else may until they are applied")
    func changeIndex() throws {
        let changing = DatabaseError.indexIsChanging(library)
        let parameters = LibraryChange(indexParameters: [.efSearch: 9])
        let graph = IndexConfiguration(.hnsw)
        try database.rebuildIndex(of: library, as: graph)
        try whilePending { () throws in
            let rebuild = test.pending { [library] in
                _ = try $0.rebuildIndex(of: library, as: IndexConfiguration(.hnsw, quantization: .int8))
            }
            refused(changing) { try $0.rebuildIndex(of: library) }
            refused(changing) { try $0.updateLibrary(library, parameters) }
            let rename = test.pending { [library] in _ = try $0.updateLibrary(library, LibraryChange(name: "new")) }
            return [rebuild, rename]
        }
        try whilePending { () throws in
            let live = test.pending { [library] in _ = try $0.updateLibrary(library, parameters) }
            // It would undo the change.
            refused(changing) { try $0.rebuildIndex(of: library, as: graph) }
            return [live]
        }
        // Made of what is no longer there.
        #expect(throws: changing) { try database.rebuildIndex(of: library, as: graph, insteadOf: graph) }
        let record = try database.library(library).record
        #expect(record.index == IndexConfiguration(.hnsw, quantization: .int8, chosen: [.efSearch: 9]))
        #expect(record.name == "new")
    }

    @Test("count toward the document limit, deletes and replacements too")
    func limit() throws {
        try database.put(1, in: library, [], limit: 3)
        try whilePending { () throws in
            let second = test.pending { [library] in _ = try $0.put(2, in: library, [], limit: 3) }
            let third = test.pending { [library] in _ = try $0.put(3, in: library, [], limit: 3) }
            refused(.tooManyDocuments(limit: 3)) { try $0.put(4, in: library, [], limit: 3) }

            let replace = test.pending { [library] in _ = try $0.put(2, in: library, [], onConflict: .replace, limit: 3) }
            refused(.tooManyDocuments(limit: 3)) { try $0.put(4, in: library, [], limit: 3) }
            let delete = test.pending { try $0.deleteDocument(.number(1)) }
            let fourth = test.pending { [library] in _ = try $0.put(4, in: library, [], limit: 3) }
            refused(.tooManyDocuments(limit: 3)) { try $0.put(5, in: library, [], limit: 3) }
            return [second, third, replace, delete, fourth]
        }
        #expect(try database.listDocuments(of: library).map(\.id) == [2, 3, 4].map(DocumentID.number))
        // What was pending is not counted twice once it is applied.
        #expect(throws: DatabaseError.tooManyDocuments(limit: 3)) { try database.put(5, in: library, [], limit: 3) }
        try database.put(5, in: library, [], limit: 4)
    }

    @Test("are judged again by their ids after some of them were applied")
    func partlyApplied() throws {
        // The first batch is applied while the second is held: entries of the first go, those that the second spoke of stay.
        try whilePending { () throws in
            let put = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(1, [1, 0, 0, 0])]) }
            test.fileSystem.waitUntilSyncIsHeld()
            let replace = test.pending { [library] in _ = try $0.put(1, in: library, [chunk(2, [2, 0, 0, 0])], onConflict: .replace) }
            let rename = test.pending { [library] in _ = try $0.updateLibrary(library, LibraryChange(name: "new")) }
            test.fileSystem.passOneSync()
            try put.value()
            test.fileSystem.waitUntilSyncIsHeld()

            #expect(try database.document(.number(1)).document.sequence == .number(2))
            refused(.changedSince(.number(3))) { try $0.deleteDocument(.number(1), expecting: .number(2)) }
            refused(.changedSince(.number(4))) { try $0.deleteLibrary(library, expecting: .number(2)) }
            refused(.chunkExists(.number(2))) { try $0.put(2, in: library, [chunk(2, [0, 0, 0, 0])]) }
            let reuse = test.pending { [library] in _ = try $0.put(2, in: library, [chunk(1, [3, 0, 0, 0])]) }
            return [replace, rename, reuse]
        }
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(2), .number(1)])
    }

    @Test("are no reason to refuse another when they fail")
    func failedReason() throws {
        try database.put(1, in: library, [])
        test.fileSystem.holdSyncs()
        let first = test.pending { [library] in _ = try $0.put(2, in: library, []) }
        test.fileSystem.waitUntilSyncIsHeld()
        let replace = test.pending { [library] in _ = try $0.put(1, in: library, [], onConflict: .replace) }
        let delete = test.refused { try $0.deleteDocument(.number(1), expecting: .number(2)) }
        test.fileSystem.failNextWrite(ENOSPC)
        test.fileSystem.releaseSyncs()

        try first.value()
        #expect(throws: DatabaseError.self) { try replace.value() }
        try delete.value()
        #expect(try database.listDocuments(of: library).map(\.id) == [.number(2)])
    }
}
