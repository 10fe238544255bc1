import Testing

@testable import VectorSearch

@Suite("A forest of k-d trees")
struct KDTreeIndexTests {
    @Test("gives what a scan gives, whatever came and went", arguments: Metric.allCases, [1, 2, 3, 5, 8, 13, 16, 33, 64])
    func agreesWithScan(metric: Metric, dimension: Int) {
        var points = Points(seed: UInt64(dimension))
        let index = IndexDriver(.kdTree, metric, dimension: dimension, [.leafSize: 5])
        let queries = points.grid(4, dimension: dimension) + points.uniform(4, dimension: dimension)

        for step in 0..<8 {
            let size = [300, 20, 1, 40, 7, 100, 2, 60][step]
            index.add(points.grid(size, dimension: dimension) + points.uniform(size, dimension: dimension))
            if step % 3 == 1 { index.remove(index.rows.first(.max).filter { ($0.rawValue + UInt32(step)) % 4 == 0 }) }

            #expect(!index.rows.first(1).isEmpty)
            for query in queries {
                for count in [1, 10, index.rows.count + 1] {
                    let found = index.search(query, count)
                    #expect(found.neighbors == index.scan(query, count))
                    #expect(found.outcome.isExact && found.outcome.scored <= index.rows.count)
                    #expect(index.search(query, count, among: index.someRows).neighbors == index.scan(query, count, among: index.someRows))
                }
            }
        }
    }

    @Test("gives what a scan gives where nothing but rounding tells rows apart", arguments: Metric.allCases, [2, 8, 40])
    func agreesWithScanOnNearTies(metric: Metric, dimension: Int) {
        var points = Points(seed: 3)
        let center = points.uniform(1, dimension: dimension)[0]
        // A few last digits around one point.
        let near = points.grid(600, dimension: dimension).map { grid in zip(center, grid).map { $0 + $1 * 2 * $0.ulp } }
        let index = IndexDriver(.kdTree, metric, near, [.leafSize: 2])

        for query in [center] + near.prefix(20) + points.uniform(20, dimension: dimension) {
            #expect(index.search(query, 7).neighbors == index.scan(query, 7))
        }
    }

    @Test("gives what a scan gives of the longest and the shortest vectors", arguments: Metric.allCases, [3, 24])
    func agreesWithScanOnExtremes(metric: Metric, dimension: Int) {
        var points = Points(seed: 4)
        let scales: [Float] = metric == .cosine ? [1e18, 1, 1e-30, 1e-37, 0x1p-127] : [1e18, 1, 1e-22, 1e-30, 0x1p-146]
        let vectors = scales.flatMap { scale in points.uniform(200, dimension: dimension).map { $0.map { $0 * scale } } }
            .filter { VectorStore.validate($0.span, metric: metric, dimension: dimension) == nil }
        #expect(vectors.count > 800)
        let index = IndexDriver(.kdTree, metric, vectors, [.leafSize: 4])

        for query in vectors where query[0] > 0 {
            #expect(index.search(query, 5).neighbors == index.scan(query, 5))
        }
    }

    @Test("is built of points that are all the same", arguments: Metric.allCases)
    func buildsOfEqualPoints(metric: Metric) {
        // Zeros of either sign are equal and yet different vectors; under cosine, so are multiples of one.
        let zeros = (0..<256).map { number in (0..<8).map { number >> $0 & 1 == 0 ? 0.0 as Float : -0.0 } + [1] }
        let multiples = (1...300).map { number in [Float](repeating: Float(number), count: 9) }
        let index = IndexDriver(.kdTree, metric, zeros + multiples, [.leafSize: 3])
        let query = [Float](repeating: 1, count: 9)

        for count in [1, 100, 556] {
            #expect(index.search(query, count).neighbors == index.scan(query, count))
        }
    }

    @Test("leaves most rows out in few dimensions", arguments: Metric.allCases)
    func leavesOutRows(metric: Metric) {
        var points = Points(seed: 5)
        let index = IndexDriver(.kdTree, metric, points.uniform(20_000, dimension: 4))
        let queries = points.uniform(20, dimension: 4)

        let scored = queries.map { index.search($0, 10).outcome.scored }.reduce(0, +) / queries.count

        #expect(1...1000 ~= scored)
    }

    @Test("compares every row once where none can be left out")
    func comparesAllOnce() {
        var points = Points(seed: 6)
        let index = IndexDriver(.kdTree, .cosine, points.uniform(3000, dimension: 64), [.leafSize: 16])
        index.add(points.uniform(500, dimension: 64))
        let queries = points.uniform(10, dimension: 64)

        #expect(index.statistic("trees") == 2)
        for query in queries {
            let found = index.search(query, 10)
            #expect(found.neighbors == index.scan(query, 10))
            #expect(found.outcome.scored > 3000 && found.outcome.scored <= 3500)
            #expect(index.problem(found, query) == nil)
        }
    }

    @Test("has a number of trees that grows as the logarithm of the rows")
    func hasFewTrees() {
        var points = Points(seed: 7)
        let index = IndexDriver(.kdTree, .l2, dimension: 3)

        for size in Array(repeating: 10, count: 100) + (1...60).reversed() {
            index.add(points.uniform(size, dimension: 3))
            #expect(index.statistic("trees")! <= Int.bitWidth - index.rows.count.leadingZeroBitCount)
        }
    }

    @Test("finds nothing before there are rows, and after they went")
    func findsNothingWhenEmpty() {
        let index = IndexDriver(.kdTree, .l2, dimension: 2)
        #expect(index.search([1, 1], 5).neighbors.isEmpty)

        index.add([[1, 0], [0, 1]])
        #expect(index.search([1, 1], 5).neighbors.count == 2)
        #expect(index.search([1, 1], 0).neighbors.isEmpty)
        index.remove(index.rows.first(2))

        #expect(index.search([1, 1], 5).neighbors.isEmpty)
        #expect(index.statistic("trees") == 0)
    }

    @Test("becomes small when most rows went")
    func shrinks() {
        var points = Points(seed: 8)
        let index = IndexDriver(.kdTree, .l2, points.uniform(5000, dimension: 4))
        let before = index.index.statistics.bytes

        index.remove(index.rows.first(4500))

        #expect(index.index.statistics.bytes < before / 5)
        for query in points.uniform(10, dimension: 4) { #expect(index.search(query, 10).neighbors == index.scan(query, 10)) }
    }

    @Test("is the same after it was written and read", arguments: Metric.allCases)
    func survivesEncoding(metric: Metric) throws {
        var points = Points(seed: 9)
        let index = IndexDriver(.kdTree, metric, points.uniform(1000, dimension: 6), [.leafSize: 8])
        index.add(points.grid(300, dimension: 6))
        index.remove(index.rows.first(100))
        let queries = points.uniform(20, dimension: 6)
        let before = queries.map { index.search($0, 10) }

        try index.reload()

        for (query, found) in zip(queries, before) {
            let again = index.search(query, 10)
            #expect(again.neighbors == found.neighbors)
            #expect(again.outcome.scored <= found.outcome.scored, "boxes are as small as the rows that are left allow")
        }
        index.add(points.uniform(50, dimension: 6))
        for query in queries { #expect(index.search(query, 10).neighbors == index.scan(query, 10)) }
    }

    @Test("refuses bytes that are no index, or makes one of them that does no harm")
    func survivesDamage() {
        var points = Points(seed: 10)
        let index = IndexDriver(.kdTree, .l2, points.uniform(60, dimension: 3), [.leafSize: 4])
        index.add(points.uniform(20, dimension: 3))

        let accepted = index.survivesDamage(query: [0.1, 0.2, 0.3], seed: 11)

        #expect(accepted < 1000)
    }
}
