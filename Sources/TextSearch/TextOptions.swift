/// How a library's texts are analysed and ranked.
package struct TextOptions: Equatable, Sendable {
    /// BM25: how much a word counts that a text has more than once. 0: no more than once.
    package var k1: Double
    /// BM25: how much the words of long texts count less. 0: not at all, 1: in proportion.
    package var b: Double
    /// Leaves English stop words out.
    package var stopWords: Bool
    /// Takes English words by their stems.
    package var stemmer: Bool

    package static let k1Range = 0.0...10.0
    package static let bRange = 0.0...1.0

    /// - Parameters:
    ///   - k1: in `k1Range`.
    ///   - b: in `bRange`.
    package init(k1: Double = 1.2, b: Double = 0.75, stopWords: Bool = true, stemmer: Bool = true) {
        precondition(Self.k1Range.contains(k1) && Self.bRange.contains(b), "k1 and b are in their ranges")
        (self.k1, self.b, self.stopWords, self.stemmer) = (k1, b, stopWords, stemmer)
    }

    /// Whether an index of texts analysed so answers for texts analysed as `other` says. `k1` and `b` matter to searches alone.
    package func analysesLike(_ other: TextOptions) -> Bool {
        stopWords == other.stopWords && stemmer == other.stemmer
    }
}
