/// A place in a text, counted from its beginning.
struct TextPosition: Equatable {
    /// In bytes of UTF-8.
    var utf8 = 0
    /// In Unicode scalars.
    var scalar = 0
}

/// Goes through a text scalar by scalar and knows where it is. A copy looks ahead.
struct TextCursor {
    private(set) var position = TextPosition()
    /// The scalar at the position; nil at the end of the text.
    private(set) var scalar: Unicode.Scalar?
    private var following: String.UnicodeScalarView.Iterator

    init(_ text: String) {
        following = text.unicodeScalars.makeIterator()
        scalar = following.next()
    }

    mutating func advance() {
        guard let scalar else { return }
        position.utf8 += UTF8.width(scalar)
        position.scalar += 1
        self.scalar = following.next()
    }

    /// Goes on to the next scalar that is not white space, and says what was in between.
    @discardableResult
    mutating func skipGap() -> Gap {
        var gap = Gap()
        var previous: Unicode.Scalar?
        while let scalar, scalar.isWhite {
            switch scalar {
            case "\n": if previous != "\r" { gap.newlines += 1 }
            case "\r", "\u{85}", "\u{2028}": gap.newlines += 1
            case "\u{0C}", "\u{2029}": gap.newlines += 2
            default: break
            }
            previous = scalar
            advance()
        }
        return gap
    }
}

/// White space between two words.
struct Gap {
    /// CR LF is one; a form feed and a paragraph separator count for an empty line.
    var newlines = 0

    var isParagraphBreak: Bool { newlines >= 2 }
}
