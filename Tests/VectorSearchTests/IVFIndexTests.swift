import Testing

@testable import VectorSearch

@Suite("An inverted file")
struct IVFIndexTests {
    private static let dimension = 12

    @Test("finds nearly all of the nearest among text embeddings", .needsWordNet)
    func findsTextEmbeddings() {
        let index = IndexDriver(.ivf, .cosine, WordNet.glosses(textRows))
        let queries = WordNet.queries(200)

        #expect(index.recall(queries, 10) >= 0.95)
        #expect(index.recall(queries, 10, among: index.someRows) >= 0.95)
        let scored = queries.map { index.search($0, 10).outcome.scored }.reduce(0, +) / queries.count
        #expect(scored < textRows / 3)
    }

    @Test("finds nearly all of the nearest under every metric", arguments: Metric.allCases, [4, 32])
    func findsNearest(metric: Metric, dimension: Int) {
        var points = Points(seed: 20)
        let all = points.clusters(1600, dimension: dimension)
        let index = IndexDriver(.ivf, metric, Array(all.prefix(1000)))
        index.add(Array(all[1000..<1500]))

        #expect(index.recall(Array(all.suffix(100)), 10) >= 0.95)
        #expect(index.recall(Array(all.suffix(100)), 100) >= 0.93)
    }

    @Test("gives eligible rows once with their distances, whatever came and went", arguments: Metric.allCases)
    func givesRowsOnce(metric: Metric) {
        var points = Points(seed: 21)
        let index = IndexDriver(.ivf, metric, points.clusters(500, dimension: Self.dimension))
        let queries = points.grid(5, dimension: Self.dimension) + points.clusters(5, dimension: Self.dimension)

        for step in 0..<6 {
            index.add(points.clusters(150, dimension: Self.dimension))
            index.remove(index.rows.first(.max).filter { ($0.rawValue + UInt32(step)) % 5 == 0 })

            for query in queries {
                for count in [1, 10, index.rows.count] {
                    let found = index.search(query, count)
                    #expect(index.problem(found, query) == nil)
                    #expect(found.neighbors.count == count)
                    let some = index.search(query, count, among: index.someRows)
                    #expect(index.problem(some, query, among: index.someRows) == nil)
                }
            }
        }
    }

    @Test("reads on until there are as many rows as were asked for")
    func readsOn() {
        var points = Points(seed: 22)
        let index = IndexDriver(.ivf, .l2, points.clusters(1000, dimension: Self.dimension), [.nlist: 50, .nprobe: 1])
        let query = points.uniform(1, dimension: Self.dimension)[0]
        let few = RowSet(index.rows.first(.max).filter { $0.rawValue % 100 == 7 })

        #expect(index.search(query, 1).outcome.scored < 300)
        #expect(index.search(query, 700).neighbors.count == 700)
        #expect(index.search(query, 10, among: few).neighbors == index.scan(query, 10, among: few))
        #expect(index.search(query, 11, among: few).neighbors.count == 10)
        #expect(index.search(query, 11, among: few).outcome.isExact)
    }

    @Test("is exact when it reads every list, and says so", arguments: Metric.allCases)
    func isExactWithAllLists(metric: Metric) {
        var points = Points(seed: 23)
        let index = IndexDriver(.ivf, metric, points.grid(800, dimension: Self.dimension), [.nlist: 20, .nprobe: 20])
        let query = points.uniform(1, dimension: Self.dimension)[0]

        let found = index.search(query, 30)

        #expect(found.neighbors == index.scan(query, 30))
        #expect(found.outcome.isExact && found.outcome.scored == index.rows.count)
    }

    @Test("reads as many lists as it was last told")
    func adoptsProbes() {
        var points = Points(seed: 24)
        let index = IndexDriver(.ivf, .l2, points.uniform(1000, dimension: Self.dimension), [.nlist: 50, .nprobe: 2])
        let query = points.uniform(1, dimension: Self.dimension)[0]
        let before = index.search(query, 5).outcome.scored

        index.index.adopt(index.configuration.with([.nprobe: 40]))

        #expect(index.statistic("nprobe") == 40)
        #expect(index.search(query, 5).outcome.scored > 4 * before)
    }

    @Test("has outgrown its lists with four times the rows, unless their number was chosen")
    func isOutgrown() {
        var points = Points(seed: 25)
        let first = points.uniform(200, dimension: Self.dimension)
        let index = IndexDriver(.ivf, .l2, first)
        let chosen = IndexDriver(.ivf, .l2, first, [.nlist: 10])
        let tooMany = IndexDriver(.ivf, .l2, first, [.nlist: 300])
        #expect(!index.index.isOutgrown && tooMany.statistic("nlist") == 200)

        let more = points.uniform(600, dimension: Self.dimension)
        for driver in [index, chosen, tooMany] { driver.add(more) }

        #expect(index.index.isOutgrown && tooMany.index.isOutgrown)
        #expect(!chosen.index.isOutgrown)
    }

    @Test("is made of one row, and of rows that are all alike", arguments: Metric.allCases)
    func isMadeOfLittle(metric: Metric) {
        let one = IndexDriver(.ivf, metric, [[1, 2, 3]])
        #expect(one.search([3, 2, 1], 5).neighbors == one.scan([3, 2, 1], 5))
        let empty = IndexDriver(.ivf, metric, dimension: 3)
        #expect(empty.search([3, 2, 1], 5).neighbors.isEmpty)

        let alike = IndexDriver(.ivf, metric, (1...200).map { [Float($0), Float($0), 0] })

        #expect(alike.search([1, 1, 0], 200).neighbors == alike.scan([1, 1, 0], 200))
    }

    @Test("takes the longest and the shortest vectors", arguments: Metric.allCases, [1e18 as Float, 1e-30])
    func takesExtremes(metric: Metric, scale: Float) {
        var points = Points(seed: 26)
        let index = IndexDriver(.ivf, metric, points.clusters(600, dimension: 4).map { $0.map { $0 * scale } })
        let query = points.clusters(1, dimension: 4)[0].map { $0 * scale }

        #expect(index.problem(index.search(query, 10), query) == nil)
        #expect(index.search(query, 600).neighbors == index.scan(query, 600))
    }

    @Test("made twice of the same rows is the same")
    func isDeterministic() {
        var points = Points(seed: 27)
        let vectors = points.clusters(700, dimension: Self.dimension)

        #expect(IndexDriver(.ivf, .cosine, vectors).encoded() == IndexDriver(.ivf, .cosine, vectors).encoded())
    }

    @Test("is the same after it was written and read", arguments: Metric.allCases)
    func survivesEncoding(metric: Metric) throws {
        var points = Points(seed: 28)
        let index = IndexDriver(.ivf, metric, points.clusters(1000, dimension: Self.dimension))
        index.remove(index.rows.first(100))
        let queries = points.clusters(20, dimension: Self.dimension)
        let before = queries.map { index.search($0, 10) }

        try index.reload()

        for (query, found) in zip(queries, before) {
            let again = index.search(query, 10)
            #expect(again.neighbors == found.neighbors)
            #expect(again.outcome.scored == found.outcome.scored)
        }
        index.add(points.clusters(50, dimension: Self.dimension))
        for query in queries { #expect(index.problem(index.search(query, 10), query) == nil) }
    }

    @Test("that is empty is empty after it was written and read")
    func survivesEncodingWhenEmpty() throws {
        let index = IndexDriver(.ivf, .l2, dimension: 2)
        try index.reload()

        index.add([[1, 2], [3, 4]])

        #expect(index.search([0, 0], 2).neighbors.count == 2)
    }

    @Test("refuses bytes that are no index, or makes one of them that does no harm")
    func survivesDamage() {
        var points = Points(seed: 29)
        let index = IndexDriver(.ivf, .l2, points.uniform(60, dimension: 3), [.nlist: 6])

        let accepted = index.survivesDamage(query: [0.1, 0.2, 0.3], seed: 30)

        #expect(accepted < 1000)
    }
}

/// A build without optimisation takes its time.
#if DEBUG
    let textRows = 2000
#else
    let textRows = 20_000
#endif
