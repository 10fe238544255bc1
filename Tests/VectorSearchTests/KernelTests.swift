import CVectorKernels
import TestSupport
import Testing

@testable import VectorSearch

@Suite("Kernels")
struct KernelTests {
    /// Distances from the query to rows that start at an odd place in memory, with space between them.
    private func distances(
        _ set: InstructionSet, _ metric: Metric, _ query: [Float], _ rows: [[Float]], gap: Int = 0, shift: Int = 0
    ) -> [Float] {
        let dimension = query.count
        // What lies between rows must not matter.
        let memory = [Float](repeating: .nan, count: shift) + rows.flatMap { $0 + [Float](repeating: .nan, count: gap) }
        let inverseNorms = rows.map { Float(1 / VectorStore.norm(of: $0.span)) }
        let norm = VectorStore.norm(of: query.span)
        let prepared = metric == .cosine ? query.map { Float(Double($0) / norm) } : query
        var distances = [Float](repeating: .nan, count: rows.count + 1)
        memory.withUnsafeBufferPointer { memory in
            prepared.withUnsafeBufferPointer { prepared in
                inverseNorms.withUnsafeBufferPointer { inverseNorms in
                    // With no rows there is no norm to read, and no table.
                    guard let norms = inverseNorms.baseAddress, let table = memory.baseAddress else { return }
                    var block = quire_block(
                        query: prepared.baseAddress!, query_scale: 1, table: table + shift, inverse_norms: norms,
                        stride: dimension + gap, dimension: dimension, ids: nil, count: rows.count)
                    quire_distances(set.kernel, metric.kernel, &block, &distances)
                }
            }
        }
        #expect(distances.last?.isNaN == true, "wrote past the last distance")
        return distances.dropLast()
    }

    @Test("agree with the definition in Double", arguments: InstructionSet.supported, Metric.allCases)
    func agreeWithTheDefinition(set: InstructionSet, metric: Metric) {
        let seed: UInt64 = 21
        var random = SplitMix(seed: seed)
        for dimension in Array(1...70) + [384, 1024] {
            let query = random.vector(dimension)
            let rows = (0..<9).map { _ in random.vector(dimension) }
            for count in dimension <= 70 ? 0...9 : 7...9 {
                let computed = distances(
                    set, metric, query, Array(rows.prefix(count)), gap: dimension % 4, shift: 1 + count % 3)

                #expect(computed.count == count)
                for (value, row) in zip(computed, rows) {
                    let truth = distance(metric, query, row)
                    #expect(abs(Double(value) - truth) <= 4e-6 * max(1, abs(truth)), "\(dimension) × \(count), seed \(seed)")
                }
            }
        }
    }

    @Test("give equal rows bit-identical distances wherever they are", arguments: InstructionSet.supported, Metric.allCases)
    func areBlindToPosition(set: InstructionSet, metric: Metric) {
        var random = SplitMix(seed: 22)
        for dimension in [1, 3, 15, 16, 17, 31, 33, 100, 384] {
            let query = random.vector(dimension)
            let row = random.vector(dimension)
            let alone = distances(set, metric, query, [row])[0]
            for count in 1...9 {
                for position in 0..<count {
                    var rows = (0..<count).map { _ in random.vector(dimension) }
                    rows[position] = row

                    let computed = distances(set, metric, query, rows, gap: count % 2, shift: position % 5)

                    #expect(computed[position].bitPattern == alone.bitPattern)
                }
            }
        }
    }

    @Test("keep cosine distances between 0 and 2", arguments: InstructionSet.supported)
    func clamp(set: InstructionSet) {
        var random = SplitMix(seed: 23)
        for _ in 0..<300 {
            let row = random.vector(37)
            let computed = distances(set, .cosine, row, [row, row.map(-)])

            #expect((0...1e-6).contains(computed[0]))
            #expect((1.999999...2).contains(computed[1]))
        }
    }

    @Test("give no negative zero", arguments: InstructionSet.supported)
    func avoidNegativeZero(set: InstructionSet) {
        let computed = distances(set, .dot, [0, 0, 0], [[1, -2, 3], [0, 0, 0]])

        #expect(computed.map(\.bitPattern) == [0, 0])
    }

    @Test("always include plain C, and the best set is one that the machine has")
    func areChosen() {
        #expect(InstructionSet.supported.first == .plain)
        #expect(InstructionSet.supported.last == .best)
    }
}
