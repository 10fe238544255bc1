import Storage
import Testing
import VectorSearch

@testable import Database

@Suite("Libraries")
struct LibraryTests {
    let test: TestDatabase
    var database: Database { test.database }

    init() throws { test = try TestDatabase() }

    @Test("are read back as they were made")
    func createAndGet() throws {
        let made = try database.createLibrary(
            name: "papers", description: "all of them", metric: .dot, dimension: 7, model: "a-model", index: IndexConfiguration(.bruteForce)
        )

        let read = try database.library(made.record.id)

        for view in [made, read] {
            #expect(view.record.name == "papers")
            #expect(view.record.description == "all of them")
            #expect(view.record.metric == .dot)
            #expect(view.record.dimension == 7)
            #expect(view.record.model == "a-model")
            #expect(view.record.index == IndexConfiguration(.bruteForce))
            #expect(view.documentCount == 0)
            #expect(view.chunkCount == 0)
            #expect(view.updatedAt == view.record.createdAt)
            #expect(view.createdSequence == .number(1))
            #expect(view.sequence == .number(1))
        }
        #expect(made.record == read.record)
        #expect(database.lastSequence == .number(1))
        #expect(database.durableSequence == .number(1))
    }

    @Test("that do not exist are not found by any operation")
    func missing() throws {
        let id = LibraryID.random()
        let missing = DatabaseError.libraryNotFound(id)

        #expect(throws: missing) { try database.library(id) }
        #expect(throws: missing) { try database.updateLibrary(id, LibraryChange(name: "x")) }
        #expect(throws: missing) { try database.deleteLibrary(id) }
        #expect(throws: missing) { try database.deleteLibrary(id, expecting: .number(1)) }
        #expect(throws: missing) { try database.statistics(of: id) }
        #expect(throws: missing) { try database.documents(in: id, after: nil, limit: 1) }
        #expect(throws: missing) { try database.search(in: id, query: [1, 2, 3, 4], count: 1) }
        #expect(throws: missing) { try database.put(1, in: id, [chunk(1, [1, 2, 3, 4])]) }
        #expect(database.lastSequence == .zero)
    }

    @Test("are listed in order of creation, whatever the size of a page")
    func listing() throws {
        var ids: [LibraryID] = []
        for number in 0..<7 { ids.append(try database.makeLibrary("\(number)")) }

        for limit in 1...8 {
            #expect(database.listLibraries(limit: limit).map(\.record.id) == ids)
        }
        #expect(database.libraries(after: nil, limit: 7).next == nil)
        #expect(database.libraries(after: nil, limit: 6).next == .number(6))
        #expect(database.libraries(after: .number(100), limit: 6).elements.isEmpty)
    }

    @Test("are listed on from a cursor whose library is gone")
    func cursorsSurviveDeletes() throws {
        var ids: [LibraryID] = []
        for number in 0..<6 { ids.append(try database.makeLibrary("\(number)")) }
        let cursor = try #require(database.libraries(after: nil, limit: 3).next)

        for id in [ids[1], ids[2], ids[3]] { try database.deleteLibrary(id) }
        let added = try database.makeLibrary()

        let page = database.libraries(after: cursor, limit: 10)
        #expect(page.elements.map(\.record.id) == [ids[4], ids[5], added])
        #expect(page.next == nil)
        #expect(database.listLibraries().map(\.record.id) == [ids[0], ids[4], ids[5], added])
    }

    @Test("change only in what the change names")
    func update() throws {
        let id = try database.createLibrary(
            name: "old", description: "words", metric: .l2, dimension: 4, model: "m", index: IndexConfiguration(.bruteForce)
        ).record.id

        let renamed = try database.updateLibrary(id, LibraryChange(name: "new"))
        #expect(renamed.record.name == "new")
        #expect(renamed.record.description == "words")
        #expect(renamed.sequence == .number(2))
        #expect(renamed.createdSequence == .number(1))
        #expect(renamed.updatedAt.milliseconds >= renamed.record.createdAt.milliseconds)

        #expect(try database.updateLibrary(id, LibraryChange(description: "other")).record.description == "other")
        let bare = try database.updateLibrary(id, LibraryChange(description: .some(nil)))
        #expect(bare.record.name == "new")
        #expect(bare.record.description == nil)
        #expect(try database.library(id).record == bare.record)
    }

    @Test("take their documents and chunks with them, and only theirs; all ids are free again")
    func delete() throws {
        let first = try database.makeLibrary()
        let second = try database.makeLibrary()
        for number in 1...3 { try database.put(number, in: first, [chunk(number, [1, 2, 3, Float(number)])]) }
        try database.put(4, in: second, [chunk(4, [1, 2, 3, 4])])

        try database.deleteLibrary(first)

        #expect(throws: DatabaseError.libraryNotFound(first)) { try database.library(first) }
        for number in 1...3 {
            #expect(throws: DatabaseError.documentNotFound(.number(number))) { try database.document(.number(number)) }
            #expect(throws: DatabaseError.documentNotFound(.number(number))) { try database.deleteDocument(.number(number)) }
        }
        #expect(try database.document(.number(4)).document.libraryID == second)
        #expect(try database.find([0, 0, 0, 0], in: second) == [.number(4)])
        // Both kinds of id, in an arrangement that differs from the old one.
        try database.put(1, in: second, [chunk(3, [0, 0, 0, 1]), chunk(2, [0, 0, 0, 2])])
        try database.put(2, in: second, [chunk(1, [0, 0, 0, 3])])
        #expect(try database.find([0, 0, 0, 0], in: second) == [3, 2, 1, 4].map(ChunkID.number))
    }

    @Test("count what they hold")
    func statistics() throws {
        let id = try database.makeLibrary()
        try database.put(1, in: id, [chunk(1, [1, 0, 0, 0]), chunk(2, [1, 0, 0, 0]), chunk(3, [0, 1, 0, 0])])
        try database.put(2, in: id, [chunk(4, [1, 0, 0, 0])])

        let full = try database.statistics(of: id)
        #expect(full.library.documentCount == 2)
        #expect(full.library.chunkCount == 4)
        #expect(full.library.sequence == .number(3))
        #expect(full.vectors.dimension == 4)
        #expect(full.vectors.uniqueVectors == 2)
        #expect(full.vectors.totalReferences == 4)
        #expect(full.index.configuration == IndexConfiguration(.bruteForce))
        #expect(full.index.statistics.indexed == 2)

        try database.deleteDocument(.number(1))
        let less = try database.statistics(of: id)
        #expect(less.library.documentCount == 1)
        #expect(less.library.chunkCount == 1)
        #expect(less.vectors.uniqueVectors == 1)
        #expect(less.vectors.totalReferences == 1)
        #expect(less.vectors.freeRows == 1)
        #expect(less.index.statistics.indexed == 1)
    }
}
