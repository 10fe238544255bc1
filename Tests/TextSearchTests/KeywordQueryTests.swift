import Testing

@testable import TextSearch

@Suite("Keyword query")
struct KeywordQueryTests {
    private func parse(_ text: String) -> KeywordQuery { KeywordQuery(text, analyzer: Analyzer(TextOptions())) }
    private func terms(_ query: KeywordQuery) -> [String] { query.terms.map { String(decoding: $0.bytes, as: UTF8.self) } }
    private func phrases(_ query: KeywordQuery) -> [[String]] {
        query.phrases.map { $0.map { "\(terms(query)[$0.number])+\($0.offset)" } }
    }

    @Test(
        "reads words and phrases",
        arguments: [
            ("Red foxes", ["red", "fox"], []), ("fox \"red fox\" hen", ["fox", "red", "hen"], [["red+0", "fox+1"]]),
            ("\"bank of england\"", ["bank", "england"], [["bank+0", "england+2"]]),
            ("“red fox”„den“", ["red", "fox", "den"], [["red+0", "fox+1"], ["den+0"]]),
            ("\"the red of\"", ["red"], [["red+0"]]), ("\"a b\"\"c d\"", ["b", "c", "d"], [["b+0"], ["c+0", "d+1"]]),
            ("\"new york new york\"", ["new", "york"], [["new+0", "york+1", "new+2", "york+3"]]),
            // The last quote of an odd number means nothing.
            ("5\" pipe", ["5", "pipe"], []), ("\"red fox\" 5\" pipe", ["red", "fox", "5", "pipe"], [["red+0", "fox+1"]]), ("\"", [], []),
            ("\"\"", [], []), ("\"of the\" fox", ["fox"], []),
        ] as [(String, [String], [[String]])])
    func reads(_ text: String, _ expectedTerms: [String], _ expectedPhrases: [[String]]) {
        let query = parse(text)

        #expect(terms(query) == expectedTerms)
        #expect(phrases(query) == expectedPhrases)
    }

    @Test("counts the words that come again")
    func countsWords() {
        #expect(parse("fox foxes hen \"fox\"").terms.map(\.occurrences) == [3, 1])
    }

    @Test("is empty without a term")
    func isEmpty() {
        for text in ["", "  ", "of the", "\"to be or not to be\"", "...", "\"\""] { #expect(parse(text).isEmpty, "\(text)") }
        #expect(!parse("fox").isEmpty && !KeywordQuery("the", analyzer: Analyzer(TextOptions(stopWords: false))).isEmpty)
    }
}
