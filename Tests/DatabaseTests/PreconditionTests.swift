import Storage
import TestSupport
import Testing

@testable import Database

/// `expecting`: the change is made only if the object's last change is the one named.
@Suite("An expected state")
struct PreconditionTests {
    let test: TestDatabase
    let library: LibraryID
    var database: Database { test.database }

    init() throws {
        test = try TestDatabase()
        library = try test.database.makeLibrary()
    }

    @Test("of a library is its own last change or that of anything in it")
    func libraries() throws {
        #expect(throws: DatabaseError.changedSince(.number(1))) {
            try database.updateLibrary(library, LibraryChange(name: "x"), expecting: .number(9))
        }
        #expect(try database.updateLibrary(library, LibraryChange(name: "b"), expecting: .number(1)).sequence == .number(2))

        try database.put(1, in: library, [])
        #expect(throws: DatabaseError.changedSince(.number(3))) {
            try database.updateLibrary(library, LibraryChange(name: "c"), expecting: .number(2))
        }
        try database.deleteDocument(.number(1))
        #expect(throws: DatabaseError.changedSince(.number(4))) { try database.deleteLibrary(library, expecting: .number(3)) }
        #expect(try database.library(library).record.name == "b")

        try database.deleteLibrary(library, expecting: .number(4))
        #expect(throws: DatabaseError.libraryNotFound(library)) { try database.library(library) }
    }

    @Test("of a document is its own last change, not its neighbours'")
    func documents() throws {
        try database.put(1, in: library, [])
        try database.put(2, in: library, [])
        try database.put(1, in: library, [], onConflict: .replace)

        #expect(throws: DatabaseError.changedSince(.number(4))) { try database.deleteDocument(.number(1), expecting: .number(2)) }
        try database.deleteDocument(.number(1), expecting: .number(4))
        try database.deleteDocument(.number(2), expecting: .number(3))

        #expect(throws: DatabaseError.documentNotFound(.number(2))) {
            try database.deleteDocument(.number(2), expecting: .number(3))
        }
        #expect(try database.listDocuments(of: library).isEmpty)
    }

    @Test("is compared with changes that are on their way, too")
    func pending() throws {
        try database.put(1, in: library, [])
        let library = library
        test.fileSystem.holdSyncs()
        let replacing = test.pending { try $0.put(1, in: library, [], title: "new", onConflict: .replace).sequence }

        let early = [
            test.refused { try $0.deleteDocument(.number(1), expecting: .number(2)) },
            test.refused { try $0.deleteLibrary(library, expecting: .number(2)) },
        ]
        // Readers see what is applied.
        #expect(try database.document(.number(1)).document.sequence == .number(2))
        let deleting = test.pending { try $0.deleteDocument(.number(1), expecting: .number(3)) }
        // What is applied is reason enough, and the reason that is told.
        #expect(throws: DatabaseError.changedSince(.number(2))) {
            try database.updateLibrary(library, LibraryChange(name: "x"), expecting: .number(3))
        }
        let renaming = test.pending { try $0.updateLibrary(library, LibraryChange(name: "x"), expecting: .number(4)).sequence }
        test.fileSystem.releaseSyncs()

        #expect(try replacing.value() == .number(3))
        for change in early { #expect(throws: DatabaseError.changedSince(.number(3))) { try change.value() } }
        try deleting.value()
        #expect(try renaming.value() == .number(5))
        #expect(try database.listDocuments(of: library).isEmpty)
        #expect(try database.library(library).record.name == "x")
    }
}
