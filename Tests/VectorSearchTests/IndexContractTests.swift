import TestSupport
import Testing
import VectorSearch

/// What every kind of index promises under every metric.
@Suite("Every index")
struct IndexContractTests {
    static let dimension = 16
    static let vectors: [[Float]] = {
        var random = SplitMix(seed: 11)
        return (0..<300).map { _ in random.unitVector(dimension) }
    }()

    @Test("gives neighbours in ascending order of distance, then row", arguments: IndexKind.allCases, Metric.allCases)
    func ordersNeighbors(kind: IndexKind, metric: Metric) {
        var random = SplitMix(seed: 12)
        let vectors = (0..<300).map { _ in random.integers(Self.dimension) }.distinct
        let (_, index) = makeIndex(kind, metric, vectors)
        let query = [Float](repeating: 1, count: Self.dimension)

        let found = index.search(query, count: vectors.count).neighbors

        #expect(found.count > 100)
        let pairs = Array(zip(found, found.dropFirst()))
        #expect(pairs.allSatisfy { $0 < $1 })
        #expect(pairs.contains { $0.distance == $1.distance }, "the ties that this is about")
    }

    @Test("cuts a tie at the end of the list by row", arguments: IndexKind.allCases, Metric.allCases)
    func cutsTies(kind: IndexKind, metric: Metric) {
        var random = SplitMix(seed: 13)
        let vectors = (0..<150).map { _ in random.integers(Self.dimension) }.distinct
        let (_, index) = makeIndex(kind, metric, vectors)
        let query = [Float](repeating: 1, count: Self.dimension)
        let all = index.search(query, count: vectors.count)

        #expect(all.neighbors.count == vectors.count)
        for count in 0...vectors.count {
            let some = index.search(query, count: count)
            guard some.exact && all.exact else { continue }
            #expect(some.neighbors == Array(all.neighbors.prefix(count)))
        }
    }

    @Test("never returns a removed row", arguments: IndexKind.allCases, Metric.allCases)
    func forgetsRemovedRows(kind: IndexKind, metric: Metric) {
        let (store, index) = makeIndex(kind, metric, Self.vectors)
        var left = Set(Self.vectors.indices.map { Row(UInt32($0)) })
        for number in Self.vectors.indices where number % 3 != 1 {
            let row = Row(UInt32(number))

            #expect(store.release(row))
            index.remove(row)
            left.remove(row)

            let found = index.search(Self.vectors[number], count: 300).neighbors
            #expect(!found.isEmpty)
            #expect(Set(found.map(\.row)).isSubset(of: left))
        }
        #expect(index.statistics.rows == left.count)
    }

    @Test("finds a row at once after it was inserted", arguments: IndexKind.allCases, Metric.allCases)
    func findsNewRows(kind: IndexKind, metric: Metric) {
        let (store, index) = makeIndex(kind, metric, [])
        for vector in Self.vectors {
            let row = store.insert(vector)
            index.insert(row)

            #expect(index.search(vector, count: 1).neighbors.first?.row == row)
        }
        #expect(index.statistics.rows == Self.vectors.count)
    }

    @Test("finds the vector that reused a row, not the one that left it", arguments: IndexKind.allCases, Metric.allCases)
    func followsReusedRows(kind: IndexKind, metric: Metric) {
        let (store, index) = makeIndex(kind, metric, Array(Self.vectors.prefix(100)))
        let removed = Row(40)
        _ = store.release(removed)
        index.remove(removed)
        let newcomer = Self.vectors[200]

        let row = store.insert(newcomer)
        index.insert(row)

        #expect(row == removed)
        let found = index.search(newcomer, count: 100).neighbors
        #expect(found.first?.row == row)
        #expect(found.count { $0.row == row } == 1)
        let old = index.search(Self.vectors[40], count: 1).neighbors
        #expect(old.first.map { $0.row != removed } == true)
    }

    @Test("gives a shared vector once", arguments: IndexKind.allCases, Metric.allCases)
    func givesSharedVectorsOnce(kind: IndexKind, metric: Metric) {
        let (store, index) = makeIndex(kind, metric, Array(Self.vectors.prefix(50)))
        let row = store.insert(Self.vectors[7])

        index.insert(row)

        #expect(row == Row(7))
        #expect(index.statistics.rows == 50)
        #expect(index.search(Self.vectors[7], count: 50).neighbors.count { $0.row == row } == 1)
    }

    @Test("gives all it has when asked for more", arguments: IndexKind.allCases, Metric.allCases)
    func givesAll(kind: IndexKind, metric: Metric) {
        let (_, index) = makeIndex(kind, metric, Array(Self.vectors.prefix(20)))

        let found = index.search(Self.vectors[0], count: .max).neighbors

        #expect(Set(found.map(\.row)) == Set((0..<20).map { Row($0) }))
        #expect(found.count == 20)
    }

    @Test("gives nothing when asked for nothing", arguments: IndexKind.allCases, Metric.allCases)
    func givesNothing(kind: IndexKind, metric: Metric) {
        let (_, index) = makeIndex(kind, metric, Self.vectors)

        #expect(index.search(Self.vectors[0], count: 0).neighbors.isEmpty)
    }

    @Test("gives nothing when it is empty, new or emptied", arguments: IndexKind.allCases, Metric.allCases)
    func servesWhenEmpty(kind: IndexKind, metric: Metric) {
        let (store, index) = makeIndex(kind, metric, [])
        let query = Self.vectors[0]
        #expect(index.search(query, count: 10).neighbors.isEmpty)

        let row = store.insert(query)
        index.insert(row)
        index.remove(row)

        #expect(index.search(query, count: 10).neighbors.isEmpty)
        #expect(index.statistics.rows == 0)
    }

    @Test("takes no offence at the removal of a row it does not have", arguments: IndexKind.allCases)
    func ignoresUnknownRows(kind: IndexKind) {
        let (_, index) = makeIndex(kind, .l2, Array(Self.vectors.prefix(3)))

        index.remove(Row(2))
        index.remove(Row(2))
        index.remove(Row(4_000_000))

        #expect(index.statistics.rows == 2)
    }

    @Test("gives the true distances, and the nearest rows if it says so", arguments: IndexKind.allCases, Metric.allCases)
    func agreesWithTheDefinition(kind: IndexKind, metric: Metric) throws {
        let seed: UInt64 = 14
        var random = SplitMix(seed: seed)
        for dimension in [1, 2, 7, 16, 33, 100] {
            let vectors = (0..<400).map { _ in random.vector(dimension) }.distinct
            let (_, index) = makeIndex(kind, metric, vectors, dimension: dimension)
            let query = random.vector(dimension)
            let truth = vectors.map { distance(metric, query, $0) }

            let outcome = index.search(query, count: 25)

            try #require(outcome.neighbors.count == 25)
            #expect(outcome.scored >= 25)
            for neighbor in outcome.neighbors {
                #expect(abs(Double(neighbor.distance) - truth[Int(neighbor.row.rawValue)]) < 2e-5, "seed \(seed)")
            }
            if outcome.exact {
                for (neighbor, best) in zip(outcome.neighbors, truth.sorted()) {
                    #expect(abs(Double(neighbor.distance) - best) < 2e-5, "seed \(seed)")
                }
            }
        }
    }

    @Test("gives the same answer every time it is built and asked", arguments: IndexKind.allCases, Metric.allCases)
    func isDeterministic(kind: IndexKind, metric: Metric) {
        let (_, first) = makeIndex(kind, metric, Self.vectors)
        let (_, second) = makeIndex(kind, metric, Self.vectors)
        for query in Self.vectors.prefix(20) {
            let answer = first.search(query, count: 10)

            #expect(answer.neighbors.count == 10)
            #expect(first.search(query, count: 10) == answer)
            #expect(second.search(query, count: 10) == answer)
        }
    }

    @Test("serves searches that run together", arguments: IndexKind.allCases, Metric.allCases)
    func servesTogether(kind: IndexKind, metric: Metric) async {
        // Sound because nothing changes while the tasks run, which is the condition the protocol states.
        nonisolated(unsafe) let index = makeIndex(kind, metric, Self.vectors).index
        let expected = Self.vectors.map { index.search($0, count: 10) }

        let answers = await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask { Self.vectors.map { index.search($0, count: 10) } }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }

        #expect(answers == Array(repeating: expected, count: 4))
    }

    @Test("agrees with a model through random changes", arguments: IndexKind.allCases, Metric.allCases)
    func followsChanges(kind: IndexKind, metric: Metric) {
        let seed: UInt64 = 15
        var random = SplitMix(seed: seed)
        let (store, index) = makeIndex(kind, metric, [])
        var model: [Row: [Float]] = [:]
        for _ in 0..<600 {
            if let victim = model.keys.sorted().randomElement(using: &random), Int.random(in: 0..<5, using: &random) < 2 {
                _ = store.release(victim)
                index.remove(victim)
                model[victim] = nil
            } else {
                let vector = random.unitVector(Self.dimension)
                let row = store.insert(vector)
                #expect(model.updateValue(vector, forKey: row) == nil, "seed \(seed)")
                index.insert(row)
            }
        }

        #expect(model.count > 50)
        #expect(index.statistics.rows == model.count)
        for (row, vector) in model {
            let found = index.search(vector, count: model.count).neighbors
            #expect(found.first?.row == row, "seed \(seed)")
            #expect(found.allSatisfy { model[$0.row] != nil }, "seed \(seed)")
        }
    }

    @Test("has a name on the wire and answers to it", arguments: IndexKind.allCases)
    func hasName(kind: IndexKind) {
        let (_, index) = makeIndex(kind, .cosine, [])

        #expect(index.kind == kind)
        #expect(index.statistics.kind == kind)
        #expect(IndexKind(rawValue: kind.rawValue) == kind)
    }
}

@Suite("Brute force")
struct BruteForceIndexTests {
    @Test("is exact and compares every row", arguments: Metric.allCases)
    func isExact(metric: Metric) {
        let (_, index) = makeIndex(.bruteForce, metric, IndexContractTests.vectors)

        let outcome = index.search(IndexContractTests.vectors[3], count: 5)

        #expect(outcome.exact)
        #expect(outcome.scored == 300)
        #expect(outcome.neighbors.first?.row == Row(3))
    }

    @Test("gives the same nearest rows with every instruction set", arguments: InstructionSet.supported, Metric.allCases)
    func servesEverySet(set: InstructionSet, metric: Metric) {
        let vectors = IndexContractTests.vectors
        let (_, index) = makeIndex(.bruteForce, metric, vectors, instructionSet: set)
        let (_, plain) = makeIndex(.bruteForce, metric, vectors, instructionSet: .plain)

        let rows = index.search(vectors[9], count: 20).neighbors.map(\.row)

        #expect(rows.count == 20)
        #expect(rows == plain.search(vectors[9], count: 20).neighbors.map(\.row))
    }

    @Test("costs a bit a row")
    func isSmall() {
        let (_, index) = makeIndex(.bruteForce, .cosine, IndexContractTests.vectors)

        #expect(index.statistics.bytes == 5 * 8)
    }
}
