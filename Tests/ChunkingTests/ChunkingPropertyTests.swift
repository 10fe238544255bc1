import Embedding
import TestSupport
import Testing

@testable import Chunking

/// What every division of a text must be, and how this one is not.
private func violations(
    _ chunks: [TextChunk], of text: String, maxTokens: Int, overlap: Int, maxLength: Int, _ count: (Substring) -> Int
) -> Set<String> {
    var violations: Set<String> = []
    let (bytes, scalars) = (Array(text.utf8), Array(text.unicodeScalars))
    /// The scalars of the text that are in some chunk.
    var covered = 0
    var previous: TextChunk?
    for chunk in chunks {
        if Array(chunk.text.utf8) != Array(bytes[chunk.utf8Offsets]) { violations.insert("bytes") }
        if Array(chunk.text.unicodeScalars) != Array(scalars[chunk.scalarOffsets]) { violations.insert("scalars") }
        if count(chunk.text[...]) > maxTokens { violations.insert("tokens") }
        if chunk.scalarOffsets.count > maxLength { violations.insert("length") }
        if chunk.text.unicodeScalars.first!.isWhite || chunk.text.unicodeScalars.last!.isWhite {
            violations.insert("white space at an end")
        }
        if let previous {
            if chunk.scalarOffsets.lowerBound <= previous.scalarOffsets.lowerBound { violations.insert("order of beginnings") }
            if chunk.scalarOffsets.upperBound <= previous.scalarOffsets.upperBound { violations.insert("order of ends") }
            if chunk.utf8Offsets.lowerBound < previous.utf8Offsets.upperBound {
                let shared = String(decoding: bytes[chunk.utf8Offsets.lowerBound..<previous.utf8Offsets.upperBound], as: UTF8.self)
                if count(shared[...]) > overlap { violations.insert("overlap") }
                if overlap == 0 { violations.insert("overlap though none was asked for") }
            }
        }
        if scalars[min(covered, chunk.scalarOffsets.lowerBound)..<chunk.scalarOffsets.lowerBound].contains(where: { !$0.isWhite }) {
            violations.insert("lost text")
        }
        covered = chunk.scalarOffsets.upperBound
        previous = chunk
    }
    if scalars[covered...].contains(where: { !$0.isWhite }) { violations.insert("lost text") }
    return violations
}

/// Text of everything that the rules know, in any order.
private func randomText(_ random: inout SplitMix) -> String {
    let parts = [
        "word", "a", "Dr.", "e.g.", "3.14", "Hello", "end.", "Really?!", "\"Quote.\"", "(in brackets)", "漢", "字。", "「はい」", "かな", "カタカナ",
        "한국어", "🙂", "👨‍👩‍👧‍👦", "e\u{301}", "né", "…", "...", ".", "!", ",", "#", "# ", "- ", "* ", "\u{200B}", "\u{FE0F}", "\u{1F1EB}", "ไทย",
        "abcdefghijklmnopqrstuvwxyz", "0123456789012345678901234567890123456789", String(repeating: "long", count: 40), "\u{0}", "\u{301}",
    ]
    let gaps = ["", "", " ", " ", " ", "\n", "\n\n", "\r\n", "\t", "\u{3000}", "\u{2029}", "          "]
    return (0..<Int.random(in: 0..<200, using: &random)).reduce(into: "") { text, _ in
        text += parts.randomElement(using: &random)! + gaps.randomElement(using: &random)!
    }
}

@Suite("Promises of chunks") struct ChunkingPropertyTests {
    private func holds(_ seeds: Range<UInt64>, _ count: @escaping (Substring) -> Int) throws {
        var divided = 0
        for seed in seeds {
            var random = SplitMix(seed: seed)
            let text = randomText(&random)
            let maxTokens = Int.random(in: 8..<80, using: &random)
            let overlap = Bool.random(using: &random) ? 0 : Int.random(in: 0..<maxTokens, using: &random)
            let maxLength = Bool.random(using: &random) ? Int.max : Int.random(in: 1..<200, using: &random)
            for strategy in Chunker.Strategy.allCases {
                let chunker = try Chunker(strategy: strategy, maxTokens: maxTokens, overlap: overlap, maxLength: maxLength)
                let chunks = try chunker.chunks(of: text, countingTokens: count)
                let found = violations(chunks, of: text, maxTokens: maxTokens, overlap: overlap, maxLength: maxLength, count)
                #expect(found == [], "seed \(seed), \(strategy)")
                if chunks.count > 1 { divided += 1 }
            }
        }
        #expect(divided > seeds.count)
    }

    @Test("hold for any text when words, scalars or an estimate are counted")
    func anyText() throws {
        try holds(0..<100) { $0.unicodeScalars.split(whereSeparator: \.isWhite).count }
        try holds(100..<200) { $0.unicodeScalars.count { !$0.isWhite } }
        try holds(200..<300) { estimatedTokenCount(of: $0) }
    }

    @Test("hold for any text when the local model's tokenizer counts", .enabled(if: weightsDirectory != nil, "the weights are not here"))
    func localModel() throws {
        let catalogue = ModelCatalogue(modelDirectory: weightsDirectory)
        let counter = try #require(catalogue.tokenCounter(for: catalogue.models[0]))

        try holds(300..<360) { counter.tokenCount(of: $0) }
    }

    @Test("the check finds what is wrong")
    func planted() throws {
        let text = "One two three. Four five six. Seven eight nine. Ten."
        let words = { (text: Substring) in text.split(separator: " ").count }
        let good = try Chunker(maxTokens: 8, overlap: 3).chunks(of: text, countingTokens: words)
        func check(_ chunks: [TextChunk], maxTokens: Int = 8, overlap: Int = 3, maxLength: Int = .max) -> Set<String> {
            violations(chunks, of: text, maxTokens: maxTokens, overlap: overlap, maxLength: maxLength, words)
        }
        func moved(_ chunk: TextChunk, bytes: Int, scalars: Int) -> TextChunk {
            TextChunk(
                text: chunk.text, utf8Offsets: chunk.utf8Offsets.lowerBound + bytes..<chunk.utf8Offsets.upperBound + bytes,
                scalarOffsets: chunk.scalarOffsets.lowerBound + scalars..<chunk.scalarOffsets.upperBound + scalars)
        }
        try #require(good.count == 2)

        #expect(check(good) == [])
        #expect(check(good, maxTokens: 6) == ["tokens"])
        #expect(check(good, overlap: 2) == ["overlap"])
        #expect(check(good, overlap: 0).contains("overlap though none was asked for"))
        #expect(check(good, maxLength: 20) == ["length"])
        #expect(check([good[0]]) == ["lost text"] && check([good[1]]) == ["lost text"])
        #expect(check([]) == ["lost text"])
        #expect(check(good.reversed()).isSuperset(of: ["order of beginnings", "order of ends"]))
        #expect(check([moved(good[0], bytes: 1, scalars: 0), good[1]]).contains("bytes"))
        #expect(check([moved(good[0], bytes: 0, scalars: 1), good[1]]).contains("scalars"))
        let white = TextChunk(text: " ", utf8Offsets: 3..<4, scalarOffsets: 3..<4)
        #expect(check([white]).contains("white space at an end"))
    }

    @Test(
        "what is counted is in proportion to the text",
        arguments: [
            ("sentences", "A sentence of some words, e.g. these. ", 3), ("no sentence", "some words without an end ", 3),
            ("ideographs", "漢字。", 3),
            ("one word", "abcdefghij", 32), ("marks", "\u{301}", 32), ("terminators", "?!", 32), ("openings", ". (", 3),
        ])
    func linear(what: String, part: String, factor: Int) throws {
        for strategy in Chunker.Strategy.allCases {
            var counted: [Int] = []
            for length in [20_000, 40_000] {
                var bytes = 0
                let text = String(repeating: part, count: length / part.utf8.count)
                let chunks = try Chunker(strategy: strategy, maxTokens: 256, overlap: 64).chunks(of: text) {
                    bytes += $0.utf8.count
                    return estimatedTokenCount(of: $0)
                }
                #expect(chunks.count > 1)
                counted.append(bytes)
            }
            #expect(counted[0] <= factor * 20_000, "\(what), \(strategy)")
            #expect(counted[1] <= counted[0] * 21 / 10 + 1000, "\(what), \(strategy)")
        }
    }
}
