/// Vectors of one dimension, one after another in one block.
package struct Embeddings: Sendable, Equatable {
    package let dimension: Int
    package let values: [Float]

    package init(dimension: Int, values: [Float]) {
        precondition(dimension > 0 && values.count.isMultiple(of: dimension), "values are whole vectors")
        self.dimension = dimension
        self.values = values
    }

    package var count: Int { values.count / dimension }

    /// The vector of the text at `position`. The slice shares the block: keep a copy, not the slice, of what outlives it.
    package subscript(_ position: Int) -> ArraySlice<Float> {
        values[position * dimension..<(position + 1) * dimension]
    }
}
