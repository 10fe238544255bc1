import CVectorKernels

/// The instructions the kernels use. Distances are reproducible to the bit within one set, not between two.
package enum InstructionSet: String, CaseIterable, Sendable {
    case plain
    case avx2
    case avx512

    /// The sets this machine can run, narrowest first. `plain` is always one of them.
    package static let supported: [InstructionSet] = allCases.filter { quire_supports($0.kernel) }

    /// The widest set this machine can run.
    package static let best = supported.last!

    /// Writes the distances from `query` to `count` rows that start `stride` floats apart: one call of a kernel, for
    /// speed over several dozen rows at a time.
    ///
    /// The caller answers for the pointers: `query` and each row have `dimension` floats, `inverseNorms` (read under
    /// cosine only) and `distances` have `count`. Under cosine the query has norm 1. Nothing is kept.
    func computeDistances(
        _ metric: Metric, from query: UnsafePointer<Float>, to rows: UnsafePointer<Float>, stride: Int, count: Int,
        dimension: Int, inverseNorms: UnsafePointer<Float>, into distances: UnsafeMutablePointer<Float>
    ) {
        switch metric {
        case .cosine:
            quire_cosine_distances(kernel, query, rows, stride, count, dimension, inverseNorms, distances)
        case .dot:
            quire_dot_distances(kernel, query, rows, stride, count, dimension, distances)
        case .l2:
            quire_l2_distances(kernel, query, rows, stride, count, dimension, distances)
        }
    }

    private var kernel: quire_instruction_set {
        switch self {
        case .plain: QUIRE_PLAIN
        case .avx2: QUIRE_AVX2
        case .avx512: QUIRE_AVX512
        }
    }
}
