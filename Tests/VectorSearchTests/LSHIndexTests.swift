import Testing

@testable import VectorSearch

@Suite("Hash tables of hyperplanes")
struct LSHIndexTests {
    private static let dimension = 12

    @Test("finds nearly all of the nearest among text embeddings", .needsWordNet)
    func findsTextEmbeddings() {
        let index = IndexDriver(.lsh, .cosine, WordNet.glosses(textRows))
        let queries = WordNet.queries(200)

        #expect(index.recall(queries, 10) >= 0.95)
        #expect(index.recall(queries, 10, among: index.someRows) >= 0.95)
        let scored = queries.map { index.search($0, 10).outcome.scored }.reduce(0, +) / queries.count
        #expect(scored < textRows * 3 / 4)
    }

    @Test("finds nearly all of the nearest under every metric", arguments: Metric.allCases, [4, 32])
    func findsNearest(metric: Metric, dimension: Int) {
        var points = Points(seed: 40)
        let all = points.clusters(1600, dimension: dimension)
        let index = IndexDriver(.lsh, metric, Array(all.prefix(1000)))
        index.add(Array(all[1000..<1500]))

        #expect(index.recall(Array(all.suffix(100)), 10) >= 0.95)
        #expect(index.recall(Array(all.suffix(100)), 100) >= 0.93)
    }

    @Test("gives eligible rows once with their distances, whatever came and went", arguments: Metric.allCases)
    func givesRowsOnce(metric: Metric) {
        var points = Points(seed: 41)
        let index = IndexDriver(.lsh, metric, points.clusters(500, dimension: Self.dimension))
        let queries = points.grid(5, dimension: Self.dimension) + points.clusters(5, dimension: Self.dimension)

        for step in 0..<6 {
            index.add(points.clusters(150, dimension: Self.dimension))
            index.remove(index.rows.first(.max).filter { ($0.rawValue + UInt32(step)) % 5 == 0 })

            for query in queries {
                for count in [1, 10, index.rows.count] {
                    let found = index.search(query, count)
                    #expect(index.problem(found, query) == nil)
                    let some = index.search(query, count, among: index.someRows)
                    #expect(index.problem(some, query, among: index.someRows) == nil)
                }
            }
        }
    }

    @Test("is exact when it reads every bucket, and says so", arguments: Metric.allCases)
    func isExactWithAllBuckets(metric: Metric) {
        var points = Points(seed: 43)
        let index = IndexDriver(.lsh, metric, points.grid(800, dimension: Self.dimension), [.tables: 3, .bits: 5, .probes: 32])
        let query = points.uniform(1, dimension: Self.dimension)[0]

        let found = index.search(query, 30)

        #expect(found.neighbors == index.scan(query, 30))
        #expect(found.outcome.isExact && found.outcome.scored == index.rows.count)
    }

    @Test("compares the query with all eligible rows if they are fewer than the buckets")
    func comparesFewRows() {
        var points = Points(seed: 42)
        let index = IndexDriver(.lsh, .l2, points.clusters(1000, dimension: Self.dimension))
        let few = RowSet(index.rows.first(.max).filter { $0.rawValue % 100 == 7 })
        let query = points.uniform(1, dimension: Self.dimension)[0]

        let found = index.search(query, 20, among: few)

        #expect(found.neighbors == index.scan(query, 20, among: few))
        #expect(found.neighbors.count == 10 && found.outcome.isExact)
    }

    @Test("reads as many buckets as it was last told")
    func adoptsProbes() {
        var points = Points(seed: 44)
        let index = IndexDriver(.lsh, .l2, points.uniform(1000, dimension: Self.dimension), [.tables: 2, .bits: 8, .probes: 2])
        let query = points.uniform(1, dimension: Self.dimension)[0]
        let before = index.search(query, 5).outcome.scored

        index.index.adopt(index.configuration.with([.probes: 100]))

        #expect(index.statistic("probes") == 100)
        #expect(index.search(query, 5).outcome.scored > 4 * before)
    }

    @Test("reads its buckets in the order of their distance to the query")
    func ordersBuckets() throws {
        var points = Points(seed: 52)
        let index = IndexDriver(.lsh, .l2, points.uniform(500, dimension: Self.dimension), [.tables: 2, .bits: 7])
        let hyperplanes = try #require((index.index as? LSHIndex)?.training?.hyperplanes)
        let query = points.uniform(1, dimension: Self.dimension)[0]
        var margins = [Float](repeating: 0, count: 14)
        hyperplanes.computeMargins(ofQuery: query, into: &margins)

        for table in 0..<2 {
            var order = BucketOrder()
            order.begin(hyperplanes, table: table, margins: margins)
            let own = hyperplanes.code(ofTable: table, margins)
            let costs = (0..<128).map { _ -> Double in
                let flipped = order.next()! ^ own
                return (0..<7).reduce(0) {
                    $0 + (flipped >> UInt32($1) & 1 == 1 ? Double(margins[table * 7 + $1] * margins[table * 7 + $1]) : 0)
                }
            }

            #expect(order.next() == nil)
            #expect(costs[0] == 0)
            #expect(zip(costs, costs.dropFirst()).allSatisfy { $1 > $0 - 1e-6 })
            #expect(Set(costs).count == 128)
        }
    }

    @Test("has outgrown its tables with four times the rows, unless its bits were chosen")
    func isOutgrown() {
        var points = Points(seed: 45)
        let first = points.uniform(200, dimension: Self.dimension)
        let index = IndexDriver(.lsh, .l2, first)
        let chosen = IndexDriver(.lsh, .l2, first, [.bits: 6])
        #expect(!index.index.isOutgrown)

        let more = points.uniform(600, dimension: Self.dimension)
        for driver in [index, chosen] { driver.add(more) }

        #expect(index.index.isOutgrown)
        #expect(!chosen.index.isOutgrown)
    }

    @Test("is made of one row, and of rows that are all alike", arguments: Metric.allCases)
    func isMadeOfLittle(metric: Metric) {
        let one = IndexDriver(.lsh, metric, [[1, 2, 3]])
        #expect(one.search([3, 2, 1], 5).neighbors == one.scan([3, 2, 1], 5))
        let empty = IndexDriver(.lsh, metric, dimension: 3)
        #expect(empty.search([3, 2, 1], 5).neighbors.isEmpty)

        let alike = IndexDriver(.lsh, metric, (1...200).map { [Float($0), Float($0), 0] })

        #expect(alike.problem(alike.search([1, 1, 0], 200), [1, 1, 0]) == nil)
    }

    @Test("takes the longest and the shortest vectors", arguments: Metric.allCases, [1e18 as Float, 1e-30])
    func takesExtremes(metric: Metric, scale: Float) {
        var points = Points(seed: 46)
        let index = IndexDriver(.lsh, metric, points.clusters(600, dimension: 4).map { $0.map { $0 * scale } })
        let query = points.clusters(1, dimension: 4)[0].map { $0 * scale }

        #expect(index.problem(index.search(query, 10), query) == nil)
        #expect(index.search(query, 10).neighbors.first == index.scan(query, 1).first)
    }

    @Test("made twice of the same rows is the same")
    func isDeterministic() {
        var points = Points(seed: 47)
        let vectors = points.clusters(700, dimension: Self.dimension)

        #expect(IndexDriver(.lsh, .cosine, vectors).encoded() == IndexDriver(.lsh, .cosine, vectors).encoded())
    }

    @Test("is the same after it was written and read", arguments: Metric.allCases)
    func survivesEncoding(metric: Metric) throws {
        var points = Points(seed: 48)
        let index = IndexDriver(.lsh, metric, points.clusters(1000, dimension: Self.dimension))
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
        let index = IndexDriver(.lsh, .l2, dimension: 2)
        try index.reload()

        index.add([[1, 2], [3, 4]])

        #expect(index.search([0, 0], 2).neighbors.count == 2)
    }

    @Test("refuses bytes that are no index, or makes one of them that does no harm")
    func survivesDamage() {
        var points = Points(seed: 49)
        let index = IndexDriver(.lsh, .l2, points.uniform(60, dimension: 3), [.tables: 3, .bits: 4])

        let accepted = index.survivesDamage(query: [0.1, 0.2, 0.3], seed: 50)

        #expect(accepted < 1000)
    }
}
