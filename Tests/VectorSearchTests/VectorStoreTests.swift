import TestSupport
import Testing
import VectorSearch

@Suite("Vector store")
struct VectorStoreTests {
    @Test("keeps every vector bit for bit as it was sent", arguments: [1, 3, 16, 17, 384, 1024])
    func keepsBits(dimension: Int) {
        var random = SplitMix(seed: 31)
        let store = VectorStore(dimension: dimension, metric: .l2)
        var vectors = (0..<200).map { _ in random.vector(dimension) }
        vectors.append((0..<dimension).map { _ in -0.0 })
        vectors.append((0..<dimension).map { _ in .leastNonzeroMagnitude })

        let rows = vectors.map { store.insert($0) }

        for (row, vector) in zip(rows, vectors) {
            #expect(store.copyVector(row).map(\.bitPattern) == vector.map(\.bitPattern))
        }
    }

    @Test("gives equal vectors one row and counts their references")
    func sharesRows() {
        let store = VectorStore(dimension: 2, metric: .l2)
        let vector: [Float] = [1, 0]

        let row = store.insert(vector)
        #expect(store.insert(vector) == row)

        #expect(store.referenceCount(of: row) == 2)
        #expect(store.statistics.uniqueVectors == 1)
        #expect(store.statistics.totalReferences == 2)
        #expect(!store.release(row))
        #expect(store.contains(row))
        #expect(store.release(row))
        #expect(!store.contains(row))
        #expect(store.statistics.totalReferences == 0)
    }

    @Test("takes vectors for equal only if their bits are")
    func comparesBits() {
        let store = VectorStore(dimension: 2, metric: .l2)
        let zero: [Float] = [1, 0]
        let negativeZero: [Float] = [1, -0.0]

        #expect(store.insert(zero) != store.insert(negativeZero))
    }

    @Test("reuses a free row before it takes a new one, and forgets what was there")
    func reusesRows() {
        let store = VectorStore(dimension: 1, metric: .l2)
        let vectors: [[Float]] = (0..<10).map { [Float($0)] }
        for vector in vectors { _ = store.insert(vector) }
        #expect(store.release(Row(4)))
        #expect(store.release(Row(6)))
        #expect(store.release(Row(8)))
        #expect(store.statistics.freeRows == 0)
        store.reclaim(Row(4))
        store.reclaim(Row(6))
        #expect(store.statistics.freeRows == 2)
        #expect(store.statistics.uniqueVectors == 7)
        #expect(store.copyVector(Row(4)) == [4], "readable until it is reused")

        let newcomers: [[Float]] = [[100], [101], [4]]
        let rows = newcomers.map { store.insert($0) }

        #expect(Set(rows.prefix(2)) == [Row(4), Row(6)])
        #expect(rows[2] == Row(10), "the old vector of row 4 is gone")
        #expect(store.statistics.freeRows == 0)
        #expect(Array(store.liveRows) == (0...10).filter { $0 != 8 }.map { Row($0) }, "what was not reclaimed is not used again")
    }

    @Test("keeps vectors where they are until room is made, and as they are then", arguments: [3, 200])
    func staysWithinRoom(dimension: Int) {
        var random = SplitMix(seed: 32)
        let store = VectorStore(dimension: dimension, metric: .dot)
        let address = { store.withVector(Row(0)) { $0.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress!) } } }
        var vectors: [[Float]] = []
        // Past what is small enough for malloc, and past where pages become huge.
        for _ in 0..<6000 {
            if !store.hasRoom(for: 1) { store.makeRoom(for: 1) }
            vectors.append(random.vector(dimension))
            let before = vectors.count > 1 ? address() : nil
            _ = store.insert(vectors.last!)
            #expect(before == nil || address() == before)
        }

        #expect(vectors.indices.allSatisfy { store.copyVector(Row(UInt32($0))) == vectors[$0] })
    }

    @Test("costs at most 5 % more than the vectors, and next to nothing when it is small")
    func isCompact() {
        var random = SplitMix(seed: 33)
        let store = VectorStore(dimension: 384, metric: .cosine)
        #expect(store.statistics.bytes == 0)

        for number in 1...5120 {
            var vector = [Float](repeating: 1, count: 384)
            vector[number % 384] = Float.random(in: 2...3, using: &random)
            _ = store.insert(vector)
            if number == 1 { #expect(store.statistics.bytes < 17 << 10) }
        }

        let statistics = store.statistics
        #expect(statistics.uniqueVectors == 5120)
        #expect(statistics.capacity == 5120)
        #expect(Double(statistics.bytes) <= 1.05 * Double(5120 * 384 * 4))
    }

    @Test("agrees with a dictionary through random insertions and releases", arguments: [1, 5, 16, 300], Metric.allCases)
    func agreesWithModel(dimension: Int, metric: Metric) {
        let seed = UInt64(dimension)
        var random = SplitMix(seed: seed)
        let universe = (0..<150).map { _ in random.vector(dimension) }
        let store = VectorStore(dimension: dimension, metric: metric)
        var model: [[Float]: (row: Row, count: Int)] = [:]
        var highest = 0

        for step in 0..<3000 {
            let vector = universe.randomElement(using: &random)!
            // The tide changes, so that the store is nearly full and nearly empty in turn.
            if Int.random(in: 0..<10, using: &random) < (step / 500 % 2 == 0 ? 7 : 3) {
                let row = store.insert(vector)
                if let known = model[vector] {
                    #expect(row == known.row, "seed \(seed), step \(step)")
                    model[vector] = (row, known.count + 1)
                } else {
                    #expect(!model.values.contains { $0.row == row }, "seed \(seed), step \(step)")
                    model[vector] = (row, 1)
                }
            } else if let known = model[vector] {
                let isLast = store.release(known.row)
                #expect(isLast == (known.count == 1), "seed \(seed), step \(step)")
                if isLast { store.reclaim(known.row) }
                model[vector] = known.count == 1 ? nil : (known.row, known.count - 1)
            }
            highest = max(highest, model.count)

            let statistics = store.statistics
            #expect(statistics.uniqueVectors == model.count)
            #expect(statistics.totalReferences == model.values.reduce(0) { $0 + $1.count })
            #expect(statistics.freeRows == highest - model.count, "a new row is taken only if none is free")
        }

        #expect(!model.isEmpty)
        #expect(Array(store.liveRows) == model.values.map(\.row).sorted())
        for (vector, known) in model {
            #expect(store.copyVector(known.row) == vector)
            #expect(store.referenceCount(of: known.row) == known.count)
        }
    }

    @Test("knows no rows that it never gave out")
    func knowsItsRows() {
        let store = VectorStore(dimension: 3, metric: .l2)

        #expect(store.referenceCount(of: Row(rawValue: 0)) == 0)
        #expect(!store.contains(Row(.max)))
        #expect(Array(store.liveRows).isEmpty)
        #expect(store.statistics == VectorStore(dimension: 3, metric: .dot).statistics)
    }

    @Test("stops rather than store a vector that was not validated")
    func refusesInvalid() async {
        await #expect(processExitsWith: .failure) {
            let vector: [Float] = [1, .nan]
            _ = VectorStore(dimension: 2, metric: .l2).insert(vector)
        }
        await #expect(processExitsWith: .failure) {
            let vector: [Float] = [0, 0]
            _ = VectorStore(dimension: 2, metric: .cosine).insert(vector)
        }
    }

    @Test("stops rather than release a free row")
    func refusesDoubleRelease() async {
        await #expect(processExitsWith: .failure) {
            let vector: [Float] = [1, 2]
            let store = VectorStore(dimension: 2, metric: .l2)
            let row = store.insert(vector)
            _ = store.release(row)
            _ = store.release(row)
        }
    }
}
