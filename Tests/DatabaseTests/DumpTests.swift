import TestSupport
import Testing
import TextSearch

@testable import Database

/// Equal dumps say in many suites that nothing was lost. Here they are shown faults that they must not be equal with.
@Suite("Dumps")
struct DumpTests {
    private let test: TestDatabase
    private let library: Library
    private let before: DumpedLibrary

    init() throws {
        test = try TestDatabase(builderThreads: 0)
        let id = try test.database.makeLibrary()
        try test.database.put(1, in: id, [chunk(1, [1, 0, 0, 0], text: "a fox"), chunk(2, [0, 1, 0, 0], text: "a pond")], title: "a")
        try test.database.put(2, in: id, [chunk(3, [0, 0, 1, 0], text: "a fox")], title: "b")
        library = try #require(test.database.repository.library(id))
        before = try test.database.dump().libraries[0]
    }

    @Test("of a database without a fault are what is expected of its documents")
    func sound() throws {
        #expect(before == before.withExpectedSearch() && library.findsItsTexts)
    }

    @Test("show a text that is not indexed, one that another has replaced, and two in each other's place", arguments: 0..<3)
    func words(fault: Int) throws {
        let chunks = library.documents[0].chunks
        let (first, second) = (chunks[0].slot.rawValue, chunks[1].slot.rawValue)
        library.texts.remove("a fox", at: first)
        switch fault {
        case 0: break
        case 1: library.texts.insert("a badger", at: first)
        default:
            library.texts.remove("a pond", at: second)
            library.texts.insert("a fox", at: second)
            library.texts.insert("a pond", at: first)
        }

        let after = try test.database.dump().libraries[0]

        #expect(after.words != before.words && !library.findsItsTexts)
        #expect(after.flaws.isEmpty == (fault > 0), "\(after.flaws)")
    }

    @Test("show values that stay in a column when their chunks are gone")
    func columns() throws {
        let document = library.documents[1]
        let other = document.changed(DocumentMetadata(title: "a"), chunks: document.chunks, at: document.updatedAt, document.sequence)
        // What is removed is not what was put.
        library.remove(other, at: document.updatedAt, document.sequence)

        let after = try test.database.dump().libraries[0]

        #expect(after.documents.count == 1)
        #expect(after.columns != after.withExpectedSearch().columns)
        #expect(after.words == after.withExpectedSearch().words)
    }
}
