import Storage
import TestSupport
import Testing
import TextSearch
import VectorSearch

@testable import Database

@Suite("Against a model")
struct ModelTests {
    @Test("random changes and searches, snapshots and restarts between them, end as they do with arrays", arguments: 0..<4)
    func randomSequences(group: Int) throws {
        var totals = Totals()
        let sequences = count("QUIRE_MODEL_SEQUENCES", standard: 240) / 4
        let first = seed("random sequences, group \(group)", standard: 0) &+ UInt64(group * sequences)
        for seed in first..<first + UInt64(sequences) {
            var run = try ModelRun(seed: seed)
            try run.play(operations: 50, &totals)
            guard try run.agrees("at the end") else { return }
        }

        print("model, group \(group): \(totals)")
        // The sequences did something of everything.
        #expect(totals.changes > 500)
        #expect(totals.hits > 300)
        #expect(totals.restarts > 50)
        #expect(totals.filtered > 20)
        #expect(totals.reembedded > 5)
        #expect(totals.refusals.count >= 8, "\(totals.refusals)")
    }
}

private struct Totals {
    var changes = 0
    var hits = 0
    var restarts = 0
    /// Chunks that passed a filter which others did not pass.
    var filtered = 0
    /// Chunks that got the vectors of another source.
    var reembedded = 0
    /// The names of the errors met.
    var refusals: Set<String> = []
}

/// A sequence of operations on a database and on its model. Few ids, so that they meet.
private struct ModelRun {
    private let seed: UInt64
    private let test: TestDatabase
    private var generator: SplitMix
    private var model = Model()
    /// All libraries there ever were.
    private var libraryIDs: [LibraryID] = [.number(404)]

    init(seed: UInt64) throws {
        self.seed = seed
        generator = SplitMix(seed: seed)
        test = try TestDatabase()
    }

    mutating func play(operations: Int, _ totals: inout Totals) throws {
        try createLibrary(&totals)
        for operation in 0..<operations {
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<5:
                guard try agrees("before restart \(operation)") else { return }
                try test.reopen()
                totals.restarts += 1
                guard try agrees("after restart \(operation)") else { return }
            case 5..<7: _ = try test.database.takeSnapshot()
            case 7..<10: try createLibrary(&totals)
            case 10..<14: try updateLibrary(&totals)
            case 14..<16: try rebuildIndex(&totals)
            case 16..<19: try deleteLibrary(&totals)
            case 19..<55: try putDocument(&totals)
            case 55..<63: try updateDocument(&totals)
            case 63..<69: try deleteDocument(&totals)
            case 69..<70: try deleteDocuments(&totals)
            case 70..<76: try filter(&totals)
            case 76..<86: try reembed(&totals)
            default: try search(&totals)
            }
        }
    }

    func agrees(_ moment: String) throws -> Bool {
        let (live, expected) = (try test.database.dump(), model.dump())
        #expect(live == expected, "seed \(seed), \(moment)")
        return live == expected
    }

    // MARK: Operations

    /// Makes the change if the model allows it; `change` makes it and says how it stands in the log.
    private mutating func expect(
        _ refusal: DatabaseError?, _ totals: inout Totals, _ change: (Database) throws(DatabaseError) -> Mutation
    ) {
        do {
            let mutation = try change(test.database)
            #expect(refusal == nil, "seed \(seed): \(mutation) was made")
            model.apply(mutation)
            totals.changes += 1
        } catch {
            #expect(error == refusal, "seed \(seed)")
            totals.refusals.insert(String("\(error)".prefix { $0 != "(" }))
        }
    }

    private mutating func createLibrary(_ totals: inout Totals) throws {
        let metric = Metric.allCases.randomElement(using: &generator)!
        let index = generator.index()
        var id: LibraryID?
        expect(nil, &totals) { database throws(DatabaseError) in
            let record = try database.createLibrary(
                name: "library", description: "words", metric: metric, dimension: 4, model: "external", index: index
            ).record
            id = record.id
            return .createLibrary(record)
        }
        libraryIDs.append(try #require(id))
    }

    private mutating func updateLibrary(_ totals: inout Totals) throws {
        let id = libraryIDs.randomElement(using: &generator)!
        let expected = expectation(model.library(id)?.sequence)
        let names: [String?] = [nil, "a", "b"]
        let descriptions: [String??] = [nil, .some(nil), "c"]
        let parameters: [[IndexParameter: Int]] = [[:], [.efSearch: 7], [.nprobe: 2], [.m: 8]]
        let name = names.randomElement(using: &generator)!
        let change = LibraryChange(
            name: name, description: descriptions.randomElement(using: &generator)!,
            indexParameters: parameters.randomElement(using: &generator)!,
            // As the name, so that there are as many kinds of changes as before.
            minimumRecall: name.map { $0 == "a" ? 0 : 0.5 })
        try settle(id)
        let refusal = model.refusal(of: .updateLibrary(id, change, at: .now()), .error, limit: 0, expecting: expected)
        expect(refusal, &totals) { database throws(DatabaseError) in
            .updateLibrary(id, change, at: try database.updateLibrary(id, change, expecting: expected).updatedAt)
        }
    }

    private mutating func rebuildIndex(_ totals: inout Totals) throws {
        let id = libraryIDs.randomElement(using: &generator)!
        let index = generator.index()
        try settle(id)
        expect(model.refusal(of: .rebuildIndex(id, index, at: .now()), .error, limit: 0, expecting: nil), &totals) {
            database throws(DatabaseError) in
            try database.rebuildIndex(of: id, as: index)
            return .rebuildIndex(id, index, at: try database.library(id).updatedAt)
        }
    }

    /// Nothing is being built from here on, which the model knows nothing of.
    private func settle(_ id: LibraryID) throws {
        if model.library(id) != nil { try test.database.waitUntilIndexed(id) }
    }

    private mutating func deleteLibrary(_ totals: inout Totals) throws {
        let id = libraryIDs.randomElement(using: &generator)!
        let expected = expectation(model.library(id)?.sequence)
        expect(model.refusal(of: .deleteLibrary(id), .error, limit: 0, expecting: expected), &totals) { database throws(DatabaseError) in
            try database.deleteLibrary(id, expecting: expected)
            return .deleteLibrary(id)
        }
    }

    private mutating func putDocument(_ totals: inout Totals) throws {
        let id = DocumentID.number(Int.random(in: 0..<8, using: &generator))
        let libraryID = libraryIDs.randomElement(using: &generator)!
        let chunks = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            chunk(vector: generator.chance(3) ? [1, 2, 3] : generator.exactVector())
        }
        let policy: ConflictPolicy = generator.chance(50) ? .replace : .error
        let limit = generator.chance(20) ? 2 : 0
        let metadata = generator.metadata()
        func record(_ time: Timestamp) -> DocumentRecord {
            DocumentRecord(id: id, libraryID: libraryID, metadata: metadata, chunks: chunks, writtenAt: time)
        }
        let refusal = model.refusal(of: .putDocument(record(.now())), policy, limit: limit, expecting: nil)
        expect(refusal, &totals) { database throws(DatabaseError) in
            let document = try database.putDocument(
                id: id, in: libraryID, metadata: metadata, chunks: chunks, onConflict: policy, documentLimit: limit)
            return .putDocument(record(document.updatedAt))
        }
    }

    /// Any chunk; of few ids.
    private mutating func chunk(vector: [Float]) -> ChunkRecord {
        ChunkRecord(
            id: .number(Int.random(in: 0..<60, using: &generator)), text: generator.word(),
            pageNumber: generator.chance(50) ? Int.random(in: 0...2, using: &generator) : nil,
            offsets: generator.chance(50) ? 3..<Int.random(in: 3...9, using: &generator) : nil, custom: generator.custom(),
            embedding: vector)
    }

    /// Puts chunks and removes some, of a document with few, so that all of it is met.
    private mutating func updateDocument(_ totals: inout Totals) throws {
        let id = DocumentID.number(Int.random(in: 0..<8, using: &generator))
        let document = model.document(id)
        var edit = DocumentEdit(metadata: generator.chance(50) ? generator.metadata() : nil)
        for chunk in document?.chunks ?? [] where generator.chance(20) { edit.removed.append(chunk.id) }
        if generator.chance(10) { edit.removed.append(.number(Int.random(in: 0..<60, using: &generator))) }
        for chunk in document?.chunks ?? [] where generator.chance(20) {
            edit.put.append(
                ChunkRecord(id: chunk.id, text: generator.word(), custom: generator.custom(), embedding: generator.exactVector()))
        }
        if generator.chance(50) { edit.put.append(chunk(vector: generator.exactVector())) }
        if document?.chunks.count == edit.removed.count, edit.put.isEmpty { edit.removed = [] }
        let expected = expectation(document?.sequence)
        let change = edit
        func update(_ time: Timestamp) -> Mutation {
            .updateDocument(
                DocumentUpdate(
                    id: id, libraryID: document?.libraryID ?? .number(404), metadata: change.metadata, removed: change.removed,
                    put: change.put, writtenAt: time))
        }
        let refusal = model.refusal(of: update(.now()), .error, limit: 0, expecting: expected)
        expect(refusal, &totals) { database throws(DatabaseError) in
            update(try database.updateDocument(id, expecting: expected) { _ in change }.updatedAt)
        }
    }

    /// Deletes what passes a filter, which the log has one by one.
    private mutating func deleteDocuments(_ totals: inout Totals) throws {
        let id = libraryIDs.randomElement(using: &generator)!
        guard let library = model.library(id) else {
            #expect(throws: DatabaseError.libraryNotFound(id)) { try test.database.deleteDocuments([], in: id) }
            return
        }
        let before = try Dictionary(uniqueKeysWithValues: library.documents.map { ($0.id, try test.database.document($0.id)) })
        let filter = generator.filter()
        let doomed = library.documents.filter { document in
            document.chunks.indices.contains { filter.admits(document.chunks[$0], at: $0, of: document) }
        }
        let byFilter = generator.chance(50)
        let deleted =
            byFilter
            ? try test.database.deleteDocuments(in: id, passing: filter)
            : try test.database.deleteDocuments(doomed.map(\.id) + [.number(404)], in: id)
        #expect(deleted == doomed.count && before.count >= deleted, "seed \(seed), \(filter)")
        for document in doomed {
            model.apply(.deleteDocument(document.id, in: id, at: try test.database.library(id).updatedAt))
            totals.changes += 1
        }
    }

    /// Takes a step of a re-embedding: begins one, stages some documents, ends it if that can be, or gives it up.
    private mutating func reembed(_ totals: inout Totals) throws {
        let id = (model.libraries.map(\.record.id) + libraryIDs.suffix(1)).randomElement(using: &generator)!
        guard let successor = model.library(id)?.successor else {
            let source = EmbeddingSource(model: generator.word(), dimension: 4, fingerprint: generator.chance(50) ? [1, 2] : nil)
            return expect(model.refusal(of: .beginReembedding(id, source), .error, limit: 0, expecting: nil), &totals) {
                database throws(DatabaseError) in
                try database.beginReembedding(of: id, as: source)
                return .beginReembedding(id, source)
            }
        }
        #expect(throws: DatabaseError.reembeddingIsRunning(id)) {
            try test.database.beginReembedding(of: id, as: successor.source)
        }
        let unstaged = try test.database.unstagedDocuments(of: id, after: .zero, chunkLimit: Int.random(in: 1...9, using: &generator))
        if generator.chance(5) {
            return expect(nil, &totals) { database throws(DatabaseError) in
                try database.cancelReembedding(of: id)
                return .cancelReembedding(id)
            }
        }
        if unstaged.isEmpty || generator.chance(20) {
            let library = model.library(id)!
            let isDone = try test.database.finishReembedding(of: id)
            #expect(isDone == (successor.documents.count == library.documents.count), "seed \(seed)")
            guard isDone else { return }
            totals.reembedded += library.documents.reduce(0) { $0 + $1.chunks.count }
            return model.apply(.finishReembedding(id, successor.source, at: try test.database.library(id).updatedAt))
        }
        let staged = unstaged.map { document in (document, document.chunks.map { _ in generator.exactVector() }) }
        try test.database.stage(staged, by: successor.source)
        for (document, embeddings) in staged {
            model.apply(.stageDocument(StagedDocument(id: document.id, libraryID: id, embeddings: embeddings)))
        }
    }

    private mutating func filter(_ totals: inout Totals) throws {
        let id = libraryIDs.randomElement(using: &generator)!
        let filter = generator.filter()
        guard let library = model.library(id) else {
            #expect(throws: DatabaseError.libraryNotFound(id)) { try test.database.count(in: id, passing: filter) }
            return
        }
        let admitted = library.documents.map { document in
            document.chunks.indices.filter { filter.admits(document.chunks[$0], at: $0, of: document) }.map { document.chunks[$0] }
        }
        let chunks = admitted.flatMap { $0 }
        let documents = zip(library.documents, admitted).filter { !$1.isEmpty }.map(\.0.id)

        let counted = try test.database.count(in: id, passing: filter)
        #expect(counted == MatchCount(documents: documents.count, chunks: chunks.count), "seed \(seed), \(filter)")
        var listed: [DocumentID] = []
        var cursor: SequenceNumber?
        repeat {
            let page = try test.database.documents(in: id, passing: filter, after: cursor, limit: 2)
            listed += page.elements.map(\.id)
            cursor = page.next
        } while cursor != nil
        #expect(listed == documents, "seed \(seed), \(filter)")
        let query = generator.exactVector()
        let count = Int.random(in: 1...12, using: &generator)
        let expected = chunks.map { (distance(library.record.metric, query, $0.embedding.map(Float.init(bitPattern:))), $0.id) }
            .sorted { $0 < $1 }.prefix(count)
        let hits = try test.database.search(in: id, query: query, count: count, isExact: true, filter: filter).hits
        #expect(hits.map(\.distance) == expected.map(\.0), "seed \(seed), \(filter)")
        #expect(hits.map(\.chunk.id) == expected.map(\.1), "seed \(seed), \(filter)")
        if chunks.count < library.documents.reduce(0, { $0 + $1.chunks.count }) { totals.filtered += chunks.count }
    }

    private mutating func deleteDocument(_ totals: inout Totals) throws {
        let id = DocumentID.number(Int.random(in: 0..<8, using: &generator))
        let document = model.document(id)
        let expected = expectation(document?.sequence)
        let libraryID = document?.libraryID ?? .number(404)
        let refusal = model.refusal(of: .deleteDocument(id, in: libraryID, at: .now()), .error, limit: 0, expecting: expected)
        expect(refusal, &totals) { database throws(DatabaseError) in
            try database.deleteDocument(id, expecting: expected)
            return .deleteDocument(id, in: libraryID, at: try database.library(libraryID).updatedAt)
        }
    }

    private mutating func search(_ totals: inout Totals) throws {
        let id = libraryIDs.randomElement(using: &generator)!
        let query = generator.exactVector()
        let count = Int.random(in: 1...12, using: &generator)
        let threshold: Float? = generator.chance(30) ? [0, 1, 2].randomElement(using: &generator)! : nil
        guard let library = model.library(id) else {
            #expect(throws: DatabaseError.libraryNotFound(id)) { try test.database.search(in: id, query: query, count: count) }
            return
        }
        let text = generator.word()
        let analyzer = Analyzer(library.record.text)
        let terms = Set(analyzer.terms(of: text).map(\.text))
        let matching = library.documents.flatMap(\.chunks).filter { !terms.isDisjoint(with: analyzer.terms(of: $0.text).map(\.text)) }
        let found = try test.database.search(in: id, SearchQuery(.keyword, text: text, count: 100)).hits
        #expect(Set(found.map(\.chunk.id)) == Set(matching.map(\.id)), "seed \(seed), \(text)")
        let expected = model.search(in: library, query, count: count, threshold: threshold ?? .infinity)
        let hits = try test.database.search(in: id, query: query, count: count, threshold: threshold, isExact: true).hits
        #expect(hits.map(\.distance) == expected.map(\.0), "seed \(seed), \(query)")
        #expect(hits.map(\.chunk.id) == expected.map(\.1), "seed \(seed), \(query)")
        totals.hits += hits.count
    }

    /// Mostly none, else the right one or another.
    private mutating func expectation(_ last: SequenceNumber?) -> SequenceNumber? {
        guard generator.chance(40) else { return nil }
        return generator.chance(50) ? last ?? .number(1) : .number(UInt64.random(in: 1...30, using: &generator))
    }
}
