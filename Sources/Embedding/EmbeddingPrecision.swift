/// The numbers a model in this process multiplies with. Vectors of either kind can be compared with each other: they differ by
/// less than 0.001 in cosine.
package enum EmbeddingPrecision: Sendable, Equatable, CaseIterable {
    /// `bfloat16` where the CPU multiplies them, else `float32`.
    case automatic
    /// As the weights are stored. They are used where the file is mapped, which costs no memory of this process.
    case float32
    /// Rounded to 8 bits of mantissa, sums in `float32`: twice as fast, and the rounded weights are kept in memory.
    case bfloat16
}
