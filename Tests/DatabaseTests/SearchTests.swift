import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("Search")
struct SearchTests {
    let test: TestDatabase
    var database: Database { test.database }

    init() throws { test = try TestDatabase() }

    static let exactKinds = IndexKind.allCases.filter(\.isExact)

    @Test("finds the same as comparing with every chunk", arguments: Metric.allCases, exactKinds)
    func agreesWithModel(metric: Metric, kind: IndexKind) throws {
        for seed in [1, 2, 3, 4, 5] as [UInt64] { try agreesWithModel(metric, kind, seed) }
    }

    private func agreesWithModel(_ metric: Metric, _ kind: IndexKind, _ seed: UInt64) throws {
        let test = try TestDatabase()
        let database = test.database
        var generator = SplitMix(seed: seed)
        let library = try database.makeLibrary(metric: metric, index: IndexConfiguration(kind))
        var all: [ChunkRecord] = []
        for document in 0..<20 {
            let chunks = (0..<5).map { chunk(1000 - document * 5 - $0, generator.exactVector()) }
            try database.put(document, in: library, chunks)
            all += chunks
        }
        try database.waitUntilIndexed(library)

        for count in [1, 2, 7, 50, 99, 100, 101] {
            let query = generator.exactVector()
            let expected = all.map { (distance(metric, query, $0.embedding), $0.id) }.sorted { $0 < $1 }.prefix(count)
            let result = try database.search(in: library, query: query, count: count)

            #expect(result.hits.map(\.distance) == expected.map(\.0), "seed \(seed), \(count) of \(query)")
            #expect(result.hits.map(\.chunk.id) == expected.map(\.1), "seed \(seed), \(count) of \(query)")
            #expect(result.isExact)
            #expect(result.indexKind == kind)
            #expect(result.scored > 0)
            #expect(result.shortage == (count > 100 ? .librarySize : nil))
        }
    }

    @Test("tells which document and chunk it found")
    func hits() throws {
        let library = try database.makeLibrary()
        try database.put(1, in: library, [chunk(1, [1, 0, 0, 0], text: "far"), chunk(2, [0, 0, 0, 1], text: "near", page: 5)])

        let hit = try #require(try database.search(in: library, query: [0, 0, 0, 3], count: 1).hits.first)

        #expect(hit.document.id == .number(1))
        #expect(hit.chunkIndex == 1)
        #expect(hit.chunk.text == "near")
        #expect(hit.chunk.pageNumber == 5)
        #expect(hit.distance == 2)
        #expect(hit.embedding == nil)
    }

    @Test("returns vectors with the bits they were sent with, if asked", arguments: Metric.allCases)
    func embeddings(metric: Metric) throws {
        let library = try database.makeLibrary(metric: metric)
        let vectors: [[Float]] = [[-0.0, 3, 0.1, 7], [0, 3, 0.1, 7], [0.3, .leastNonzeroMagnitude, 1e10, -1]]
        try database.put(1, in: library, vectors.enumerated().map { chunk($0.offset, $0.element) })

        let hits = try database.search(in: library, query: [1, 1, 1, 1], count: 3, withEmbeddings: true).hits

        #expect(hits.count == 3)
        for hit in hits { #expect(hit.embedding?.map(\.bitPattern) == vectors[hit.chunkIndex].map(\.bitPattern)) }
    }

    @Test("orders equal distances by chunk id, not by what came first", arguments: Metric.allCases, exactKinds)
    func ties(metric: Metric, kind: IndexKind) throws {
        let library = try database.makeLibrary(
            metric: metric, index: IndexConfiguration(kind, chosen: kind == .kdTree ? [.leafSize: 1] : [:]))
        // Ids descend while rows ascend; each vector differs in bits, all are equally far from the query.
        let vectors: [[Float]] = [[0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0], [0, 0, 0, 1], [0, 0, 0, -1]]
        for (index, vector) in vectors.enumerated() { try database.put(index, in: library, [chunk(9 - index, vector)]) }
        try database.waitUntilIndexed(library)
        let ids = [4, 5, 6, 7, 8, 9].map(ChunkID.number)

        for count in 1...6 {
            #expect(try database.find([1, 0, 0, 0], in: library, count: count) == Array(ids.prefix(count)))
        }
    }

    @Test("orders vectors of one direction by chunk id under cosine, and picks by it at the last place")
    func scaledTies() throws {
        let library = try database.makeLibrary(metric: .cosine)
        for (index, scale) in [8, 4, 2, 1, 0.5, 0.25].enumerated() {
            let id = 6 - index
            try database.put(id, in: library, [chunk(id, [0.6, 0.8, 0, 0].map { $0 * Float(scale) })])
        }
        try database.put(7, in: library, [chunk(0, [0, 0, 0, 1])])

        for count in 1...6 {
            #expect(try database.find([3, 4, 0, 0], in: library, count: count) == (1...count).map(ChunkID.number))
        }
        #expect(try database.find([3, 4, 0, 0], in: library, count: 7).last == .number(0))
    }

    @Test("finds the least chunk id among far more equal distances than were asked for", arguments: exactKinds)
    func manyTies(kind: IndexKind) throws {
        let library = try database.makeLibrary(metric: .cosine, index: IndexConfiguration(kind))
        // Eighty rows of one direction: more than twice doubled a count of three; the least ids in the last rows.
        let chunks = (0..<80).map { chunk(80 - $0, [Float(sign: .plus, exponent: $0 - 40, significand: 1), 0, 0, 0]) }
        try database.put(1, in: library, chunks)
        try database.put(2, in: library, [chunk(0, [0, 1, 0, 0])])
        try database.waitUntilIndexed(library)

        let result = try database.search(in: library, query: [1, 0, 0, 0], count: 3)

        #expect(result.hits.map(\.chunk.id) == [1, 2, 3].map(ChunkID.number))
        #expect(result.hits.map(\.distance) == [0, 0, 0])
        #expect(result.shortage == nil)
    }

    @Test("expands a shared vector to its live chunks by id, one of which may go", arguments: IndexKind.allCases)
    func sharedVectors(kind: IndexKind) throws {
        let library = try database.makeLibrary(index: IndexConfiguration(kind))
        try database.put(1, in: library, [chunk(4, [1, 0, 0, 0]), chunk(2, [1, 0, 0, 0])])
        try database.put(2, in: library, [chunk(3, [1, 0, 0, 0]), chunk(9, [0, 0, 0, 1])])
        try database.put(3, in: library, [chunk(1, [1, 0, 0, 0])])
        func found(_ count: Int = 10) throws -> [ChunkID] {
            try database.waitUntilIndexed(library)
            return try database.find([1, 0, 0, 0], in: library, count: count)
        }

        #expect(try found() == [1, 2, 3, 4, 9].map(ChunkID.number))
        #expect(try found(2) == [.number(1), .number(2)])
        #expect(try database.statistics(of: library).vectors.uniqueVectors == 2)

        // First a holder in the middle, then the first one, then the last.
        try database.deleteDocument(.number(2))
        #expect(try found() == [1, 2, 4].map(ChunkID.number))
        try database.deleteDocument(.number(1))
        #expect(try found() == [.number(1)])
        try database.deleteDocument(.number(3))
        #expect(try found().isEmpty)

        // The row is used again by another vector.
        try database.put(4, in: library, [chunk(5, [0, 1, 0, 0])])
        #expect(try database.search(in: library, query: [0, 1, 0, 0], count: 10).hits.map(\.distance) == [0])
    }

    @Test("keeps what is as far as the threshold, and drops what is farther")
    func threshold() throws {
        let library = try database.makeLibrary()
        for distance in 1...4 { try database.put(distance, in: library, [chunk(distance, [Float(distance), 0, 0, 0])]) }
        func search(_ threshold: Float?, _ count: Int) throws -> SearchResult {
            try database.search(in: library, query: [0, 0, 0, 0], count: count, threshold: threshold)
        }

        let inclusive = try search(2, 10)
        #expect(inclusive.hits.map(\.distance) == [1, 2])
        #expect(inclusive.shortage == .distanceThreshold)
        #expect(try search((2 as Float).nextDown, 10).hits.map(\.distance) == [1])
        #expect(try search(0, 10).hits.isEmpty)
        #expect(try search(0, 10).shortage == .distanceThreshold)
        // Enough within the threshold: nothing is short.
        #expect(try search(2, 2).shortage == nil)
        #expect(try search(100, 4).shortage == nil)
        // Nothing was left out for being far: the library has no more.
        #expect(try search(4, 5).shortage == .librarySize)
        #expect(try search(nil, 5).shortage == .librarySize)
        #expect(try search(nil, 5).hits.count == 4)
    }

    @Test("takes negative thresholds under dot")
    func negativeThreshold() throws {
        let library = try database.makeLibrary(metric: .dot)
        for number in 1...4 { try database.put(number, in: library, [chunk(number, [Float(number), 0, 0, 0])]) }

        let result = try database.search(in: library, query: [1, 0, 0, 0], count: 10, threshold: -3)

        #expect(result.hits.map(\.distance) == [-4, -3])
        #expect(result.shortage == .distanceThreshold)
    }

    @Test("of an empty library finds nothing, and says why", arguments: Metric.allCases)
    func emptyLibrary(metric: Metric) throws {
        let library = try database.makeLibrary(metric: metric)

        let result = try database.search(in: library, query: [1, 2, 3, 4], count: 5, threshold: 1)

        #expect(result.hits.isEmpty)
        #expect(result.shortage == .librarySize)
        #expect(result.scored == 0)
        #expect(result.isExact)
    }

    @Test("refuses a query that is no vector of the library")
    func invalidQueries() throws {
        let library = try database.makeLibrary()

        #expect(throws: DatabaseError.invalidVector(.dimensionMismatch(expected: 4, actual: 5), chunk: nil)) {
            try database.find([1, 2, 3, 4, 5], in: library)
        }
        #expect(throws: DatabaseError.invalidVector(.notFinite(index: 1), chunk: nil)) {
            try database.find([1, .nan, 3, 4], in: library)
        }
    }

    @Test(
        "finds every document as soon as it is acknowledged, and none once its delete is", arguments: Metric.allCases, IndexKind.allCases)
    func readYourWrites(metric: Metric, kind: IndexKind) throws {
        var generator = SplitMix(seed: 3)
        let library = try database.makeLibrary(metric: metric, index: IndexConfiguration(kind))

        for number in 0..<200 {
            // Of one norm, so that each is the nearest to itself under dot, too.
            let angle = Float.random(in: 0...1, using: &generator)
            let vector = [angle, (1 - angle * angle).squareRoot(), 0, 0]
            try database.put(number, in: library, [chunk(number, vector)])
            #expect(try database.find(vector, in: library, count: 3).contains(.number(number)), "seed 3, document \(number)")
            if number % 3 == 0 {
                try database.deleteDocument(.number(number))
                #expect(try !database.find(vector, in: library).contains(.number(number)), "seed 3, document \(number)")
            }
        }
    }
}
