/// Why a text was not divided.
package enum ChunkingError: Error, Equatable {
    /// A chunk cannot have so few or so many tokens.
    case maxTokensOutOfRange(accepted: ClosedRange<Int>)
    /// Chunks that consist of overlap only would never come to the end of a text.
    case overlapOutOfRange(accepted: Range<Int>)
    /// The text has more chunks than the caller takes.
    case tooManyChunks(limit: Int)
}
