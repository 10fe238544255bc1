import TestSupport
import Testing
import VectorSearch

/// What every kind of index promises under every metric, with all rows in the index and with rows in the tail.
@Suite("Every index")
struct IndexContractTests {
    static let dimension = 16
    static let vectors: [[Float]] = {
        var random = SplitMix(seed: 11)
        return (0..<300).map { _ in random.unitVector(dimension) }
    }()

    @Test("gives neighbours in ascending order of distance, then row", arguments: IndexConfiguration.all, Metric.allCases)
    func ordersNeighbors(configuration: IndexConfiguration, metric: Metric) {
        var random = SplitMix(seed: 12)
        let vectors = (0..<300).map { _ in random.integers(Self.dimension) }.distinct
        let index = makeIndex(configuration, metric, vectors)
        let query = [Float](repeating: 1, count: Self.dimension)

        let found = index.search(query, count: vectors.count).neighbors

        #expect(found.count == vectors.count)
        let pairs = Array(zip(found, found.dropFirst()))
        #expect(pairs.allSatisfy { $0 < $1 })
        #expect(pairs.contains { $0.distance == $1.distance }, "the ties that this is about")
    }

    @Test("cuts a tie at the end of the list by row", arguments: IndexConfiguration.exact, Metric.allCases)
    func cutsTies(configuration: IndexConfiguration, metric: Metric) {
        var random = SplitMix(seed: 13)
        let vectors = (0..<150).map { _ in random.integers(Self.dimension) }.distinct
        let index = makeIndex(configuration, metric, vectors)
        let query = [Float](repeating: 1, count: Self.dimension)
        let all = index.search(query, count: vectors.count)

        #expect(all.neighbors.count == vectors.count)
        for count in 0...vectors.count {
            let some = index.search(query, count: count)

            #expect(some.exact)
            #expect(some.neighbors == Array(all.neighbors.prefix(count)))
        }
    }

    @Test("never returns a released row", arguments: IndexConfiguration.all, Metric.allCases)
    func forgetsReleasedRows(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, Self.vectors)
        var left = Set(Self.vectors.indices.map { Row(UInt32($0)) })
        for number in Self.vectors.indices where number % 3 != 1 {
            index.release(Row(UInt32(number)))
            left.remove(Row(UInt32(number)))

            let found = index.search(Self.vectors[number], count: 300).neighbors
            #expect(Set(found.map(\.row)) == left)
            // The builder lets the rows go at some time.
            if number % 50 == 0 { index.build() }
        }
        index.build()
        #expect(index.statistics.indexed == left.count)
        #expect(Set(index.search(Self.vectors[0], count: 300).neighbors.map(\.row)) == left)
    }

    @Test("finds a row at once after it was inserted", arguments: IndexConfiguration.all, Metric.allCases)
    func findsNewRows(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, Array(Self.vectors.prefix(100)))
        for vector in Self.vectors.dropFirst(100) {
            let row = index.insert(vector)

            #expect(index.search(vector, count: 1).neighbors.first?.row == row)
        }
        let statistics = index.statistics
        #expect(statistics.indexed + statistics.pending == Self.vectors.count)
    }

    @Test("finds the vector that reused a row, not the one that left it", arguments: IndexConfiguration.all, Metric.allCases)
    func followsReusedRows(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, Array(Self.vectors.prefix(100)))
        for row in 0..<100 { index.release(Row(UInt32(row))) }
        index.build()

        let rows = Self.vectors[200..<220].map { index.insert($0) }

        #expect(rows.allSatisfy { $0.rawValue < 100 }, "rows are used again")
        for isBuilt in [false, true] {
            if isBuilt { index.build() }
            for (row, vector) in zip(rows, Self.vectors[200..<220]) {
                let found = index.search(vector, count: 100).neighbors
                #expect(found.first?.row == row)
                #expect(Set(found.map(\.row)) == Set(rows))
                #expect(found.count == rows.count)
            }
        }
    }

    @Test("gives a shared vector once, until its last reference is released", arguments: IndexConfiguration.all, Metric.allCases)
    func givesSharedVectorsOnce(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, Array(Self.vectors.prefix(50)))

        let row = index.insert(Self.vectors[7])

        #expect(row == Row(7))
        #expect(index.statistics.indexed == 50)
        #expect(index.search(Self.vectors[7], count: 50).neighbors.count { $0.row == row } == 1)
        index.release(row)
        #expect(index.search(Self.vectors[7], count: 50).neighbors.first?.row == row)
        index.release(row)
        #expect(!index.search(Self.vectors[7], count: 50).neighbors.contains { $0.row == row })
    }

    @Test("gives all it has when asked for more", arguments: IndexConfiguration.all, Metric.allCases)
    func givesAll(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, Array(Self.vectors.prefix(20)))

        let found = index.search(Self.vectors[0], count: .max).neighbors

        #expect(Set(found.map(\.row)) == Set((0..<20).map { Row($0) }))
        #expect(found.count == 20)
    }

    @Test("gives nothing when asked for nothing", arguments: IndexConfiguration.all, Metric.allCases)
    func givesNothing(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, Self.vectors)

        #expect(index.search(Self.vectors[0], count: 0).neighbors.isEmpty)
    }

    @Test("gives nothing when it is empty, new or emptied", arguments: IndexConfiguration.all, Metric.allCases)
    func servesWhenEmpty(configuration: IndexConfiguration, metric: Metric) {
        let index = makeIndex(configuration, metric, [])
        let query = Self.vectors[0]
        #expect(index.search(query, count: 10).neighbors.isEmpty)

        index.release(index.insert(query))
        #expect(index.search(query, count: 10).neighbors.isEmpty)
        let row = index.insert(query)
        index.build()
        index.release(row)

        for _ in 0..<2 {
            #expect(index.search(query, count: 10).neighbors.isEmpty)
            #expect(index.statistics.indexed == 0)
            index.build()
        }
        #expect(index.insert(query) == row)
        index.build()
        #expect(index.search(query, count: 10).neighbors.map(\.row) == [row])
    }

    @Test("gives the true distances, and the nearest rows if it says so", arguments: IndexConfiguration.all, Metric.allCases)
    func agreesWithTheDefinition(configuration: IndexConfiguration, metric: Metric) throws {
        let seed: UInt64 = 14
        var random = SplitMix(seed: seed)
        for dimension in [1, 2, 7, 16, 33, 100, 130] {
            let vectors = (0..<400).map { _ in random.vector(dimension) }.distinct
            let index = makeIndex(configuration, metric, vectors, dimension: dimension)
            let query = random.vector(dimension)
            let truth = vectors.map { distance(metric, query, $0) }

            let outcome = index.search(query, count: 25)

            try #require(outcome.neighbors.count == 25)
            #expect(outcome.scored >= 25)
            for neighbor in outcome.neighbors {
                #expect(abs(Double(neighbor.distance) - truth[Int(neighbor.row.rawValue)]) < 2e-5, "seed \(seed)")
            }
            #expect(outcome.exact || !configuration.kind.isExact)
            if outcome.exact {
                for (neighbor, best) in zip(outcome.neighbors, truth.sorted()) {
                    #expect(abs(Double(neighbor.distance) - best) < 2e-5, "seed \(seed)")
                }
            }
        }
    }

    @Test("gives the true answers when asked for exact ones", arguments: IndexConfiguration.all, Metric.allCases)
    func isExactWhenAsked(configuration: IndexConfiguration, metric: Metric) {
        let vectors = clustered(1500, dimension: 24, seed: 16)
        let index = makeIndex(configuration, metric, vectors, dimension: 24)
        let scan = makeIndex(IndexConfiguration(.bruteForce), metric, vectors, dimension: 24)
        for query in clustered(40, dimension: 24, seed: 17) {
            let outcome = index.search(query, count: 12, isExact: true)

            #expect(outcome.exact)
            #expect(outcome.neighbors == scan.search(query, count: 12).neighbors)
        }
    }

    @Test("keeps to a filter, and finds as many as it lets through", arguments: IndexConfiguration.all, Metric.allCases)
    func keepsToFilters(configuration: IndexConfiguration, metric: Metric) {
        let vectors = clustered(3000, dimension: 24, seed: 18)
        let index = makeIndex(configuration, metric, vectors, dimension: 24)
        var random = SplitMix(seed: 19)
        for share in [0.001, 0.01, 0.1, 0.5, 0.9] {
            let filter = RowSet((0..<3000).filter { _ in Double.random(in: 0..<1, using: &random) < share }.map { Row($0) })
            for count in [1, 10, 400] {
                let outcome = index.search(vectors[5], count: count, filter: filter)

                #expect(outcome.neighbors.count == min(count, filter.count))
                #expect(outcome.neighbors.allSatisfy { filter.contains($0.row) })
                #expect(Set(outcome.neighbors.map(\.row)).count == outcome.neighbors.count)
                #expect(outcome.filter.map { abs($0.selectivity - Double(filter.count) / 3000) < 1e-9 } == true)
            }
        }
        #expect(index.search(vectors[5], count: 5, filter: RowSet()).neighbors.isEmpty)
        #expect(index.search(vectors[5], count: 5, filter: RowSet([Row(4_000_000), Row(7)])).neighbors.map(\.row) == [Row(7)])
    }

    @Test("gives the same answer every time it is built and asked", arguments: IndexConfiguration.all, Metric.allCases)
    func isDeterministic(configuration: IndexConfiguration, metric: Metric) {
        let first = makeIndex(configuration, metric, Self.vectors)
        let second = makeIndex(configuration, metric, Self.vectors)
        for query in Self.vectors.prefix(20) {
            let answer = first.search(query, count: 10)

            #expect(answer.neighbors.count == 10)
            #expect(first.search(query, count: 10) == answer)
            #expect(second.search(query, count: 10) == answer)
        }
    }

    @Test("gives the same answers after it was written and read", arguments: IndexConfiguration.all, Metric.allCases)
    func isRestored(configuration: IndexConfiguration, metric: Metric) throws {
        let vectors = clustered(1200, dimension: 100, seed: 20)
        let index = makeIndex(configuration, metric, vectors, dimension: 100)
        guard let kept = index.indexImage()?.encoded() else { return }
        let restored = IndexedVectors(dimension: 100, metric: metric, configuration: configuration)
        for vector in vectors { _ = restored.insert(vector) }

        try restored.restoreIndex(kept)

        #expect(restored.statistics.pending == 0)
        for query in clustered(40, dimension: 100, seed: 21) {
            #expect(restored.search(query, count: 10) == index.search(query, count: 10))
        }
    }

    @Test("refuses bytes that are not an index, or serves with what they are", arguments: IndexConfiguration.all)
    func refusesGarbage(configuration: IndexConfiguration) throws {
        let vectors = clustered(300, dimension: 16, seed: 22)
        let index = makeIndex(configuration, .l2, vectors)
        guard let kept = index.indexImage()?.encoded() else { return }
        let seed: UInt64 = 23
        var random = SplitMix(seed: seed)
        var refused = 0
        for round in 0..<400 {
            var bytes = kept
            switch round % 4 {
            case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 1: bytes.append(contentsOf: [0, 0, 0, 0])
            case 2: bytes = bytes.map { _ in UInt8.random(in: .min ... .max, using: &random) }
            default: bytes[Int.random(in: bytes.indices, using: &random)] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
            }
            let restored = makeIndex(IndexConfiguration(.bruteForce, quantization: configuration.quantization), .l2, vectors)
            restored.reconfigure(configuration)
            do {
                try restored.restoreIndex(bytes)
            } catch {
                refused += 1
            }
            // Whatever was taken over, rows are rows and answers are in order.
            let found = restored.search(vectors[round % 300], count: 20).neighbors
            #expect(found.count == 20, "seed \(seed), round \(round)")
            #expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed), round \(round)")
        }
        #expect(refused >= 300)
    }

    @Test("refuses an index that has a row which it is not said to know", arguments: IndexConfiguration.all)
    func refusesUnknownRow(configuration: IndexConfiguration) throws {
        let vectors = clustered(300, dimension: 16, seed: 24)
        let index = makeIndex(configuration, .l2, vectors)
        // The number of rows, the rows, the index.
        guard let kept = index.indexImage()?.encoded() else { return }
        let bytes = withUnsafeBytes(of: UInt32(299).littleEndian, Array.init) + kept[4..<4 + 299 * 4] + kept[(4 + 300 * 4)...]
        let restored = makeIndex(IndexConfiguration(.bruteForce, quantization: configuration.quantization), .l2, vectors)
        restored.reconfigure(configuration)

        #expect(throws: IndexDecodingError.self) { try restored.restoreIndex(bytes) }

        // Taken over, the row would come in a second time, and be found twice.
        restored.build()
        let found = restored.search(vectors[299], count: 20).neighbors.map(\.row)
        #expect(found.distinct == found)
    }

    @Test("serves searches that run together", arguments: IndexConfiguration.all, Metric.allCases)
    func servesTogether(configuration: IndexConfiguration, metric: Metric) throws {
        // Sound because nothing changes while the threads run, which is the condition that the type states.
        nonisolated(unsafe) let index = makeIndex(configuration, metric, Self.vectors)
        let expected = Self.vectors.map { index.search($0, count: 10) }

        let answers = try onThreads(4) { _ in Self.vectors.map { index.search($0, count: 10) } }

        #expect(answers == Array(repeating: expected, count: 4))
    }

    @Test("agrees with a model through random changes and work", arguments: IndexConfiguration.all, Metric.allCases)
    func followsChanges(configuration: IndexConfiguration, metric: Metric) {
        let seed: UInt64 = 15
        var random = SplitMix(seed: seed)
        let index = makeIndex(configuration, metric, [])
        var model: [Row: [Float]] = [:]
        var work: IndexWork?
        for step in 0..<900 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                guard let victim = model.keys.sorted().randomElement(using: &random) else { continue }
                index.release(victim)
                model[victim] = nil
            case 4..<9:
                let vector = random.unitVector(Self.dimension)
                #expect(model.updateValue(vector, forKey: index.insert(vector)) == nil, "seed \(seed)")
            default:
                // Work is begun, done and finished at different times, with changes in between.
                if let begun = work {
                    if step % 7 == 0 { begun.cancel() }
                    begun.run()
                    index.finishWork(begun)
                    work = nil
                } else {
                    work = index.beginWork()
                }
            }
        }
        if let work {
            work.run()
            index.finishWork(work)
        }

        for isBuilt in [false, true] {
            if isBuilt { index.build() }
            #expect(model.count > 50)
            for (row, vector) in model {
                let found = index.search(vector, count: model.count).neighbors
                #expect(found.first?.row == row, "seed \(seed)")
                #expect(Set(found.map(\.row)) == Set(model.keys), "seed \(seed)")
            }
        }
        #expect(index.store.statistics.uniqueVectors == model.count)
    }

    @Test("becomes any other, and finds every row meanwhile", arguments: IndexConfiguration.all, IndexConfiguration.all)
    func becomesAnother(old: IndexConfiguration, new: IndexConfiguration) throws {
        let vectors = clustered(1300, dimension: 16, seed: 24)
        let index = makeIndex(old, .cosine, Array(vectors.prefix(1200)))
        var model = Dictionary(uniqueKeysWithValues: (0..<1200).map { (Row(UInt32($0)), vectors[$0]) })

        index.reconfigure(new)

        var newcomers = vectors.dropFirst(1200)
        func checkSome() {
            for row in model.keys.sorted().suffix(5) + model.keys.sorted().prefix(3) {
                #expect(index.search(model[row]!, count: 1).neighbors.first?.row == row)
            }
        }
        while let work = index.beginWork() {
            if let vector = newcomers.popFirst() {
                model[index.insert(vector)] = vector
                let victim = model.keys.min()!
                index.release(victim)
                model[victim] = nil
            }
            checkSome()
            work.run()
            index.finishWork(work)
            checkSome()
        }

        let statistics = index.statistics
        #expect(statistics.kind == new.kind)
        #expect(statistics.quantization == new.quantization)
        #expect(statistics.state == .ready)
        #expect(statistics.indexed == model.count)
        #expect(statistics.pending == 0)
        #expect(statistics.target == nil)
        if new.kind != .auto { #expect(statistics.active == new.kind) }
        #expect(Set(index.search(vectors[0], count: 2000).neighbors.map(\.row)) == Set(model.keys))
    }

    @Test("has a name on the wire and answers to it", arguments: IndexConfiguration.all)
    func hasName(configuration: IndexConfiguration) {
        let index = makeIndex(configuration, .cosine, Self.vectors)

        #expect(index.statistics.kind == configuration.kind)
        #expect(configuration.kind == .auto || index.search(Self.vectors[0], count: 1).index == configuration.kind)
        #expect(IndexKind(rawValue: configuration.kind.rawValue) == configuration.kind)
    }
}

@Suite("Brute force")
struct BruteForceTests {
    @Test("is exact and compares every row", arguments: Metric.allCases)
    func isExact(metric: Metric) {
        let index = makeIndex(IndexConfiguration(.bruteForce), metric, IndexContractTests.vectors)

        let outcome = index.search(IndexContractTests.vectors[3], count: 5)

        #expect(outcome.exact)
        #expect(outcome.scored == 300)
        #expect(outcome.neighbors.first?.row == Row(3))
    }

    @Test("gives the same nearest rows with every instruction set", arguments: InstructionSet.supported, Metric.allCases)
    func servesEverySet(set: InstructionSet, metric: Metric) {
        let vectors = IndexContractTests.vectors
        for quantization in IndexKind.bruteForce.quantizations {
            let index = makeIndex(IndexConfiguration(.bruteForce, quantization: quantization), metric, vectors, instructionSet: set)
            let plain = makeIndex(IndexConfiguration(.bruteForce), metric, vectors, instructionSet: .plain)

            let rows = index.search(vectors[9], count: 20).neighbors.map(\.row)

            #expect(rows.count == 20)
            #expect(rows == plain.search(vectors[9], count: 20).neighbors.map(\.row))
        }
    }

    @Test("by codes gives bit for bit the answers of the vectors", arguments: InstructionSet.supported, Metric.allCases)
    func isExactByCodes(set: InstructionSet, metric: Metric) {
        let seed: UInt64 = 25
        var random = SplitMix(seed: seed)
        for dimension in [1, 2, 3, 17, 64, 100, 384] {
            // Of all sizes, since a code's scale is its vector's own.
            let vectors = (0..<500).map { number in
                random.vector(dimension).map { $0 * [1e-20, 1e-3, 1, 1e6][number % 4] }
            }
            let coded = makeIndex(
                IndexConfiguration(.bruteForce, quantization: .int8), metric, vectors, dimension: dimension, instructionSet: set)
            let plain = makeIndex(IndexConfiguration(.bruteForce), metric, vectors, dimension: dimension, instructionSet: set)
            for _ in 0..<40 {
                let query = random.vector(dimension)

                let outcome = coded.search(query, count: 10)

                #expect(outcome.exact)
                #expect(outcome.neighbors == plain.search(query, count: 10).neighbors, "dimension \(dimension), seed \(seed)")
            }
        }
    }

    @Test("costs a few bits a row")
    func isSmall() {
        let index = makeIndex(IndexConfiguration(.bruteForce), .cosine, IndexContractTests.vectors)

        #expect(index.statistics.bytes == 2 * 5 * 8)
    }
}
