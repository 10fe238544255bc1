/// Turns a text into the terms that it is found by: words, folded, without stop words, by their stems.
///
/// | step | | |
/// |---|---|---|
/// | words | runs of letters, digits and marks; each ideograph and kana alone | `WordReader` |
/// | folding | lower case, no accents, compatible forms as one | `ScalarTable` |
/// | stop words | left out, but counted in the positions of the others | `StopWords` |
/// | stems | English words without plural, past and participle | `EnglishStemmer` |
package struct Analyzer: Sendable {
    /// Raised with every change of what a text's terms are: an index is only as good as the analysis that it was made by.
    package static let version: UInt8 = 1

    private let leavesOutStopWords: Bool
    private let stems: Bool

    package init(_ options: TextOptions) {
        leavesOutStopWords = options.stopWords
        stems = options.stemmer
    }

    /// A term and the number of its word in the text.
    package struct Term: Equatable, Sendable {
        package let text: String
        package let position: UInt32
    }

    package func terms(of text: String) -> [Term] {
        var terms: [Term] = []
        var text = text
        text.withUTF8 { utf8 in
            forEachTerm(in: utf8) { term, position in terms.append(Term(text: String(decoding: term, as: UTF8.self), position: position)) }
        }
        return terms
    }

    /// How many terms a text has, repeated ones each time: its length in BM25.
    package func countTerms(of text: String) -> Int {
        var count = 0
        var text = text
        text.withUTF8 { utf8 in forEachTerm(in: utf8) { _, _ in count += 1 } }
        return count
    }

    /// Gives each term to `body`, as 1 to 384 bytes of UTF-8 that are good until it returns, with the number of its word. The numbers ascend;
    /// those of stop words are missing.
    @inline(__always)
    func forEachTerm(in text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, UInt32) -> Void) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: WordReader.capacity) { word in
            // Stop words are looked up by whole machine words, which may reach behind the end of a word.
            word.initialize(repeating: 0)
            let memory = word.baseAddress.unsafelyUnwrapped
            let stopWords = leavesOutStopWords ? StopWords.english : nil
            var reader = WordReader(text, word: memory)
            while reader.next() {
                var count = reader.count
                if let stopWords, stopWords.contains(memory, count: count) { continue }
                if stems { count = EnglishStemmer.stem(memory, count: count) }
                body(UnsafeBufferPointer(start: memory, count: count), reader.position)
            }
        }
    }
}
