import Testing
import VectorSearch

@Suite("Validation")
struct ValidationTests {
    private func problem(_ vector: [Float], _ metric: Metric = .l2, dimension: Int? = nil) -> VectorProblem? {
        VectorStore.validate(vector.span, metric: metric, dimension: dimension ?? vector.count)
    }

    @Test("accepts ordinary vectors", arguments: Metric.allCases)
    func acceptsOrdinary(metric: Metric) {
        #expect(problem([0.5, -3, 0, 1e-20, 2], metric) == nil)
    }

    @Test("names the expected and the actual dimension")
    func refusesDimension() {
        #expect(problem([1, 2], dimension: 3) == .dimensionMismatch(expected: 3, actual: 2))
        #expect(problem([], dimension: 3) == .dimensionMismatch(expected: 3, actual: 0))
    }

    @Test("names the first component that is not finite", arguments: Metric.allCases)
    func refusesNonFinite(metric: Metric) {
        #expect(problem([1, 2, 3, 4, .nan, .infinity], metric) == .notFinite(index: 4))
        #expect(problem([1, -.infinity, 3], metric) == .notFinite(index: 1))
        #expect(problem([0, 0, 0, 0, 0, .nan], metric) == .notFinite(index: 5))
    }

    @Test("refuses the zero vector under cosine only")
    func refusesZero() {
        #expect(problem([0, -0.0], .cosine) == .zeroVector)
        #expect(problem([0, 0], .dot) == nil)
        #expect(problem([0, 0], .l2) == nil)
    }

    @Test("refuses a norm whose reciprocal is infinite under cosine only")
    func refusesTiny() {
        let tiny = Float.leastNonzeroMagnitude
        guard case .normTooSmall(let norm, let limit) = problem([tiny, 0], .cosine) else {
            Issue.record("accepted")
            return
        }
        #expect(norm == Double(tiny))
        #expect(norm < limit)
        #expect(problem([Float(limit).nextUp], .cosine) == nil)
        #expect(problem([tiny, 0], .dot) == nil)
        #expect(problem([tiny, 0], .l2) == nil)
    }

    @Test("refuses a norm whose square could overflow", arguments: Metric.allCases)
    func refusesHuge(metric: Metric) {
        #expect(problem([Float(9e18).nextDown, 0], metric) == nil)
        #expect(problem([.greatestFiniteMagnitude], metric) == .normTooLarge(norm: Double(Float.greatestFiniteMagnitude), limit: 9e18))
        #expect(problem(Array(repeating: 1e18, count: 82), metric) != nil)
        #expect(problem(Array(repeating: 1e18, count: 80), metric) == nil)
    }
}

@Suite("Extremes")
struct ExtremesTests {
    static let dimension = 67

    /// Vectors that validation lets through only just.
    static let vectors: [[Float]] = {
        let large = Float((9e18 / Double(dimension).squareRoot()).nextDown) * 0.999_999
        let alternating = (0..<dimension).map { Float($0 % 2 == 0 ? 1 : -1) }
        let single: (Float) -> [Float] = { value in (0..<dimension).map { $0 == 66 ? value : 0 } }
        let tiny = Float(1 / Double(Float.greatestFiniteMagnitude)).nextUp
        let mixed = (0..<dimension).map { Float($0 % 3 == 0 ? 1e18 : $0 % 3 == 1 ? -1e-30 : Float.leastNonzeroMagnitude) }
        let vectors: [[Float]] = [
            alternating.map { $0 * large }, alternating.map { $0 * -large }, Array(repeating: large, count: dimension),
            Array(repeating: -large, count: dimension), single(8.9e18), single(-8.9e18), single(tiny), single(-tiny),
            alternating.map { $0 * tiny }, alternating.map { $0 * Float.leastNormalMagnitude }, alternating,
            Array(repeating: 1e-20, count: dimension), mixed, mixed.map(-), mixed.reversed(),
        ]
        return vectors
    }()

    @Test("never give a distance that is infinite or not a number", arguments: InstructionSet.supported, Metric.allCases)
    func stayFinite(set: InstructionSet, metric: Metric) {
        for quantization in Quantization.allCases { stayFinite(set, metric, quantization) }
    }

    private func stayFinite(_ set: InstructionSet, _ metric: Metric, _ quantization: Quantization) {
        for vector in Self.vectors {
            #expect(VectorStore.validate(vector.span, metric: metric, dimension: Self.dimension) == nil)
        }
        let index = makeIndex(
            IndexConfiguration(.bruteForce, quantization: quantization), metric, Self.vectors, dimension: Self.dimension,
            instructionSet: set)
        for query in Self.vectors {
            let found = index.search(query, count: 100).neighbors

            #expect(found.count == Self.vectors.count)
            #expect(found.allSatisfy { $0.distance.isFinite })
            for neighbor in found {
                let truth = distance(metric, query, Self.vectors[Int(neighbor.row.rawValue)])
                #expect(abs(Double(neighbor.distance) - truth) <= 1e-4 * max(1, abs(truth)))
            }
        }
    }
}
