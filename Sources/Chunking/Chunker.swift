/// Divides a text into chunks that a model can read as a whole.
///
/// A chunk is filled with whole sentences or whole words as long as they fit, and the next one begins with the last of them again,
/// as far as the overlap allows. Chunks are in the order of the text, begin and end with something else than white space, and
/// together have everything of it that is not white space; none lies within another.
package struct Chunker: Sendable {
    /// What is not divided as long as it fits into a chunk of its own.
    package enum Strategy: String, Sendable, CaseIterable {
        /// Sentences, as `SentenceScanner` finds them; one that does not fit is divided between words.
        case sentence
        /// Words; one that does not fit is divided between characters.
        case fixed
    }

    /// Fewer tokens may be less than one character has.
    package static let tokenLimits = 8...1_000_000

    private let strategy: Strategy
    private let limits: ChunkLimits
    private let overlap: Int

    /// - Parameters:
    ///   - maxTokens: of one chunk.
    ///   - overlap: the most tokens that a chunk repeats of the one before; what would be more is not repeated in part.
    ///   - maxLength: of one chunk, in Unicode scalars.
    package init(
        strategy: Strategy = .sentence, maxTokens: Int, overlap: Int = 0, maxLength: Int = .max
    ) throws(ChunkingError) {
        precondition(maxLength > 0, "a chunk has at least one character")
        guard Self.tokenLimits.contains(maxTokens) else { throw .maxTokensOutOfRange(accepted: Self.tokenLimits) }
        guard (0..<maxTokens).contains(overlap) else { throw .overlapOutOfRange(accepted: 0..<maxTokens) }
        self.strategy = strategy
        self.overlap = overlap
        limits = ChunkLimits(tokens: maxTokens, length: maxLength)
    }

    /// The chunks of `text`; none if it is white space only. Takes time in proportion to the text and its overlaps.
    ///
    /// - Parameters:
    ///   - limit: more chunks are an error, found before the rest of the text is read.
    ///   - countTokens: the tokens of a part of the text. It is asked for sentences and words and the results are added, so a text
    ///     may not have more tokens than its parts together where it is divided at white space, beside punctuation or between two
    ///     ideographs. Of every tokenizer that begins by separating words this is true.
    package func chunks(
        of text: String, atMost limit: Int = .max, countingTokens countTokens: @escaping (Substring) -> Int
    ) throws(ChunkingError) -> [TextChunk] {
        let measured = MeasuredText(text: text, limits: limits, countTokens: countTokens)
        var segments: any IteratorProtocol<Segment> =
            switch strategy {
            case .sentence: Sentences(of: measured)
            case .fixed: Words(of: measured)
            }
        var packer = Packer(limits: limits, overlap: overlap)
        var chunks: [TextChunk] = []
        func append(_ full: Segment) throws(ChunkingError) {
            guard chunks.count < limit else { throw .tooManyChunks(limit: limit) }
            chunks.append(TextChunk(full, of: measured))
        }
        while let segment = segments.next() {
            if let full = packer.add(segment) { try append(full) }
        }
        if let last = packer.finish() { try append(last) }
        return chunks
    }
}

extension TextChunk {
    fileprivate init(_ segment: Segment, of text: MeasuredText) {
        self.text = String(text[segment.start, segment.end])
        utf8Offsets = segment.start.utf8..<segment.end.utf8
        scalarOffsets = segment.start.scalar..<segment.end.scalar
    }
}
