import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("Re-embedding")
struct ReembeddingTests {
    private let test: TestDatabase
    private let library: LibraryID
    private let source = EmbeddingSource(model: "new", dimension: 2, fingerprint: [1, 2, 3])
    private var database: Database { test.database }

    init() throws {
        test = try TestDatabase()
        library = try test.database.makeLibrary(metric: .l2)
        for id in 0..<6 { try test.database.put(id, in: library, [chunk(10 * id, [Float(id), 0, 0, 0], text: "word\(id)")]) }
    }

    /// New vectors that turn the order around.
    private func stage(_ documents: [Document]) throws {
        try database.stage(
            documents.map { document in (document, document.chunks.map { [0, Float(-Int($0.id.low & 0xFFFF) / 10)] }) }, by: source)
    }

    private func unstaged() throws -> [DocumentID] {
        try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100).map(\.id)
    }

    private func nearest(_ query: [Float]) throws -> DocumentID? {
        try database.search(in: library, query: query, count: 1).hits.first?.document.id
    }

    @Test("puts other vectors, of another dimension too, in the place of those there are at one moment, and everything else stays")
    func replaces() throws {
        let before = try database.dump().libraries[0]
        try database.beginReembedding(of: library, as: source)
        #expect(
            try database.reembeddingProgress(of: library) == ReembeddingProgress(source: source, documentsDone: 0, documents: 6))
        #expect(try database.finishReembedding(of: library) == false)
        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 4))
        #expect(try unstaged() == [.number(4), .number(5)])
        #expect(try database.unstagedDocuments(of: library, after: .number(6), chunkLimit: 1).map(\.id) == [.number(5)])
        // Nobody sees anything of it yet.
        var during = try database.dump().libraries[0]
        during.successor = nil
        #expect(during == before && database.reembeddedLibraries == [library])

        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100))
        #expect(try database.finishReembedding(of: library))

        let after = try database.library(library)
        #expect(after.record.source == source && after.sequence == database.lastSequence && after.documentCount == 6)
        #expect(try nearest([0, -5]) == .number(5) && nearest([0, 0]) == .number(0))
        #expect(throws: DatabaseError.invalidVector(.dimensionMismatch(expected: 2, actual: 4), chunk: nil)) {
            try database.search(in: library, query: [1, 0, 0, 0], count: 1)
        }
        #expect(throws: DatabaseError.invalidVector(.dimensionMismatch(expected: 2, actual: 4), chunk: 0)) {
            try database.put(9, in: library, [chunk(90, [1, 0, 0, 0])])
        }
        let documents = try database.dump().libraries[0].documents
        #expect(documents.map(\.id) == before.documents.map(\.id) && documents.map(\.sequence) == before.documents.map(\.sequence))
        #expect(try database.search(in: library, SearchQuery(.keyword, text: "word3", count: 5)).hits.map(\.document.id) == [.number(3)])
        #expect(database.reembeddedLibraries.isEmpty)
        #expect(throws: DatabaseError.noReembedding(library)) { try database.finishReembedding(of: library) }

        try database.put(9, in: library, [chunk(90, [7, 7])])
        #expect(try nearest([7, 7]) == .number(9))
        let live = try database.dump()
        try test.reopen()
        #expect(try database.dump() == live)
    }

    @Test("survives restarts and snapshots at every step", arguments: [false, true])
    func survives(withSnapshots: Bool) throws {
        func restart() throws {
            if withSnapshots { _ = try database.takeSnapshot() }
            let live = try database.dump()
            try test.reopen()
            #expect(try database.dump() == live)
        }
        try database.beginReembedding(of: library, as: source)
        try restart()
        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 3))
        try restart()
        try database.deleteDocument(.number(1))
        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100))
        try restart()
        #expect(try database.finishReembedding(of: library))
        try restart()
        #expect(try nearest([0, -4]) == .number(4))
    }

    @Test("follows what happens to documents meanwhile, and asks for new vectors only where texts came or changed")
    func follows() throws {
        try database.put(7, in: library, [chunk(70, [0, 1, 0, 0]), chunk(71, [0, 2, 0, 0])])
        try database.beginReembedding(of: library, as: source)
        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100))

        // Without other vectors, nothing is to be done again.
        _ = try database.updateDocument(.number(2)) { _ in DocumentEdit(metadata: DocumentMetadata(title: "new title")) }
        _ = try database.updateDocument(.number(7)) { _ in DocumentEdit(removed: [.number(70)]) }
        try database.deleteDocument(.number(0))
        _ = try database.updateLibrary(library, LibraryChange(name: "new name"))
        #expect(try unstaged().isEmpty)
        // With others, it is.
        try database.put(3, in: library, [chunk(30, [3, 0, 0, 0])], onConflict: .replace)
        _ = try database.updateDocument(.number(4)) { _ in DocumentEdit(put: [chunk(41, [1, 0, 0, 0])]) }
        try database.put(8, in: library, [chunk(80, [0, 8, 0, 0])])
        #expect(try unstaged() == [.number(3), .number(4), .number(8)])
        #expect(try database.finishReembedding(of: library) == false)
        try test.reopen()
        #expect(try unstaged() == [.number(3), .number(4), .number(8)])

        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100))
        #expect(try database.finishReembedding(of: library))
        let dump = try database.dump().libraries[0]
        #expect(dump.documents.map(\.id) == [1, 2, 3, 4, 5, 7, 8].map(DocumentID.number) && dump.record.name == "new name")
        #expect(dump.documents[1].metadata.title == "new title" && dump.documents[5].chunks.map(\.id) == [.number(71)])
        #expect(try nearest([0, -8]) == .number(8))
    }

    @Test("takes no vectors of a version that is gone, of another source, or of another length")
    func refuses() throws {
        try database.beginReembedding(of: library, as: source)
        let documents = try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 2)
        try database.put(0, in: library, [chunk(1, [1, 0, 0, 0])], onConflict: .replace)
        try database.deleteDocument(.number(1))
        try stage(documents)
        #expect(try database.reembeddingProgress(of: library)?.documentsDone == 0)

        let rest = try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 1)
        #expect(throws: DatabaseError.noReembedding(library)) {
            try database.stage([(rest[0], [[1, 2]])], by: EmbeddingSource(model: "other", dimension: 2))
        }
        #expect(throws: DatabaseError.noReembedding(library)) { try database.stage([(rest[0], [])], by: source) }
        #expect(throws: DatabaseError.invalidVector(.dimensionMismatch(expected: 2, actual: 1), chunk: 0)) {
            try database.stage([(rest[0], [[1]])], by: source)
        }
        try database.cancelReembedding(of: library)
        #expect(throws: DatabaseError.noReembedding(library)) { try stage(rest) }
        #expect(throws: DatabaseError.noReembedding(library)) { try database.cancelReembedding(of: library) }
        #expect(throws: DatabaseError.libraryNotFound(.number(5))) { try database.beginReembedding(of: .number(5), as: source) }
        #expect(try database.reembeddingProgress(of: library) == nil && database.library(library).record.model == "external")
    }

    @Test("a document whose vectors an old model made does not come in after the change, nor does a change that copies such")
    func oldVectors() throws {
        let same = EmbeddingSource(model: "new", dimension: 4)
        try database.beginReembedding(of: library, as: same)
        let documents = try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100)
        try database.stage(documents.map { ($0, [[0, 0, 0, 1]]) }, by: same)
        var isDone = false
        // Between the reading of vectors and the writing of them, the library gets others.
        let changed = try database.updateDocument(.number(2), withEmbeddings: true) { view throws(DatabaseError) in
            if !isDone { isDone = try database.finishReembedding(of: library) }
            return DocumentEdit(put: [ChunkRecord(id: .number(20), text: "t", embedding: view.embeddings![0])])
        }
        #expect(try database.document(changed.id, withEmbeddings: true).embeddings == [[0, 0, 0, 1]])
        for model in ["external", "other"] {
            #expect(throws: DatabaseError.modelChanged(library)) {
                try database.putDocument(
                    id: nil, in: library, metadata: DocumentMetadata(title: ""), chunks: [chunk(90, [1, 0, 0, 0])], by: model)
            }
            // Of another dimension it is no other error.
            #expect(throws: DatabaseError.modelChanged(library)) {
                try database.replaceDocument(.number(1), metadata: DocumentMetadata(title: ""), chunks: [chunk(91, [1])], by: model)
            }
        }
        let results = database.putDocuments(
            [
                DocumentRecord(
                    id: .number(9), libraryID: library, metadata: DocumentMetadata(title: ""), chunks: [chunk(90, [1, 0, 0, 0])],
                    writtenAt: .now())
            ], by: "external")
        #expect(throws: DatabaseError.modelChanged(library)) { try results[0].get() }
    }

    @Test("a search by a vector that an old model made finds nothing by the new one's, though their dimension is the same")
    func oldQueries() throws {
        let old = try database.library(library).record.source
        let same = EmbeddingSource(model: "new", dimension: 4)
        try database.beginReembedding(of: library, as: same)
        let documents = try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100)
        try database.stage(documents.map { ($0, [[0, 0, 0, 1]]) }, by: same)
        var query = SearchQuery(vector: [0, 0, 0, 1], count: 1)
        query.source = old
        #expect(try !database.search(in: library, query).hits.isEmpty)

        #expect(try database.finishReembedding(of: library))

        #expect(throws: DatabaseError.modelChanged(library)) { try database.search(in: library, query) }
        query.source = same
        #expect(try !database.search(in: library, query).hits.isEmpty)
        // Whoever sends a vector knows what made it.
        query.source = nil
        #expect(try !database.search(in: library, query).hits.isEmpty)
    }

    @Test("a library that is deleted takes its new vectors along")
    func deleted() throws {
        try database.beginReembedding(of: library, as: source)
        try database.deleteLibrary(library)
        #expect(throws: DatabaseError.libraryNotFound(library)) { try database.cancelReembedding(of: library) }
        #expect(throws: DatabaseError.libraryNotFound(library)) { try database.reembeddingProgress(of: library) }
        #expect(database.reembeddedLibraries.isEmpty)
        try test.reopen()
        #expect(database.reembeddedLibraries.isEmpty)
    }

    @Test("says how much the new neighbours are the old ones")
    func overlap() throws {
        try database.beginReembedding(of: library, as: source)
        #expect(try database.overlapOfReembedding(of: library, sample: 10) == nil)
        try stage(database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100))
        #expect(try database.overlapOfReembedding(of: library, sample: 10) == 1)
        let many = try database.makeLibrary(metric: .l2)
        for id in 100..<140 { try database.put(id, in: many, [chunk(10 * id, [Float(id), 0, 0, 0])]) }
        try database.beginReembedding(of: many, as: source)
        var generator = SplitMix(seed: 3)
        let documents = try database.unstagedDocuments(of: many, after: .zero, chunkLimit: 100)
        try database.stage(documents.map { ($0, [[Float.random(in: -1...1, using: &generator), 0]]) }, by: source)
        let overlap = try #require(try database.overlapOfReembedding(of: many, sample: 20))
        // Ten of forty by chance.
        #expect(overlap > 0.1 && overlap < 0.45, "\(overlap)")
    }

    @Test("changes wait while they are held, and go on then; what gets the vectors does not wait")
    func held() throws {
        let same = EmbeddingSource(model: "new", dimension: 4)
        try database.beginReembedding(of: library, as: same)
        let database = database
        let waiting = try database.holdingChanges(of: library) { [library] in
            let waiting = Background { try database.put(9, in: library, [chunk(90, [9, 0, 0, 0])]) }
            for document in try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 100) {
                try database.stage([(document, [[1, 1, 1, 1]])], by: same)
            }
            #expect(try database.finishReembedding(of: library))
            #expect(try database.library(library).documentCount == 6 && !waiting.hasEnded)
            return waiting
        }
        #expect(try waiting.value().createdSequence == database.lastSequence)
        #expect(try database.library(library).documentCount == 7)
    }

    @Test("goes on while others write, search and delete, takes in all they did, and replay gives the same state")
    func beside() throws {
        let same = EmbeddingSource(model: "new", dimension: 4)
        try database.beginReembedding(of: library, as: same)
        let isOver = Shared(false)
        let mistakes = try onThreads(5) { [test, library] thread in
            let database = test.database
            var generator = SplitMix(seed: UInt64(thread))
            var mistakes = 0
            switch thread {
            case 0:
                defer { isOver.set(true) }
                for _ in 0..<10 {
                    let documents = try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 50)
                    try database.stage(documents.map { ($0, $0.chunks.map { _ in [1, 1, 1, 1] }) }, by: same)
                    if try database.finishReembedding(of: library) { break }
                }
                try database.holdingChanges(of: library) {
                    while try database.reembeddingProgress(of: library) != nil {
                        let documents = try database.unstagedDocuments(of: library, after: .zero, chunkLimit: 50)
                        try database.stage(documents.map { ($0, $0.chunks.map { _ in [1, 1, 1, 1] }) }, by: same)
                        _ = try database.finishReembedding(of: library)
                    }
                }
            case 1, 2:
                for number in 0..<150 {
                    let id = 100 * thread + Int.random(in: 0..<10, using: &generator)
                    if generator.chance(30) {
                        try? database.deleteDocument(.number(id))
                    } else {
                        try database.put(id, in: library, [chunk(10 * id, [0, 0, Float(number), 1])], onConflict: .replace)
                    }
                }
            default:
                while !isOver.current {
                    let result = try database.search(in: library, query: [1, 1, 1, 1], count: 100, isExact: true)
                    // All six that nobody changes, with the old vectors or the new ones, never some of each.
                    let untouched = result.hits.filter { $0.document.createdSequence <= .number(7) }
                    let isNew = Set(untouched.map { $0.distance == 0 })
                    if untouched.count != 6 || isNew.count != 1 { mistakes += 1 }
                }
            }
            return mistakes
        }
        #expect(mistakes.allSatisfy { $0 == 0 })
        #expect(try database.library(library).record.model == "new")
        let live = try database.dump()
        try test.reopen()
        #expect(try test.database.dump() == live)
    }
}
