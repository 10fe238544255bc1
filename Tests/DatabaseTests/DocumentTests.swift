import Storage
import Testing
import VectorSearch

@testable import Database

@Suite("Documents")
struct DocumentTests {
    let test: TestDatabase
    let library: LibraryID
    var database: Database { test.database }

    init() throws {
        test = try TestDatabase()
        library = try test.database.makeLibrary()
    }

    @Test("are read back as they were put, with the bits of their vectors")
    func putAndGet() throws {
        let metadata = DocumentMetadata(
            title: "On Ducks", author: "Ada", documentType: "paper", sourceURL: "https://example.org/1", tags: ["a", "b"])
        let vectors: [[Float]] = [[-0.0, 0.1, .leastNonzeroMagnitude, 1e18], [1, 2, 3, 4]]
        let chunks = [chunk(2, vectors[0], text: "one", page: 0), chunk(1, vectors[1], text: "two")]

        let put = try database.putDocument(id: .number(1), in: library, metadata: metadata, chunks: chunks)
        let view = try database.document(.number(1), withEmbeddings: true)

        for document in [put, view.document] {
            #expect(document.id == .number(1))
            #expect(document.libraryID == library)
            #expect(document.metadata == metadata)
            #expect(document.chunks.map(\.id) == [.number(2), .number(1)])
            #expect(document.chunks.map(\.text) == ["one", "two"])
            #expect(document.chunks.map(\.pageNumber) == [0, nil])
            #expect(document.createdAt == document.updatedAt)
            #expect(document.createdSequence == .number(2))
            #expect(document.sequence == .number(2))
        }
        #expect(view.embeddings?.map { $0.map(\.bitPattern) } == vectors.map { $0.map(\.bitPattern) })
        #expect(try database.document(.number(1)).embeddings == nil)
        let holder = try database.library(library)
        #expect(holder.documentCount == 1)
        #expect(holder.chunkCount == 2)
        #expect(holder.sequence == .number(2))
        #expect(holder.updatedAt == put.updatedAt)
    }

    @Test("are put together each for itself, in their order")
    func putMany() throws {
        func record(_ id: DocumentID, _ vector: [Float], title: String) -> DocumentRecord {
            DocumentRecord(
                id: id, libraryID: library, metadata: DocumentMetadata(title: title), chunks: [chunk(.random(in: 1...1_000_000), vector)],
                writtenAt: .now())
        }
        func refusals(_ results: [Result<Document, DatabaseError>]) -> [Bool] { results.map { (try? $0.get()) == nil } }
        let records = [
            record(.number(1), [1, 2, 3, 4], title: "one"), record(.number(2), [1, 2], title: "short"),
            record(.number(1), [4, 3, 2, 1], title: "again"), record(.number(3), [1, 1, 1, 1], title: "three"),
        ]

        #expect(refusals(database.putDocuments(records)) == [false, true, true, false])
        #expect(try database.listDocuments(of: library).map(\.metadata.title) == ["one", "three"])
        #expect(refusals(database.putDocuments(records, onConflict: .replace)) == [false, true, false, false])
        #expect(try database.listDocuments(of: library).map(\.metadata.title) == ["again", "three"])
        let more = [record(.number(4), [1, 2, 3, 4], title: "four"), record(.number(5), [1, 2, 3, 4], title: "five")]
        #expect(refusals(database.putDocuments(more, documentLimit: 3)) == [false, true])
        #expect(database.putDocuments([]).isEmpty)
    }

    @Test("a file is admitted as a change is")
    func admitsFiles() throws {
        let full = try TestDatabase(budget: Budget(diskReserveBytes: 1 << 20))
        full.fileSystem.setFreeBytes(1 << 20)

        try database.admitFile(bytes: 1)
        #expect(throws: DatabaseError.self) { try full.database.admitFile(bytes: 1) }
    }

    @Test("get a random id when they bring none")
    func randomID() throws {
        let metadata = DocumentMetadata(title: "t")

        let first = try database.putDocument(id: nil, in: library, metadata: metadata, chunks: [])
        let second = try database.putDocument(id: nil, in: library, metadata: metadata, chunks: [])

        #expect(first.id != second.id)
        #expect(try database.listDocuments(of: library).map(\.id) == [first.id, second.id])
        #expect(try database.document(first.id, withEmbeddings: true).embeddings == [])
    }

    @Test("are listed in order of creation from cursors that stay valid while documents go and come")
    func listing() throws {
        for number in 1...7 { try database.put(number, in: library, [chunk(number, [1, 2, 3, Float(number)])]) }
        for limit in 1...8 {
            #expect(try database.listDocuments(of: library, limit: limit).map(\.id) == (1...7).map(DocumentID.number))
        }
        #expect(try database.documents(in: library, after: nil, limit: 7).next == nil)
        let cursor = try #require(try database.documents(in: library, after: nil, limit: 3).next)

        for number in [2, 3, 4] { try database.deleteDocument(.number(number)) }
        try database.put(8, in: library, [])
        let page = try database.documents(in: library, after: cursor, limit: 10)

        #expect(page.elements.map(\.id) == [5, 6, 7, 8].map(DocumentID.number))
        #expect(page.next == nil)
        #expect(try database.listDocuments(of: library).map(\.id) == [1, 5, 6, 7, 8].map(DocumentID.number))
        #expect(try database.documents(in: library, after: .number(100), limit: 3).elements.isEmpty)
    }

    @Test("that replace keep place and time of creation, and free what the old version held")
    func replace() throws {
        let old = try database.put(1, in: library, [chunk(1, [1, 0, 0, 0]), chunk(2, [2, 0, 0, 0])])
        try database.put(2, in: library, [chunk(3, [3, 0, 0, 0])])

        // Chunk 2 stays with another vector, chunk 1 goes.
        let new = try database.put(1, in: library, [chunk(2, [5, 0, 0, 0])], title: "new", onConflict: .replace)

        #expect(new.createdAt == old.createdAt)
        #expect(new.createdSequence == old.createdSequence)
        #expect(new.sequence == .number(4))
        #expect(new.updatedAt.milliseconds >= old.updatedAt.milliseconds)
        #expect(try database.document(.number(1)).document.metadata.title == "new")
        #expect(try database.listDocuments(of: library).map(\.id) == [.number(1), .number(2)])
        #expect(try database.find([0, 0, 0, 0], in: library) == [.number(3), .number(2)])
        let view = try database.library(library)
        #expect(view.documentCount == 2)
        #expect(view.chunkCount == 2)
        try database.put(3, in: library, [chunk(1, [0, 0, 0, 1])])
        #expect(throws: DatabaseError.chunkExists(.number(2))) { try database.put(4, in: library, [chunk(2, [0, 0, 0, 1])]) }
    }

    @Test("that are replaced by themselves stay found once")
    func replaceWithEqual() throws {
        let chunks = [chunk(1, [1, 0, 0, 0]), chunk(2, [1, 0, 0, 0]), chunk(3, [0, 1, 0, 0])]
        try database.put(1, in: library, chunks)
        try database.put(2, in: library, [chunk(4, [1, 0, 0, 0])])

        for _ in 0..<3 { try database.put(1, in: library, chunks, onConflict: .replace) }

        #expect(try database.find([1, 0, 0, 0], in: library) == [1, 2, 4, 3].map(ChunkID.number))
        #expect(try database.statistics(of: library).vectors.totalReferences == 4)
    }

    @Test("are put anew when replacing finds nothing to replace")
    func replaceNothing() throws {
        let document = try database.put(1, in: library, [], onConflict: .replace)

        #expect(document.createdSequence == document.sequence)
        #expect(try database.listDocuments(of: library).map(\.id) == [.number(1)])
    }

    @Test("that are refused leave nothing behind")
    func refusals() throws {
        let other = try database.makeLibrary("other")
        try database.put(1, in: library, [chunk(1, [1, 0, 0, 0])])
        try database.put(2, in: other, [chunk(2, [2, 0, 0, 0])])
        let before = try database.dump()
        let good = chunk(10, [0, 0, 0, 0])
        func refused(
            _ error: DatabaseError, _ id: Int, _ chunks: [ChunkRecord], _ policy: ConflictPolicy = .error, limit: Int = 0,
            _ location: SourceLocation = #_sourceLocation
        ) {
            #expect(throws: error, sourceLocation: location) {
                try database.put(id, in: library, chunks, onConflict: policy, limit: limit)
            }
        }

        refused(.documentExists(.number(1)), 1, [good])
        refused(.documentExists(.number(2)), 2, [good])
        refused(.documentExists(.number(2)), 2, [good], .replace)
        refused(.chunkExists(.number(1)), 3, [good, chunk(1, [0, 0, 0, 0])])
        refused(.chunkExists(.number(2)), 3, [good, chunk(2, [0, 0, 0, 0])])
        refused(.chunkExists(.number(2)), 1, [good, chunk(2, [0, 0, 0, 0])], .replace)
        refused(.repeatedChunk(.number(10)), 3, [good, good])
        refused(.invalidVector(.dimensionMismatch(expected: 4, actual: 3), chunk: 1), 3, [good, chunk(11, [1, 2, 3])])
        refused(.invalidVector(.notFinite(index: 2), chunk: 1), 3, [good, chunk(11, [1, 2, .nan, 4])])
        refused(.invalidVector(.notFinite(index: 3), chunk: 0), 3, [chunk(11, [1, 2, 3, .infinity]), good])
        refused(.tooManyDocuments(limit: 1), 3, [good], limit: 1)
        refused(.tooManyDocuments(limit: 1), 3, [good], .replace, limit: 1)
        #expect(throws: DatabaseError.documentNotFound(.number(3))) { try database.deleteDocument(.number(3)) }

        #expect(try database.dump() == before)
        try test.reopen()
        #expect(try test.database.dump() == before)
        // What the refused ones would have taken is free.
        try database.put(3, in: library, [chunk(10, [0, 0, 0, 0]), chunk(11, [0, 0, 0, 1])])
    }

    @Test("of a library under cosine have a direction")
    func zeroVector() throws {
        let cosine = try database.makeLibrary(metric: .cosine)

        #expect(throws: DatabaseError.invalidVector(.zeroVector, chunk: 0)) { try database.put(1, in: cosine, [chunk(1, [0, 0, 0, 0])]) }
        #expect(throws: DatabaseError.invalidVector(.zeroVector, chunk: nil)) { try database.find([0, 0, 0, 0], in: cosine) }
    }

    @Test("count toward the limit only when they are new")
    func limit() throws {
        try database.put(1, in: library, [], limit: 2)
        try database.put(2, in: library, [], limit: 2)
        #expect(throws: DatabaseError.tooManyDocuments(limit: 2)) { try database.put(3, in: library, [], limit: 2) }

        try database.put(2, in: library, [], title: "again", onConflict: .replace, limit: 2)
        try database.put(3, in: library, [], limit: 0)
        #expect(throws: DatabaseError.tooManyDocuments(limit: 2)) { try database.put(4, in: library, [], limit: 2) }
        try database.deleteDocument(.number(1))
        try database.deleteDocument(.number(2))
        try database.put(4, in: library, [], limit: 2)

        #expect(try database.library(library).documentCount == 2)
    }

    @Test("that are deleted are gone from listing, search and counts, and their ids are free")
    func delete() throws {
        try database.put(1, in: library, [chunk(1, [1, 0, 0, 0]), chunk(2, [1, 0, 0, 0])])
        try database.put(2, in: library, [chunk(3, [1, 0, 0, 0])])

        try database.deleteDocument(.number(1))

        #expect(throws: DatabaseError.documentNotFound(.number(1))) { try database.document(.number(1), withEmbeddings: true) }
        #expect(throws: DatabaseError.documentNotFound(.number(1))) { try database.deleteDocument(.number(1)) }
        #expect(try database.find([1, 0, 0, 0], in: library) == [.number(3)])
        #expect(try database.listDocuments(of: library).map(\.id) == [.number(2)])
        let view = try database.library(library)
        #expect(view.documentCount == 1)
        #expect(view.chunkCount == 1)
        #expect(view.sequence == .number(4))
        let other = try database.makeLibrary()
        let again = try database.put(1, in: other, [chunk(2, [1, 0, 0, 0]), chunk(1, [1, 0, 0, 0])])
        #expect(again.createdSequence == .number(6))
    }
}
