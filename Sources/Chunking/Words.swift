/// The words of a text, each as one segment, or divided between its characters if it does not fit into a chunk.
///
/// A word goes from white space to white space; ideographs and kana are words of their own, with the punctuation beside them. Scripts
/// without spaces and without ideographs, such as Thai, make long words, which are divided anywhere.
struct Words: IteratorProtocol {
    private let text: MeasuredText
    private var cursor: TextCursor
    /// In bytes of UTF-8.
    private let end: Int
    /// What is left of a word that did not fit.
    private var rest: (start: TextPosition, end: TextPosition)?

    init(of text: MeasuredText) {
        self.init(of: text, from: TextCursor(text.text), to: TextPosition(utf8: text.text.utf8.count))
    }

    init(of text: MeasuredText, from start: TextCursor, to end: TextPosition) {
        self.text = text
        cursor = start
        self.end = end.utf8
    }

    mutating func next() -> Segment? {
        if let rest { return takePiece(from: rest.start, to: rest.end, isContinuation: true) }
        cursor.skipGap()
        guard cursor.position.utf8 < end else { return nil }
        let start = cursor.position
        skipWord()
        let word = text.segment(from: start, to: cursor.position)
        return text.fits(word) ? word : takePiece(from: start, to: cursor.position, isContinuation: false)
    }

    private mutating func takePiece(from start: TextPosition, to end: TextPosition, isContinuation: Bool) -> Segment {
        let piece = text.segment(from: start, to: text.endOfPiece(from: start, to: end), isContinuation: isContinuation)
        rest = piece.end == end ? nil : (piece.end, end)
        return piece
    }

    private mutating func skipWord() {
        var previous: Unicode.Scalar?
        while let scalar = cursor.scalar, !scalar.isWhite, cursor.position.utf8 < end {
            if let previous, scalar.beginsIdeographicWord, previous.endsIdeographicWord { return }
            previous = scalar
            cursor.advance()
        }
    }
}

extension Unicode.Scalar {
    fileprivate var beginsIdeographicWord: Bool { isIdeographic || value > 0x3000 && isOpening }

    fileprivate var endsIdeographicWord: Bool { isIdeographic || isTerminator || continuesSentence || isClosing && !isOpening }
}

extension MeasuredText {
    /// Where the beginning of a word is to end that does not fit: between characters, and if not even one of these fits, between its
    /// scalars. One scalar is taken as it is.
    fileprivate func endOfPiece(from start: TextPosition, to end: TextPosition) -> TextPosition {
        // Scalars looked at. Where a token has more of them on average, pieces are smaller than they could be.
        let reach = min(limits.length, 8 * limits.tokens)
        let rest = self[start, end].unicodeScalars
        // A text of its own: in a part of one, characters are looked for beyond its end.
        let window = String(String.UnicodeScalarView(rest.prefix(reach + 1)))
        var characters = window.map(\.unicodeScalars)
        // The last one may be longer than the window shows.
        if window.unicodeScalars.count > reach, characters.count > 1 { characters.removeLast() }
        return longestPiece(from: start, of: characters)
            ?? longestPiece(from: start, of: characters[0].map(CollectionOfOne.init))
            ?? start.advanced(over: rest.prefix(1))
    }

    /// The end of the longest run of `parts` that fits, by bisection; nil if there is none.
    private func longestPiece(from start: TextPosition, of parts: [some Collection<Unicode.Scalar>]) -> TextPosition? {
        var end = start
        let ends = parts.map { part in
            end = end.advanced(over: part)
            return end
        }
        var longest: TextPosition?
        var candidates = ends[...]
        while !candidates.isEmpty {
            let middle = (candidates.startIndex + candidates.endIndex) / 2
            if fits(segment(from: start, to: candidates[middle])) {
                longest = candidates[middle]
                candidates = candidates[(middle + 1)...]
            } else {
                candidates = candidates[..<middle]
            }
        }
        return longest
    }
}

extension TextPosition {
    fileprivate func advanced(over scalars: some Collection<Unicode.Scalar>) -> TextPosition {
        TextPosition(utf8: utf8 + scalars.reduce(0) { $0 + UTF8.width($1) }, scalar: scalar + scalars.count)
    }
}
