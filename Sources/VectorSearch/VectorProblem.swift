/// Why a vector cannot be stored or searched for. `VectorStore.validate` finds it; it is the only check a vector needs.
package enum VectorProblem: Error, Equatable, Sendable {
    case dimensionMismatch(expected: Int, actual: Int)
    /// The component at `index` (the first such) is infinite or not a number.
    case notFinite(index: Int)
    /// All components are zero, so under cosine there is no direction to compare.
    case zeroVector
    /// Under cosine: 1/norm exceeds the range of `Float`, so the direction is lost. `limit` is the smallest norm that serves.
    case normTooSmall(norm: Double, limit: Double)
    /// Squared distances could exceed the range of `Float`.
    case normTooLarge(norm: Double, limit: Double)
}
