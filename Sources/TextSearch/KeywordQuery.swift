/// What a user typed, as terms and phrases.
///
/// Any of the words makes a text a result, and each adds to its score; but a text must have all phrases, which stand between double quotes
/// (straight or curly), word for word; the words of phrases add to the score too. A stop word in a phrase stands for any one word; at either
/// end of a phrase it stands for nothing. A quote without a second one means nothing.
package struct KeywordQuery: Sendable {
    /// Distinct terms, in the order in which they first come.
    private(set) var terms: [Term] = []
    private(set) var phrases: [[PhraseTerm]] = []

    struct Term: Sendable {
        let bytes: [UInt8]
        /// How often the query has it.
        var occurrences: Int
    }

    struct PhraseTerm: Sendable {
        /// Of `terms`.
        let number: Int
        /// Words from the first term of the phrase to this one.
        let offset: UInt32
    }

    /// Whether there is nothing to look for: only stop words, or no word at all. It finds nothing.
    package var isEmpty: Bool { terms.isEmpty }

    /// - Parameter analyzer: that of the index to be searched.
    package init(_ text: String, analyzer: Analyzer) {
        var numbers: [[UInt8]: Int] = [:]
        let parts = text.split(omittingEmptySubsequences: false) { Self.isQuote($0) }
        for (index, part) in parts.enumerated() {
            let phrase = read(String(part), analyzer, &numbers)
            // Quotes come in pairs: behind the last one there is no phrase, whether it opens one or closes it.
            if index % 2 == 1, index + 1 < parts.count, let first = phrase.first {
                phrases.append(phrase.map { PhraseTerm(number: $0.number, offset: $0.offset - first.offset) })
            }
        }
    }

    private static func isQuote(_ character: Character) -> Bool {
        character == "\"" || character == "\u{201C}" || character == "\u{201D}" || character == "\u{201E}"
    }

    /// Takes the terms in; returns them with their positions.
    private mutating func read(_ part: String, _ analyzer: Analyzer, _ numbers: inout [[UInt8]: Int]) -> [PhraseTerm] {
        var (found, terms, part) = ([PhraseTerm](), terms, part)
        part.withUTF8 { utf8 in
            analyzer.forEachTerm(in: utf8) { bytes, position in
                let bytes = Array(bytes)
                let number = numbers[bytes] ?? terms.count
                if number == terms.count {
                    numbers[bytes] = number
                    terms.append(Term(bytes: bytes, occurrences: 0))
                }
                terms[number].occurrences += 1
                found.append(PhraseTerm(number: number, offset: position))
            }
        }
        self.terms = terms
        return found
    }
}
