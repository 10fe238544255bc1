/// The numbers a model in this process multiplies with. Vectors of either kind can be compared with each other: they differ by
/// less than 0.001 in cosine.
package enum EmbeddingPrecision: Sendable, Equatable, CaseIterable {
    /// `bfloat16` where the CPU multiplies them, else `float32`.
    case automatic
    /// As the weights are stored. The matrices are kept in memory, 42 MB of them, in the order that they are read in.
    case float32
    /// Rounded to 8 bits of mantissa, sums in `float32`: twice as fast, and half the memory.
    case bfloat16
}
