/// Finds sentences: a simplification of the sentence boundaries of Unicode (UAX #29, section 5), with what it leaves open to those
/// who know the language.
///
/// A sentence ends
/// - at an empty line; before and behind a heading of Markdown; before an item of a list. A single line end is white space, unlike
///   in UAX #29 (SB4): texts come with lines broken at 72 characters;
/// - behind `.`, `!`, `?` and their relatives with the quotes and brackets that close there (SB9), if white space follows (in UAX #29
///   it may be missing) and `WordEnd` sees no reason against it;
/// - behind `。！？` and closing quotes also without white space, unless the sentence goes on with a comma or the like (SB8a).
struct SentenceScanner {
    private var cursor: TextCursor
    private var isAtLineStart = true

    init(_ text: String) {
        cursor = TextCursor(text)
        cursor.skipGap()
    }

    /// Where the next sentence begins, and behind which scalar it ends, without the white space around it.
    mutating func next() -> (beginning: TextCursor, end: TextPosition)? {
        guard cursor.scalar != nil else { return nil }
        let beginning = cursor
        let isHeading = isAtLineStart && cursor.isAtHeading
        while true {
            let isFirstWord = cursor.position == beginning.position
            let word = skipWord()
            let end = cursor.position
            let gap = cursor.skipGap()
            isAtLineStart = gap.newlines > 0
            let isOver =
                cursor.scalar == nil || gap.isParagraphBreak || isAtLineStart && (isHeading || cursor.isAtBlock)
                || word.endsSentence(before: cursor, isFirstWord: isFirstWord)
            if isOver { return (beginning, end) }
        }
    }

    /// Goes to the next white space, or behind an ideographic end of a sentence.
    private mutating func skipWord() -> WordEnd {
        var word = WordEnd()
        while let scalar = cursor.scalar, !scalar.isWhite {
            cursor.advance()
            word.append(scalar)
            if let next = cursor.scalar, word.endsSentence(directlyBefore: next) { break }
        }
        return word
    }
}

extension TextCursor {
    /// Whether a heading of Markdown begins here, which must be the start of a line.
    fileprivate var isAtHeading: Bool {
        var ahead = self
        var marks = 0
        while ahead.scalar == "#", marks < 7 {
            marks += 1
            ahead.advance()
        }
        return (1...6).contains(marks) && ahead.scalar?.isWhite == true
    }

    /// Whether a heading or an item of a list begins here, which must be the start of a line.
    fileprivate var isAtBlock: Bool {
        switch scalar {
        case "#": return isAtHeading
        case "-", "*", "+":
            var ahead = self
            ahead.advance()
            return ahead.scalar?.isWhite == true
        default: return false
        }
    }
}
