import CEmbeddingKernels
import Foundation
import TestSupport
import Testing

@testable import Embedding

/// Against sentence-transformers, on texts that are hard to get right; Fixtures/make-reference.py made the files.
@Suite("Reference", .needsWeights) struct ReferenceTests {
    private struct Entry: Decodable {
        let text: String
        let ids: [UInt32]
    }

    private let entries: [Entry]
    private let vectors: [Float]

    init() throws {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        entries = try JSONDecoder().decode([Entry].self, from: Data(contentsOf: fixtures.appending(path: "reference.json")))
        vectors = try contents(of: fixtures.appending(path: "reference.f32").path).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        try #require(entries.count >= 100 && vectors.count == entries.count * 384)
    }

    private func directory() throws -> String { try #require(weightsDirectory) }

    @Test("every text has the reference's tokens")
    func tokens() throws {
        let path = try directory() + "/vocab.txt"
        let tokenizer = try WordPieceTokenizer(vocabulary: Vocabulary(path: path), maxTokens: 256, path: path)

        for entry in entries {
            var ids: [UInt32] = []
            tokenizer.encode(entry.text, into: &ids)
            #expect(ids == entry.ids, "\(entry.text.prefix(40).debugDescription)")
        }
    }

    @Test("every text has the reference's vector", arguments: InstructionSet.supported)
    func cosines(set: InstructionSet) throws {
        let provider = try MiniLMProvider(directory: directory(), instructionSet: set)
        let positions = entries.indices.filter { isWorthwhile($0, for: set) }
        try #require(positions.count >= (set.rawValue >= InstructionSet.best.rawValue - 1 ? 100 : 10))

        let embedded = try provider.embed(positions.map { entries[$0].text }, as: .document)

        let cosines = zip(positions, 0...).map { position, index in
            cosine(embedded[index].map(Double.init), vectors[position * 384..<(position + 1) * 384].map(Double.init))
        }
        let lowest = try #require(cosines.min())
        #expect(lowest >= (set == .avx512bf16 ? 0.9998 : 0.999999), "\(set): \(lowest)")
    }

    /// All texts where the kernels are optimised. Where they are not: the short ones for the two best sets, fewer for the others
    /// (which the kernels' own tests hold to the same results), and a long one for the best.
    private func isWorthwhile(_ position: Int, for set: InstructionSet) -> Bool {
        if embedding_is_optimized() { return true }
        let tokens = entries[position].ids.count
        if set == .best, entries[position].text.hasPrefix("the quick jumps ") { return true }
        return tokens <= 12 && (set.rawValue >= InstructionSet.best.rawValue - 1 || position.isMultiple(of: 8))
    }
}
