import TestSupport
import Testing

@testable import Embedding

@Suite("Token counting") struct TokenCountingTests {
    private let directory = TemporaryDirectory()

    private func provider() throws -> MiniLMProvider {
        try TinyModel(seed: 1).write(to: directory)
        return try MiniLMProvider(directory: directory.path, instructionSet: .best, shape: TinyModel.shape)
    }

    @Test(
        "counts the tokens of a text without the marks, and beyond the model's limit",
        arguments: [
            ("", 0), (" \n", 0), ("a", 1), ("playing a, b.", 6), ("zzz a", 2), ("我爱 cafe", 3), (String(repeating: "a ", count: 1000), 1000),
            (String(repeating: "aa", count: 50), 100),
        ])
    func counts(text: String, expected: Int) throws {
        #expect(try provider().tokenCount(of: text[...]) == expected)
    }

    @Test("a text has as many tokens as its parts, divided at white space or beside punctuation and ideographs")
    func adds() throws {
        let provider = try provider()
        let text = "playing cafe, a b.\n我爱a 我! unplayable"
        let whole = provider.tokenCount(of: text[...])
        var places = 0
        for place in text.indices where " \n,.我爱!".contains(text[place]) {
            places += 1
            #expect(provider.tokenCount(of: text[..<place]) + provider.tokenCount(of: text[place...]) == whole)
        }
        #expect(places > 8)
    }

    @Test("a catalogue counts for models whose tokenizer is here", .needsWeights)
    func catalogue() throws {
        let catalogue = ModelCatalogue(modelDirectory: weightsDirectory)

        let counter = try #require(catalogue.tokenCounter(for: catalogue.models[0]))
        #expect(counter.tokenCount(of: "Playing embeddings") == 5)
        #expect(catalogue.tokenCounter(for: catalogue.models[1]) == nil)
        #expect(catalogue.models[0].maxTextTokens == 254)
    }

    @Test("a model without its files counts nothing")
    func unavailable() {
        let catalogue = ModelCatalogue(modelDirectory: nil)

        #expect(catalogue.models.allSatisfy { catalogue.tokenCounter(for: $0) == nil })
    }
}
