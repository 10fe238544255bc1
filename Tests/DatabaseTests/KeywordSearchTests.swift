import TestSupport
import Testing
import TextSearch
import VectorSearch

@testable import Database

/// What words find is tested with `TextSearch`; here, that it is what the library has.
@Suite("Search by words and by both")
struct KeywordSearchTests {
    private let test: TestDatabase
    private let library: LibraryID
    private var database: Database { test.database }

    init() throws {
        test = try TestDatabase()
        library = try test.database.makeLibrary()
    }

    private func put(_ id: Int, _ texts: [String], _ vector: [Float] = [1, 0, 0, 0], policy: ConflictPolicy = .replace) throws {
        try database.put(
            id, in: library, texts.enumerated().map { chunk(10 * id + $0.offset, vector, text: $0.element) }, onConflict: policy)
    }

    private func find(_ text: String, count: Int = 10, _ change: (inout SearchQuery) -> Void = { _ in }) throws -> [Int] {
        var query = SearchQuery(.keyword, text: text, count: count)
        change(&query)
        return try database.search(in: library, query).hits.map { Int($0.chunk.id.low & 0xFFFF) }
    }

    @Test("finds a chunk by its words as long as it has them, through changes, restarts and snapshots")
    func live() throws {
        try put(1, ["The fox crossed the garden", "A pear tree in blossom"])
        try put(2, ["Foxes in the city"])
        #expect(try Set(find("fox")) == [10, 20] && find("pear") == [11])

        _ = try database.updateDocument(.number(1)) { _ in
            DocumentEdit(
                removed: [.number(11)], put: [chunk(10, [1, 0, 0, 0], text: "A badger"), chunk(12, [0, 1, 0, 0], text: "one more fox")])
        }
        #expect(try Set(find("fox")) == [12, 20] && find("pear") == [] && find("badger") == [10])
        try test.reopen()
        #expect(try Set(find("fox")) == [12, 20] && find("badger") == [10])
        _ = try database.takeSnapshot()
        try put(3, ["a third fox"])
        try test.reopen()
        #expect(try Set(find("fox")) == [12, 20, 30] && find("badger") == [10])
        try database.deleteDocument(.number(2))
        #expect(try Set(find("fox")) == [12, 30])
        #expect(try find("\"more fox\"") == [12])
    }

    @Test("orders by score, equal ones by chunk id, keeps to the filter, skips the offset, and says why there are few")
    func order() throws {
        for id in 1...5 { try put(id, ["a fox"], policy: .error) }
        try put(6, ["a fox and a fox"])
        #expect(try find("fox", count: 3) == [60, 10, 20])
        #expect(try find("fox", count: 2) { $0.offset = 2 } == [20, 30])
        let filter = Filter.condition(.documentID, .isAny(of: [4, 5].map { .string(ExactText(DocumentID.number($0).description)) }))
        #expect(try find("fox") { $0.filter = filter } == [40, 50])
        let few = try database.search(in: library, SearchQuery(.keyword, text: "fox", count: 10))
        #expect(few.shortage == .keywords && few.indexKind == nil && few.scoredWords > 0 && few.hits[0].distance == nil)
        #expect(try find("the").isEmpty && find("").isEmpty)
    }

    @Test("of each document gives its best chunk alone, by vectors, by words and by both, as many documents as there are")
    func groups() throws {
        try put(1, Array(repeating: "fox", count: 30), [1, 0, 0, 0])
        try put(5, ["fox one two three", "fox"], [0, 1, 0, 0])
        try put(9, ["fox and some other words here"], [0, 0, 1, 0])
        for mode in SearchQuery.Mode.allCases {
            var query = SearchQuery(mode, vector: [1, 0.5, 0, 0], text: "fox", count: 3)
            query.groupsByDocument = true
            let hits = try database.search(in: library, query).hits
            #expect(hits.map(\.document.id) == [.number(1), .number(5), .number(9)], "\(mode)")
            query.count = 1
            query.offset = 1
            #expect(try database.search(in: library, query).hits.map(\.document.id) == [.number(5)], "\(mode)")
        }
    }

    @Test("by both says the places in both lists, and adds them up as asked")
    func fusion() throws {
        try put(1, ["nothing of it"], [1, 0, 0, 0])
        try put(2, ["fox"], [0.9, 0.1, 0, 0])
        try put(3, ["fox fox"], [0, 0, 0, 1])
        var query = SearchQuery(.hybrid, vector: [1, 0, 0, 0], text: "fox", count: 3)
        query.fusion = .reciprocalRank(k: 60)

        let hits = try database.search(in: library, query).hits
        #expect(hits.map(\.document.id) == [.number(3), .number(2), .number(1)])
        #expect(hits.map(\.vectorRank) == [3, 2, 1] && hits.map(\.keywordRank) == [1, 2, nil])
        #expect(hits[0].score == Float(1.0 / 63 + 1.0 / 61) && hits[2].score == Float(1.0 / 61))
        #expect(hits.allSatisfy { $0.distance != nil })

        query.keywordWeight = 0
        #expect(try database.search(in: library, query).hits.map(\.document.id) == [.number(1), .number(2), .number(3)])
        query.keywordWeight = 1
        query.fusion = .weighted
        // Nearest but for a little, and nearly as good by words: only of what has no words does the score by words count as nothing.
        let best = try #require(try database.search(in: library, query).hits.first)
        #expect(best.document.id == .number(2) && best.score ?? 0 > 1.5)
        query.threshold = 0.5
        let near = try database.search(in: library, query).hits
        #expect(near.contains { $0.document.id == .number(3) && $0.distance == nil && $0.vectorRank == nil })
    }

    @Test("analyses as the library says, and ranks as it says now")
    func options() throws {
        let plain = try database.createLibrary(
            name: "", description: nil, metric: .l2, dimension: 4, model: "external",
            text: TextOptions(k1: 0, b: 0, stopWords: false, stemmer: false)
        ).record.id
        try database.put(1, in: plain, [chunk(1, [1, 0, 0, 0], text: "the foxes"), chunk(2, [1, 0, 0, 0], text: "fox fox")])
        func scores(_ text: String) throws -> [Float?] {
            try database.search(in: plain, SearchQuery(.keyword, text: text, count: 5)).hits.map(\.score)
        }
        #expect(try scores("fox").count == 1 && scores("the").count == 1)
        let once = try scores("fox")
        _ = try database.updateLibrary(plain, LibraryChange(k1: 2, b: 0))
        #expect(try scores("fox")[0]! > once[0]!)
        try test.reopen()
        #expect(try database.library(plain).record.text == TextOptions(k1: 2, b: 0, stopWords: false, stemmer: false))
        #expect(try scores("fox")[0]! > once[0]! && scores("the").count == 1)
        _ = try database.takeSnapshot()
        try test.reopen()
        #expect(try database.library(plain).record.text == TextOptions(k1: 2, b: 0, stopWords: false, stemmer: false))
    }
}
