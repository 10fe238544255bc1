/// Joins segments to chunks: as many as fit into one, beginning with the last ones of the chunk before.
///
/// Tokens are added up, never counted anew. The whole takes time in proportion to the segments of all chunks.
struct Packer {
    private let limits: ChunkLimits
    /// Tokens of the last segments of a chunk that the next one repeats, at most.
    private let overlap: Int
    /// The segments of the chunk that is being filled.
    private var filling: [Segment] = []
    private var tokens = 0

    init(limits: ChunkLimits, overlap: Int) {
        self.limits = limits
        self.overlap = overlap
    }

    /// Takes the next segment, which must fit by itself.
    /// - Returns: a chunk that is full, because the segment did not fit into it any more.
    mutating func add(_ segment: Segment) -> Segment? {
        let full = fits(segment, behind: filling[...], tokens: tokens) ? nil : joined
        if full != nil { keepOverlap(before: segment) }
        filling.append(segment)
        tokens += segment.tokens
        return full
    }

    /// The chunk that was being filled, if there is one.
    mutating func finish() -> Segment? {
        defer {
            filling = []
            tokens = 0
        }
        return joined
    }

    private func fits(_ segment: Segment, behind others: ArraySlice<Segment>, tokens: Int) -> Bool {
        guard let first = others.first else { return true }
        return !segment.isContinuation && tokens + segment.tokens <= limits.tokens
            && segment.end.scalar - first.start.scalar <= limits.length
    }

    private var joined: Segment? {
        guard let first = filling.first, let last = filling.last else { return nil }
        return Segment(start: first.start, end: last.end, tokens: tokens, isContinuation: first.isContinuation)
    }

    /// Drops the segments that the next chunk does not repeat. The first one always goes, and what stays leaves room for `segment`:
    /// so the next chunk neither begins nor ends where this one does. A continuation can only be the first.
    private mutating func keepOverlap(before segment: Segment) {
        var start = filling.count
        var kept = 0
        while overlap > 0, start > 1 {
            let candidate = filling[start - 1]
            guard kept + candidate.tokens <= overlap, fits(segment, behind: filling[(start - 1)...], tokens: kept + candidate.tokens)
            else { break }
            start -= 1
            kept += candidate.tokens
        }
        filling.removeFirst(start)
        tokens = kept
    }
}
