import Testing

@testable import TextSearch

@Suite("Analyser")
struct AnalyzerTests {
    private static let plain = TextOptions(stopWords: false, stemmer: false)

    private func words(_ text: String, _ options: TextOptions = plain) -> [String] {
        Analyzer(options).terms(of: text).map(\.text)
    }

    @Test(
        "folds case, accents and compatible forms",
        arguments: [
            ("Crème BRÛLÉE", ["creme", "brulee"]), ("Cre\u{300}me", ["creme"]), ("Straße STRASSE ẞ", ["strasse", "strasse", "ss"]),
            ("Ærøskøbing Łódź Đà þorn Œuvre", ["aeroskobing", "lodz", "da", "thorn", "oeuvre"]),
            ("Übergröße naïve", ["ubergrosse", "naive"]), ("ＦＵＬＬ ｗｉｄｔｈ １２", ["full", "width", "12"]),
            ("ﬁn ﬀ ½ ²", ["fin", "ff", "½", "2"]), ("ΌΔΟΣ ὁδός οδοσ", ["οδοσ", "οδοσ", "οδοσ"]),
            ("İstanbul ISPARTA ısparta", ["istanbul", "isparta", "isparta"]), ("МОСКВА Ёлка", ["москва", "елка"]),
            ("שָׁלוֹם", ["שלום"]), ("مُحَمَّد ٣٤", ["محمد", "34"]), ("𝕳𝖊𝖑𝖑𝖔", ["hello"]),
        ] as [(String, [String])])
    func folds(_ text: String, _ expected: [String]) {
        #expect(words(text) == expected)
    }

    @Test(
        "divides text into words",
        arguments: [
            ("a-b c_d e/f (g)", ["a", "b", "c", "d", "e", "f", "g"]), ("x2 2nd 3.14 1,000 4.", ["x2", "2nd", "3.14", "1,000", "4"]),
            ("don't Don’t 'quoted' dogs' o'brien I'm", ["don't", "don't", "quoted", "dogs", "o'brien", "i'm"]),
            ("l'avion l’été", ["l", "avion", "l", "ete"]), ("example.com U.S.A.", ["example", "com", "u", "s", "a"]),
            ("soft\u{AD}hyphen zero\u{200D}width zero\u{200B}space", ["softhyphen", "zerowidth", "zero", "space"]),
            ("東京tower は３", ["東", "京", "tower", "は", "3"]), ("がｶﾞガ", ["か\u{3099}", "カ\u{3099}", "カ\u{3099}"]),
            ("한국", ["\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}"]),
            ("ที่กิน", ["ท\u{E35}\u{E48}", "ก\u{E34}", "น"]), ("हिन्दी", ["हिन्दी"]), ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
            ("red🍎🍏 👩‍🚀 👍🏽 ❤️", ["red", "🍎", "🍏", "👩", "🚀", "👍", "❤"]), ("", []), (" \t\n.,;'\"-", []), ("\u{301}\u{93E}", []),
        ] as [(String, [String])])
    func divides(_ text: String, _ expected: [String]) {
        // By scalars: to strings, a composed and a decomposed letter are the same.
        #expect(words(text).map { Array($0.unicodeScalars) } == expected.map { Array($0.unicodeScalars) })
    }

    @Test("gives stop words no term but a position")
    func countsStopWords() {
        let terms = Analyzer(TextOptions(stemmer: false)).terms(of: "The bank of England isn't it")

        #expect(terms == [Analyzer.Term(text: "bank", position: 1), Analyzer.Term(text: "england", position: 3)])
        #expect(Analyzer(TextOptions()).countTerms(of: "The bank of England isn't it, the bank") == 3)
    }

    @Test("leaves stop words in and endings on where that is wanted")
    func switches() {
        #expect(words("The red foxes", TextOptions(stopWords: false)) == ["the", "red", "fox"])
        #expect(words("The red foxes", TextOptions(stemmer: false)) == ["red", "foxes"])
        #expect(words("The red foxes", Self.plain) == ["the", "red", "foxes"])
        #expect(words("The red foxes", TextOptions()) == ["red", "fox"])
    }

    @Test("cuts words of more than 64 scalars")
    func cutsLongWords() {
        #expect(words(String(repeating: "a", count: 65)) == [String(repeating: "a", count: 64)])
        #expect(words(String(repeating: "a", count: 64)) == [String(repeating: "a", count: 64)])
        #expect(words(String(repeating: "я", count: 100_000) + " b") == [String(repeating: "я", count: 64), "b"])
        // Each of these becomes two and eight scalars.
        #expect(words(String(repeating: "\u{1F82}", count: 80)) == [String(repeating: "αι", count: 32)])
        #expect(words(String(repeating: "\u{FDFB}", count: 80))[0].unicodeScalars.count <= 64 + 18)
    }

    @Test("takes bytes that are not UTF-8 for gaps")
    func survivesBrokenUTF8() {
        let gaps: [[UInt8]] = [
            [0x80], [0xC0, 0xAF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x8D], [0xF5, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
        ]
        for gap in gaps {
            var terms: [String] = []
            ([0x61] + gap + [0x62]).withUnsafeBufferPointer { text in
                Analyzer(Self.plain).forEachTerm(in: text) { term, _ in terms.append(String(decoding: term, as: UTF8.self)) }
            }
            #expect(terms == ["a", "b"], "\(gap)")
            gap.withUnsafeBufferPointer { text in Analyzer(Self.plain).forEachTerm(in: text) { _, _ in Issue.record("\(gap)") } }
        }
    }

    @Test("folds every scalar to the same as its folded form, and to UTF-8")
    func foldsOnce() {
        var folded = 0
        for value in 0..<0x110000 as Range<UInt32> {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let once = words(String(scalar))
            #expect(once.count <= 1)
            guard let word = once.first else { continue }
            folded += 1
            if words(word) != once { Issue.record("U+\(String(value, radix: 16)) becomes \(word), and then \(words(word))") }
        }
        #expect(folded > 130_000)
    }

    @Test("knows its stop words, and no others of their letters")
    func knowsStopWords() {
        for word in ["the", "a", "yourselves", "themselves", "shouldn't", "they've", "to"] {
            #expect(words(word, TextOptions(stemmer: false)) == [], "\(word)")
        }
        for word in ["th", "thee", "yourselve", "yourselvesx", "fox", "pneumonoultramicroscopic", "eht"] {
            #expect(words(word, TextOptions(stemmer: false)) == [word])
        }
    }
}
