import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("The guard of recall")
struct RecallGuardTests {
    private let history = RecallHistory()

    private func add(_ recalls: some Sequence<Double>, minimum: Double, ef: Int?) {
        for recall in recalls { history.add(recall, minimum: minimum, ef: ef) }
    }

    @Test("raises ef step by step, then compares all, as long as searches surely find too little")
    func steps() {
        add(Array(repeating: 0.8, count: 9), minimum: 0.9, ef: 64)
        #expect(history.effort == .configured && history.guarding.raises == 0)

        add([0.8], minimum: 0.9, ef: 64)
        #expect(history.effort == .ef(128) && history.guarding.raises == 1)
        // What was found before says nothing of what is found now.
        #expect(history.estimate == nil)
        add(Array(repeating: 0.95, count: 100), minimum: 0.9, ef: 128)
        #expect(history.effort == .ef(128) && history.guarding.raises == 1)
        add(Array(repeating: 0.1, count: 50), minimum: 0.9, ef: 3000)
        #expect(history.effort == .ef(4096))
        history.forget()
        add(Array(repeating: 0.1, count: 10), minimum: 0.9, ef: 4096)
        #expect(history.effort == .exact && history.guarding.raises == 1)
        history.forget()
        #expect(history.effort == .configured && history.guarding.raises == 0)
    }

    @Test("an index without ef is left for comparing all")
    func withoutEf() {
        add(Array(repeating: 0.5, count: 10), minimum: 0.9, ef: nil)

        #expect(history.effort == .exact)
    }

    @Test("is not moved by chance, nor where nothing is wanted")
    func chance() {
        // 0.95 in the mean, but a fifth of them far below.
        var generator = SplitMix(seed: 5)
        for _ in 0..<2000 {
            history.add(Double.random(in: 0..<1, using: &generator) < 0.2 ? 0.75 : 1, minimum: 0.9, ef: 64)
        }
        #expect(history.effort == .configured)

        // Just above what is wanted, for hours.
        for _ in 0..<10_000 {
            history.add(Double.random(in: 0..<1, using: &generator) < 0.4 ? 0.9 : 1, minimum: 0.95, ef: 64)
        }
        #expect(history.effort == .configured)

        add(Array(repeating: 0, count: 100), minimum: 0, ef: 64)
        #expect(history.effort == .configured)
    }

    @Test("has searches find what their library wants, leaves those alone that name ef, and begins anew with another wish")
    func library() throws {
        let test = try TestDatabase()
        let library = try test.database.createLibrary(
            name: "guarded", description: nil, metric: .l2, dimension: 4, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.hnsw, chosen: [.m: 2, .efConstruction: 8, .efSearch: 16]), minimumRecall: 0.95
        ).record.id
        let vectors = try test.database.fill(library, count: 3000)
        try test.database.waitUntilIndexed(library)
        func figures() -> LibraryFigures { test.database.figures().libraries[0] }
        var next = 0
        func search(ef: Int? = nil) throws -> SearchResult {
            next += 1
            return try test.database.search(in: library, query: vectors[next % vectors.count], count: 10, ef: ef)
        }
        let first = try #require(search().ef)

        // Those that name it are no reason.
        for _ in 0..<100 { _ = try search(ef: 1) }
        #expect(figures().effort == .configured && figures().recall == nil)

        func isSettled(_ figures: LibraryFigures) -> Bool {
            figures.effort == .exact || figures.effortRaises > 0 && figures.recall?.searches == 50
        }
        // Searches are looked at by a thread of low priority.
        let deadline = ContinuousClock.now + .seconds(600)
        var settled = figures()
        while !isSettled(settled), ContinuousClock.now < deadline {
            _ = try search()
            settled = figures()
        }
        #expect(isSettled(settled) && settled.effortRaises > 0)
        // Some that wait to be looked at may raise it once more.
        let result = try search()
        #expect(result.isExact || result.ef ?? 0 >= 2 * first)
        // Not surely below 0.95: with fifty, whichever they were, the mean is above 0.75.
        #expect(settled.effort == .exact || settled.recall?.recall ?? 0 > 0.75)
        #expect(try search(ef: 12).ef == 12)
        _ = try test.database.updateLibrary(library, LibraryChange(minimumRecall: 0.95))
        #expect(figures().effortRaises >= settled.effortRaises)

        // What was found out of one index says nothing of the next, also if it is found out while that is built.
        test.database.builder.pause()
        try test.database.rebuildIndex(of: library, as: IndexConfiguration(.hnsw))
        #expect(figures().effortRaises >= settled.effortRaises)
        test.database.builder.resume()
        try test.database.waitUntilIndexed(library)
        #expect(figures().effort == .configured && figures().effortRaises == 0)
        #expect(try search().ef == 64)
        #expect(first == 16)
        _ = try test.database.updateLibrary(library, LibraryChange(minimumRecall: 0))
        #expect(figures().effort == .configured && figures().minimumRecall == 0)
        try test.reopen()
        #expect(try test.database.library(library).record.minimumRecall == 0)
    }
}
