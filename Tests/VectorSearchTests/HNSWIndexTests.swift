import TestSupport
import Testing

@testable import VectorSearch

@Suite("HNSW")
struct HNSWIndexTests {
    static let configurations = IndexKind.hnsw.quantizations.map {
        IndexConfiguration(.hnsw, quantization: $0, chosen: [.efConstruction: 100])
    }

    @Test("finds nearly all true neighbours, and more with a larger ef", arguments: configurations, Metric.allCases)
    func findsNeighbors(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, clustered(3000, dimension: 160, seed: 61), dimension: 160)
        let queries = clustered(50, dimension: 160, seed: 62)

        let few = recall(of: index, queries, ef: 16)
        let many = recall(of: index, queries, ef: 200)

        #expect(few >= 0.8)
        #expect(many >= 0.99)
        #expect(many >= few)
    }

    @Test("is as good when several threads build it", arguments: configurations)
    func isBuiltTogether(configuration: IndexConfiguration) throws {
        let index = IndexedVectors(dimension: 160, metric: .cosine, configuration: configuration)
        for vector in clustered(3000, dimension: 160, seed: 61) { _ = index.insert(vector) }

        try index.build(threads: 4)

        #expect(recall(of: index, clustered(50, dimension: 160, seed: 62), ef: 200) >= 0.99)
    }

    @Test("stays as good and as small through ten rounds of deleting and adding a third", arguments: configurations)
    func survivesTurnover(configuration: IndexConfiguration) {
        let dimension = 160
        let universe = clustered(2000 * 5, dimension: dimension, seed: 63)
        let queries = clustered(50, dimension: dimension, seed: 64)
        let index = makeIndex(configuration, .cosine, [], dimension: dimension)
        var rows: [Row] = universe.prefix(1500).map { index.insert($0) }
        index.build()
        let before = recall(of: index, queries)
        // One round, so that there is room for rows that wait to be let go.
        var next = 1500
        var sizes: [Int] = []
        var random = SplitMix(seed: 65)
        for _ in 0..<10 {
            rows.shuffle(using: &random)
            for row in rows.prefix(500) { index.release(row) }
            rows.removeFirst(500)
            index.build()
            for vector in universe[next..<next + 500] { rows.append(index.insert(vector)) }
            next += 500
            index.build()
            sizes.append(index.statistics.bytes + index.store.statistics.bytes)
        }

        let after = recall(of: index, queries)
        #expect(after >= before - 0.02, "\(before) became \(after)")
        #expect(index.statistics.indexed == 1500)
        #expect(Double(sizes.last!) <= Double(sizes.first!) * 1.05, "\(sizes)")
    }

    @Test("links lead to every row that is left when half of them are forgotten", arguments: [4, 24])
    func leadsToAll(dimension: Int) throws {
        var random = SplitMix(seed: 71)
        let driver = IndexDriver(.hnsw, .l2, (0..<3000).map { _ in random.vector(dimension) }, [.efConstruction: 40, .m: 4])
        let graph = try #require(driver.index as? HNSWIndex)
        for _ in 0..<3 {
            var rows: [Row] = []
            driver.rows.forEach { rows.append($0) }
            driver.remove(Array(rows.shuffled(using: &random).prefix(rows.count / 2)))

            var unled = driver.rows
            driver.rows.forEach { row in
                let list = graph.links(of: row.rawValue, on: 0)
                for index in 0..<Int(list[0]) { unled.remove(Row(list[1 + index])) }
            }
            #expect(unled.count == 0, "of \(driver.rows.count)")
        }
    }

    @Test("gives each row once when nearly all of the graph is dead, however many candidates it keeps", arguments: configurations)
    func fewAmongDead(configuration: IndexConfiguration) {
        let vectors = clustered(1000, dimension: 160, seed: 66)
        let index = makeIndex(configuration, .l2, [], dimension: 160)
        let rows = vectors.map { index.insert($0) }
        index.build()
        let query = vectors[0]
        let live = Set(rows.indices.filter { $0 % 40 == 0 }.map { rows[$0] })
        for row in rows where !live.contains(row) { index.release(row) }

        // More each time than the scratch has room for.
        for ef in stride(from: 500, through: 4000, by: 500) {
            let outcome = index.search(query.span, SearchRequest(count: live.count, ef: ef))
            let found = outcome.neighbors.map(\.row)
            #expect(found.count == live.count && Set(found) == live, "ef \(ef): \(found)")
            #expect(outcome.index == .hnsw)
        }
    }

    @Test("finds what a filter lets through, few or many, near the query or far from it", arguments: configurations)
    func findsFiltered(configuration: IndexConfiguration) {
        let vectors = clustered(6000, dimension: 160, seed: 66)
        let index = makeIndex(configuration, .cosine, vectors, dimension: 160)
        let queries = clustered(30, dimension: 160, seed: 67)
        var random = SplitMix(seed: 68)
        for share in [0.5, 0.3, 0.1, 0.01, 0.001] {
            let scattered = RowSet((0..<6000).filter { _ in Double.random(in: 0..<1, using: &random) < share }.map { Row($0) })
            // Whole clusters, so that rows are eligible together: near to some queries and far from the others.
            let together = RowSet((0..<6000).filter { Double($0 % 30) < 30 * share }.map { Row($0) })
            for filter in [scattered, together] {
                #expect(recall(of: index, queries, filter: filter) >= 0.95, "share \(share)")
            }
        }
    }

    @Test("of vectors is as good when its many rows are linked by codes, which are gone afterwards")
    func isBuiltByCodes() {
        let vectors = clustered(9000, dimension: 24, seed: 69)
        let chosen: [IndexParameter: Int] = [.m: 8, .efConstruction: 40]
        let index = IndexedVectors(dimension: 24, metric: .l2, configuration: IndexConfiguration(.hnsw, chosen: chosen))
        for vector in vectors { _ = index.insert(vector) }
        let before = index.store.statistics.bytes
        var most = 0
        while let work = index.beginWork() {
            work.run()
            // Rows that come and go meanwhile.
            index.release(index.insert([Float](repeating: Float(most % 7), count: 24)))
            most = max(most, index.store.statistics.bytes)
            index.finishWork(work)
        }

        #expect(most >= before + 9000 * 24, "codes were kept")
        #expect(index.store.statistics.bytes < before + 9000 * 4)
        #expect(index.statistics.indexed == 9000)
        #expect(recall(of: index, clustered(50, dimension: 24, seed: 70), ef: 100) >= 0.97)
    }
}
