extension VectorStore {
    /// Two vectors of this norm that point in opposite directions are 1.8e19 apart; the square of that, 3.24e38, is
    /// the largest sum a kernel can meet and still below the largest `Float`, 3.40e38.
    static let largestNorm = 9e18

    /// Below this norm its reciprocal is infinite as a `Float`.
    static let smallestNormUnderCosine = 1 / Double(Float.greatestFiniteMagnitude)

    /// What is wrong with `vector`, or nil if it can be stored and searched for: then no distance it takes part in is
    /// infinite or NaN. Costs one pass.
    package static func validate(_ vector: Span<Float>, metric: Metric, dimension: Int) -> VectorProblem? {
        guard vector.count == dimension else { return .dimensionMismatch(expected: dimension, actual: vector.count) }
        let norm = norm(of: vector)
        // A `Double` holds the sum of squares of any finite floats, so only an infinity or NaN can have spoilt it.
        guard norm.isFinite else {
            return .notFinite(index: vector.indices.first { !vector[$0].isFinite }!)
        }
        return problem(withNorm: norm, metric: metric)
    }

    static func problem(withNorm norm: Double, metric: Metric) -> VectorProblem? {
        guard norm <= largestNorm else { return .normTooLarge(norm: norm, limit: largestNorm) }
        guard metric == .cosine else { return nil }
        guard norm > 0 else { return .zeroVector }
        guard norm >= smallestNormUnderCosine else {
            return .normTooSmall(norm: norm, limit: smallestNormUnderCosine)
        }
        return nil
    }

    /// The Euclidean norm, summed in `Double` in a fixed order.
    static func norm(of vector: Span<Float>) -> Double {
        // Four sums, because each addition waits for the one before it.
        var sums = SIMD4<Double>.zero
        var index = 0
        while index + 4 <= vector.count {
            let part = SIMD4<Double>(
                Double(vector[index]), Double(vector[index + 1]), Double(vector[index + 2]), Double(vector[index + 3]))
            sums += part * part
            index += 4
        }
        while index < vector.count {
            sums[0] += Double(vector[index]) * Double(vector[index])
            index += 1
        }
        return sums.sum().squareRoot()
    }
}
