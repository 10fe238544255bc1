/// What one chunk may have.
struct ChunkLimits {
    let tokens: Int
    /// In Unicode scalars.
    let length: Int
}

/// What is never divided between chunks: a sentence, a word, or a piece of one that is too long. Neither begins nor ends with
/// white space.
struct Segment {
    let start: TextPosition
    let end: TextPosition
    let tokens: Int
    /// It goes on with a word that the segment before has the beginning of. The two are never joined again: nobody knows how many
    /// tokens that would be.
    let isContinuation: Bool
}

/// A text whose parts can be measured in tokens.
struct MeasuredText {
    let text: String
    let limits: ChunkLimits
    let countTokens: (Substring) -> Int

    subscript(start: TextPosition, end: TextPosition) -> Substring {
        let utf8 = text.utf8
        return text[utf8.index(text.startIndex, offsetBy: start.utf8)..<utf8.index(text.startIndex, offsetBy: end.utf8)]
    }

    func segment(from start: TextPosition, to end: TextPosition, isContinuation: Bool = false) -> Segment {
        Segment(start: start, end: end, tokens: countTokens(self[start, end]), isContinuation: isContinuation)
    }

    /// Whether a segment fits into a chunk of its own.
    func fits(_ segment: Segment) -> Bool {
        segment.tokens <= limits.tokens && segment.end.scalar - segment.start.scalar <= limits.length
    }
}
