/// Vectors of one dimension, one after another in one block.
package struct Embeddings: Sendable, Equatable {
    package let dimension: Int
    package let values: [Float]
    /// What the model read of the texts, in its tokens, the marks at the ends of a text included; 0 if its provider does not say.
    package let tokens: Int

    package init(dimension: Int, values: [Float], tokens: Int = 0) {
        precondition(dimension > 0 && values.count.isMultiple(of: dimension), "values are whole vectors")
        self.dimension = dimension
        self.values = values
        self.tokens = tokens
    }

    package var count: Int { values.count / dimension }

    /// The vector of the text at `position`. The slice shares the block: keep a copy, not the slice, of what outlives it.
    package subscript(_ position: Int) -> ArraySlice<Float> {
        values[position * dimension..<(position + 1) * dimension]
    }
}
