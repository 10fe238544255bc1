import Testing

@testable import Chunking

/// Tokens as a person would count them: words.
private func words(_ text: Substring) -> Int { text.split(whereSeparator: \.isWhitespace).count }

private func characters(_ text: Substring) -> Int { text.count { !$0.isWhitespace } }

@Suite("Chunker") struct ChunkerTests {
    private func chunks(
        _ text: String, _ strategy: Chunker.Strategy, _ maxTokens: Int, overlap: Int = 0, maxLength: Int = .max,
        countingTokens count: @escaping (Substring) -> Int = words
    ) throws -> [String] {
        try Chunker(strategy: strategy, maxTokens: maxTokens, overlap: overlap, maxLength: maxLength)
            .chunks(of: text, countingTokens: count).map(\.text)
    }

    private let four = "A b c d. E f g. H i j k l. M n."

    @Test("whole sentences fill a chunk as long as they fit")
    func sentences() throws {
        #expect(try chunks(four, .sentence, 8) == ["A b c d. E f g.", "H i j k l. M n."])
        #expect(try chunks(four, .sentence, 12) == ["A b c d. E f g. H i j k l.", "M n."])
        #expect(try chunks(four, .sentence, 100) == [four])
        #expect(try chunks(" \n ", .sentence, 8).isEmpty && chunks("", .fixed, 8).isEmpty)
    }

    @Test("a chunk begins with the last whole sentences of the one before, as far as the overlap allows")
    func sentenceOverlap() throws {
        #expect(try chunks(four, .sentence, 8, overlap: 3) == ["A b c d. E f g.", "E f g. H i j k l.", "M n."])
        #expect(try chunks(four, .sentence, 8, overlap: 2) == ["A b c d. E f g.", "H i j k l. M n."])
        // The overlap would leave no room for what is new.
        #expect(try chunks("A b. C d e f g h. I j k.", .sentence, 8, overlap: 7) == ["A b. C d e f g h.", "I j k."])
        #expect(try chunks("A b. C d. E f. G h. I j.", .sentence, 8, overlap: 4) == ["A b. C d. E f. G h.", "E f. G h. I j."])
    }

    @Test("windows of words overlap by words")
    func fixed() throws {
        let text = "a b c d e f g h i j k l"

        #expect(try chunks(text, .fixed, 8) == ["a b c d e f g h", "i j k l"])
        #expect(try chunks(text, .fixed, 8, overlap: 2) == ["a b c d e f g h", "g h i j k l"])
        #expect(try chunks("a. b\n\n  c", .fixed, 8) == ["a. b\n\n  c"])
    }

    @Test("a sentence that does not fit is divided between words, and what is left of it is joined with the next")
    func longSentence() throws {
        #expect(try chunks("Aa. B c d e f g h i j k. L m.", .sentence, 8) == ["Aa.", "B c d e f g h i", "j k. L m."])
    }

    @Test("a word that does not fit is divided between characters, and the pieces are not joined again")
    func longWord() throws {
        #expect(
            try chunks("ab abcdefghijklmnopqrst uv", .fixed, 8, countingTokens: characters) == ["ab", "abcdefgh", "ijklmnop", "qrst uv"])
        #expect(
            try chunks("abcdefghij kl mnopq", .fixed, 8, overlap: 5, countingTokens: characters) == ["abcdefgh", "ij kl", "kl mnopq"])
        #expect(try chunks("ab abcdefghijkl", .sentence, 8, overlap: 7, countingTokens: characters) == ["ab", "abcdefgh", "ijkl"])
    }

    @Test("pieces of a word are not joined again even if they would fit by themselves, nor by an overlap")
    func pieces() throws {
        // Together the pieces have more tokens than their sum.
        let steep = { (text: Substring) in text.split(separator: " ").reduce(0) { $0 + ($1.count > 5 ? 2 : 1) * $1.count } }

        #expect(try chunks("abcdefg", .fixed, 8, countingTokens: steep) == ["abcde", "fg"])
        #expect(try chunks("ab abcdefg hijkl", .fixed, 8, overlap: 7, countingTokens: steep) == ["ab abcde", "fg hijkl"])
    }

    @Test("a character that does not fit is divided between its scalars, and a scalar is taken as it is")
    func longCharacter() throws {
        let flags = String(repeating: "🇫🇷", count: 10)
        let accents = "e" + String(repeating: "\u{301}", count: 19)

        #expect(try chunks(flags, .fixed, 8) { $0.unicodeScalars.count }.map(\.count) == [4, 4, 2])
        #expect(try chunks(accents, .fixed, 8) { $0.unicodeScalars.count }.map(\.unicodeScalars.count) == [8, 8, 4])
        #expect(try chunks("abc", .fixed, 8) { 9 * $0.count } == ["a", "b", "c"])
    }

    @Test("ideographs and kana are words, with the punctuation beside them")
    func ideographs() throws {
        let scalars = { (text: Substring) in text.unicodeScalars.count }

        #expect(try chunks("漢字漢字漢字「漢」。かなカナ", .fixed, 8, countingTokens: scalars) == ["漢字漢字漢字", "「漢」。かなカナ"])
        #expect(try chunks("abcdefgカxyz", .fixed, 10, countingTokens: scalars) == ["abcdefgカxy", "z"])
    }

    @Test("no chunk is longer than the limit of length, whatever its tokens")
    func length() throws {
        let none = { (_: Substring) in 0 }

        #expect(try chunks("abcdefgh", .sentence, 8, maxLength: 3, countingTokens: none) == ["abc", "def", "gh"])
        #expect(try chunks("a b     c", .fixed, 8, maxLength: 4, countingTokens: none) == ["a b", "c"])
        #expect(try chunks("Aa. B! Cc d e.", .sentence, 8, overlap: 7, maxLength: 6, countingTokens: none) == ["Aa. B!", "Cc d", "e."])
    }

    @Test("offsets count bytes and scalars of the whole text")
    func offsets() throws {
        let found = try Chunker(maxTokens: 8).chunks(of: " né.\n\n🙂 ok.") { _ in 8 }

        #expect(found.map(\.text) == ["né.", "🙂 ok."])
        #expect(found.map(\.utf8Offsets) == [1..<5, 7..<15])
        #expect(found.map(\.scalarOffsets) == [1..<4, 6..<11])
    }

    @Test("more chunks than the caller takes are an error")
    func limit() throws {
        let chunker = try Chunker(maxTokens: 8)

        #expect(try chunker.chunks(of: four, atMost: 2, countingTokens: words).count == 2)
        #expect(throws: ChunkingError.tooManyChunks(limit: 1)) { try chunker.chunks(of: four, atMost: 1, countingTokens: words) }
    }

    @Test("more chunks than the caller takes are found before the rest of the text is divided", arguments: Chunker.Strategy.allCases)
    func stopsEarly(strategy: Chunker.Strategy) throws {
        let chunker = try Chunker(strategy: strategy, maxTokens: 8)
        for text in ["abcdefghij", "abcd ", "漢字"].map({ String(repeating: $0, count: 20_000) }) {
            var counted = 0

            #expect(throws: ChunkingError.tooManyChunks(limit: 2)) {
                try chunker.chunks(of: text, atMost: 2) {
                    counted += $0.utf8.count
                    return estimatedTokenCount(of: $0)
                }
            }

            // Once as a sentence and once as a word to see that it does not fit, and a little more.
            #expect(counted < 2 * text.utf8.count + 10_000)
        }
    }

    @Test("parameters that would not come to an end are refused")
    func parameters() {
        for tokens in [Int.min, 0, 7, 1_000_001] {
            #expect(throws: ChunkingError.maxTokensOutOfRange(accepted: 8...1_000_000)) { try Chunker(maxTokens: tokens) }
        }
        for overlap in [-1, 8, 9] {
            #expect(throws: ChunkingError.overlapOutOfRange(accepted: 0..<8)) { try Chunker(maxTokens: 8, overlap: overlap) }
        }
        #expect(throws: Never.self) { try Chunker(maxTokens: 1_000_000, overlap: 999_999) }
    }

    @Test(
        "an estimate has a token for four letters and for every other character",
        arguments: [
            ("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("ab cd", 2), ("don't.", 4), ("née", 3), ("漢字", 2), ("🙂", 2), (" \n", 0),
            ("12345", 2),
        ])
    func estimate(text: String, tokens: Int) {
        #expect(estimatedTokenCount(of: text[...]) == tokens)
    }
}
