/// What a search asks for.
package struct SearchQuery: Sendable {
    package enum Mode: String, CaseIterable, Sendable {
        /// By the distance of vectors.
        case vector
        /// By the words of texts: BM25.
        case keyword
        /// By both, made one list.
        case hybrid
    }

    /// How two lists become one.
    package enum Fusion: Sendable, Equatable {
        /// By the places in both alone.
        case reciprocalRank(k: Double)
        /// By the scores in both, the best of each as 1.
        case weighted
    }

    package var mode: Mode
    /// Valid for the library; of a keyword search, nothing.
    package var vector: [Float]
    /// What made it, if that was the library's model; nil: whoever asks did.
    package var source: EmbeddingSource?
    /// Of a vector search, nothing.
    package var text = ""
    package var count: Int
    /// So many of the best are left out.
    package var offset = 0
    /// Chunks farther than this are not in the list by vectors; equal is near enough.
    package var threshold: Float?
    /// The candidates that a graph keeps, if not as configured.
    package var ef: Int?
    /// Whether every chunk must be considered.
    package var isExact = false
    /// Which chunks are meant; nil: all.
    package var filter: Filter?
    /// Of each document the best chunk alone.
    package var groupsByDocument = false
    package var fusion = Fusion.weighted
    /// How much results that say the same as better ones stand back, from 0 (not at all) to 1.
    package var diversity: Float = 0
    /// How many chunks before and behind each that is found make a passage with it; nil: no passages.
    package var expansion: (before: Int, after: Int)?
    package var vectorWeight = 1.0
    package var keywordWeight = 1.0
    package var withEmbeddings = false

    package init(_ mode: Mode = .vector, vector: [Float] = [], text: String = "", count: Int) {
        self.mode = mode
        self.vector = vector
        self.text = text
        self.count = count
    }
}
