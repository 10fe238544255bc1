import Glibc

/// BM25: what a term adds to the score of a text that has it (Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond,
/// 2009, equations 3.15 to 3.17).
///
///     idf · tf · (k1 + 1) / (tf + k1 · (1 − b + b · length / average length))
///
/// with Lucene's idf, ln(1 + (N − n + 0.5) / (n + 0.5)), which is positive for terms that most texts have. N is the number of texts, n that of
/// texts with the term; a length is the number of terms, without stop words. (The Lucene of today leaves out k1 + 1, which changes no order.)
struct TermWeight {
    private let factor: Float
    private let constant: Float
    private let ofLength: Float

    /// - Parameters:
    ///   - slotsWithTerm: n.
    ///   - occurrences: how often the query has the term; each counts.
    init(slotsWithTerm: Int, slotCount: Int, totalLength: Int, occurrences: Int, _ options: TextOptions) {
        let (n, total) = (Double(slotsWithTerm), Double(slotCount))
        let idf = log1p((total - n + 0.5) / (n + 0.5))
        factor = Float(idf * (options.k1 + 1) * Double(occurrences))
        constant = Float(options.k1 * (1 - options.b))
        // Where there is a posting, the total is positive.
        ofLength = Float(options.k1 * options.b * total / Double(max(totalLength, 1)))
    }

    @inline(__always)
    func score(frequency: UInt16, length: UInt32) -> Float {
        let frequency = Float(frequency)
        return factor * frequency / (frequency + (constant + ofLength * Float(Int32(truncatingIfNeeded: length))))
    }
}
