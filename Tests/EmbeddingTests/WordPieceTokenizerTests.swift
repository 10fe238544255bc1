import Testing

@testable import Embedding

@Suite("WordPiece") struct WordPieceTokenizerTests {
    private func tokenizer(maxTokens: Int = 16) throws -> WordPieceTokenizer {
        try WordPieceTokenizer(vocabulary: vocabulary(TinyModel.pieces), maxTokens: maxTokens, path: "vocab.txt")
    }

    private func vocabulary(_ pieces: [String]) throws -> Vocabulary {
        try vocabulary(text: pieces.joined(separator: "\n"))
    }

    private func vocabulary(text: String) throws -> Vocabulary {
        try Array(text.utf8).withUnsafeBytes { try Vocabulary($0, path: "vocab.txt") }
    }

    /// The pieces of a text, without the marks at its ends.
    private func pieces(of text: String) throws -> [String] {
        var ids: [UInt32] = []
        try tokenizer().encode(text, into: &ids)
        try #require(ids.first == 2 && ids.last == 3)
        return ids.dropFirst().dropLast().map { TinyModel.pieces[Int($0)] }
    }

    @Test(
        "words become the longest pieces from left to right",
        arguments: [
            ("", []), (" \t\n", []), ("a", ["a"]), ("playing", ["play", "##ing"]), ("played plays", ["play", "##ed", "play", "##s"]),
            ("unplayable", ["un", "##play", "##able"]), ("PLAYING", ["play", "##ing"]), ("a,b.", ["a", ",", "b", "."]),
            ("a b  c", ["a", "b", "c"]),
            ("playz", ["[UNK]"]), ("zplay", ["[UNK]"]), ("a zzz b", ["a", "[UNK]", "b"]), ("ab", ["[UNK]"]), ("aa", ["a", "##a"]),
        ])
    func cuts(text: String, expected: [String]) throws {
        #expect(try pieces(of: text) == expected)
    }

    @Test(
        "characters are dropped, folded and separated as the reference does",
        arguments: [
            ("Café", ["cafe"]), ("cafe\u{301}", ["cafe"]), ("ca\u{AD}fe", ["cafe"]), ("ca\u{200B}fe", ["cafe"]), ("ca\u{0}fe", ["cafe"]),
            ("ca\u{FFFD}fe", ["cafe"]),
            ("ca\u{E000}fe", ["cafe"]), ("ca\u{1}f\u{7F}e", ["cafe"]), ("a\u{A0}b\u{3000}c", ["a", "b", "c"]), ("a\u{85}a", ["a", "##a"]),
            ("\u{301}", []), ("ß", ["ß"]), ("straße", ["[UNK]"]), ("STRASSE", ["strasse"]), ("我爱a我", ["我", "爱", "a", "我"]),
            ("한", ["ᄒ", "##ᅡ", "##ᆫ"]),
            ("하", ["ᄒ", "##ᅡ"]), ("\u{1F600}", ["\u{1F600}"]), ("a！", ["a", "[UNK]"]), ("\u{9CB}", ["[UNK]"]), ("a\u{2028}b", ["a", "b"]),
        ])
    func normalizes(text: String, expected: [String]) throws {
        #expect(try pieces(of: text) == expected)
    }

    @Test("the model's marks in a text are punctuation and letters")
    func marksAreText() throws {
        #expect(try pieces(of: "[CLS]") == ["[", "cls", "]"])
        #expect(try pieces(of: "a[UNK]b") == ["a", "[", "unk", "]", "b"])
        #expect(try pieces(of: "##ing") == ["#", "#", "ing"])
        #expect(try pieces(of: "##") == ["#", "#"])
    }

    @Test("a word of more than 100 characters is unknown; characters count after normalisation")
    func longWords() throws {
        let hundred = String(repeating: "a", count: 100)
        var ids: [UInt32] = []
        let tokenizer = try tokenizer(maxTokens: 300)

        tokenizer.encode(hundred, into: &ids)
        #expect(ids.count == 102)
        ids = []
        tokenizer.encode(hundred + "a", into: &ids)
        #expect(ids == [2, 1, 3])
        ids = []
        tokenizer.encode(String(repeating: "a\u{301}\u{AD}", count: 100) + " a", into: &ids)
        #expect(ids.count == 103)
    }

    @Test("a long text is cut at the limit, and appended behind what is there")
    func limit() throws {
        let tokenizer = try tokenizer(maxTokens: 5)
        for (text, expected) in [
            ("a b c", [2, 4, 5, 6, 3]), ("a b c a", [2, 4, 5, 6, 3]), ("a b playing", [2, 4, 5, 7, 3]), ("a,b,c", [2, 4, 14, 5, 3]),
            (String(repeating: "a ", count: 10_000), [2, 4, 4, 4, 3]),
            ("a b zzz zzz", [2, 4, 5, 1, 3]),
        ] as [(String, [UInt32])] {
            var ids: [UInt32] = [99]

            tokenizer.encode(text, into: &ids)

            #expect(ids == [99] + expected, "\(text.prefix(20))")
        }
    }

    @Test("a vocabulary finds each piece at its place and nothing else")
    func finds() throws {
        let vocabulary = try vocabulary(TinyModel.pieces)

        #expect(vocabulary.count == TinyModel.pieces.count)
        for (id, piece) in TinyModel.pieces.enumerated() where !piece.hasPrefix("##") || piece.count == 2 {
            #expect(vocabulary.id(of: piece) == UInt32(id))
        }
        #expect(vocabulary.id(of: "ed") == nil)
        #expect(vocabulary.id(of: "") == nil)
        #expect(vocabulary.longest == 7)
    }

    @Test("a damaged vocabulary is refused", arguments: [("a\n\nb", "line 2 is empty"), ("a\nb\na", "line 3 repeats a piece")])
    func refuses(text: String, reason: String) {
        #expect(throws: EmbeddingError.invalidModelFile(path: "vocab.txt", reason: reason)) { try vocabulary(text: text) }
    }

    @Test("a vocabulary of more pieces than any model has is refused")
    func refusesHuge() {
        let newlines = [UInt8](repeating: 0x0A, count: Vocabulary.maximumCount + 1)

        #expect(throws: EmbeddingError.self) { try newlines.withUnsafeBytes { try Vocabulary($0, path: "vocab.txt") } }
    }

    @Test("a vocabulary without the model's marks is refused")
    func refusesWithoutMarks() throws {
        let vocabulary = try vocabulary(["a", "[CLS]", "[SEP]"])

        #expect(throws: EmbeddingError.invalidModelFile(path: "v", reason: "the piece [UNK] is missing")) {
            try WordPieceTokenizer(vocabulary: vocabulary, maxTokens: 8, path: "v")
        }
    }
}
