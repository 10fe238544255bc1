import CEmbeddingKernels

/// The sizes of a BERT encoder (Devlin et al. 2018, section 3).
struct BERTShape: Sendable, Equatable {
    let layers: Int
    /// Elements of a token's vector, and of the result.
    let width: Int
    /// Elements between the two linear layers of a feed-forward network.
    let innerWidth: Int
    /// Rows of the table of positions; a text may have fewer tokens.
    let positions: Int

    var heads: Int { width / Int(EMBEDDING_HEAD) }

    /// Of the linear layers of all layers.
    var matrixElements: Int { layers * (4 * width * width + 2 * width * innerWidth) }

    init(layers: Int, width: Int, innerWidth: Int, positions: Int) {
        let multiple = Int(EMBEDDING_ROW_MULTIPLE)
        precondition(width.isMultiple(of: multiple) && innerWidth.isMultiple(of: multiple), "the kernels work on whole blocks of a row")
        self.layers = layers
        self.width = width
        self.innerWidth = innerWidth
        self.positions = positions
    }

    static let miniLML6 = BERTShape(layers: 6, width: 384, innerWidth: 1536, positions: 512)
}
