import Glibc
import Locks
import TestSupport
import Testing

@testable import Embedding

/// The whole way from text to vector, with a model of random weights.
@Suite("Provider") struct MiniLMProviderTests {
    private let directory = TemporaryDirectory()
    private let texts = ["", "a", "playing a b c", "我爱 cafe, unplayable!", "zzz", "a b c a b c a b c a b c a b c a b c", "[CLS]"]

    private func provider(_ model: TinyModel = TinyModel(seed: 1), _ set: InstructionSet = .best) throws -> MiniLMProvider {
        try model.write(to: directory)
        return try MiniLMProvider(directory: directory.path, instructionSet: set, shape: TinyModel.shape)
    }

    private func ids(of text: String) throws -> [UInt32] {
        let path = directory.path + "/vocab.txt"
        var ids: [UInt32] = []
        try WordPieceTokenizer(vocabulary: Vocabulary(path: path), maxTokens: 16, path: path).encode(text, into: &ids)
        return ids
    }

    @Test("vectors are those of the definition, with every instruction set")
    func followsDefinition() throws {
        let model = TinyModel(seed: 7)
        try model.write(to: directory)
        let expected = try texts.map { model.vector(of: try ids(of: $0)) }

        for set in InstructionSet.supported {
            let vectors = try provider(model, set).embed(texts, as: .document)

            #expect(vectors.count == texts.count && vectors.dimension == 64)
            for position in texts.indices {
                let similarity = cosine(vectors[position].map(Double.init), expected[position])
                #expect(similarity > (set == .avx512bf16 ? 0.9995 : 0.999999), "\(set): '\(texts[position])' \(similarity)")
                #expect(abs(vectors[position].map { $0 * $0 }.reduce(0, +) - 1) < 1e-5)
            }
        }
    }

    @Test("a vector does not depend on what else is embedded, to the last bit", arguments: InstructionSet.supported)
    func independentOfOthers(set: InstructionSet) throws {
        let provider = try provider(TinyModel(seed: 2), set)
        let many = (0..<60).map { texts[($0 * $0 + $0 / 3) % texts.count] }

        let together = try provider.embed(many, as: .document)

        for (position, text) in many.enumerated() {
            #expect(try provider.embed([text], as: .query).values == Array(together[position]))
        }
    }

    @Test("no texts have no vectors")
    func nothing() throws {
        #expect(try provider().embed([], as: .document) == Embeddings(dimension: 64, values: []))
    }

    @Test("a deadline that has passed ends the call; one that has not changes nothing")
    func deadline() throws {
        let provider = try provider()

        #expect(throws: EmbeddingError.deadlineExceeded) {
            try provider.embed(texts, as: .document, deadline: .now - .seconds(1))
        }
        let inTime = try provider.embed(texts, as: .document, deadline: .now + .seconds(600))
        #expect(try inTime == provider.embed(texts, as: .document))
    }

    @Test("many threads get the same vectors at once")
    func manyThreads() throws {
        let provider = try provider()
        let expected = try provider.embed(texts, as: .document)
        let results = try onThreads(8) { _ in try (0..<5).map { _ in try provider.embed(texts, as: .document) } }.flatMap(\.self)

        #expect(results.count == 40 && results.allSatisfy { $0 == expected })
    }

    @Test("the vectors are the same whoever computes them, and however many at a time")
    func sharedWork() throws {
        let provider = try provider()
        let many = (0..<40).map { texts[$0 % texts.count] }
        let expected = try provider.embed(many, as: .document)

        let threads = FourThreads()
        #expect(try provider.embed(many, as: .document, deadline: nil, on: threads) == expected)
        #expect(threads.parts.current > 10, "there was work to share")
    }

    @Test("of several that fail, one says why", arguments: [1, 9])
    func sharedFailure(count: Int) throws {
        let provider = try provider()

        #expect(throws: EmbeddingError.deadlineExceeded) {
            try provider.embed(Array(repeating: texts[5], count: count), as: .document, deadline: .now - .seconds(1), on: FourThreads())
        }
    }

    private struct FourThreads: PartRunner {
        let parts = Shared(0)

        func run(_ count: Int, _ part: @escaping @Sendable (Int) -> Void) {
            parts.update { $0 += count }
            do {
                try onThreads(4) { thread in
                    for number in stride(from: thread, to: count, by: 4) { part(number) }
                }
            } catch {
                preconditionFailure("parts do not throw")
            }
        }
    }

    @Test("a model whose result has no direction is an error, not a vector")
    func noDirection() throws {
        var model = TinyModel(seed: 3)
        model.tensors["encoder.layer.1.output.LayerNorm.weight"]!.values = [Float](repeating: 0, count: 64)
        model.tensors["encoder.layer.1.output.LayerNorm.bias"]!.values = [Float](repeating: 0, count: 64)
        let provider = try provider(model)

        #expect(throws: EmbeddingError.noDirection(model: "all-minilm-l6-v2")) { try provider.embed(["a"], as: .document) }
        #expect(throws: EmbeddingError.noDirection(model: "all-minilm-l6-v2")) {
            try provider.embed([String](repeating: "a b c", count: 9), as: .document)
        }
    }

    @Test(
        "a model of another shape, or without a tensor, is refused",
        arguments: ["encoder.layer.1.output.dense.weight", "embeddings.LayerNorm.bias", "embeddings.word_embeddings.weight"])
    func refusesOtherModels(name: String) throws {
        var model = TinyModel(seed: 4)
        model.tensors[name]!.shape.append(1)

        #expect(throws: EmbeddingError.self) { try provider(model) }
        #expect(throws: EmbeddingError.self) {
            try TinyModel(seed: 4).write(to: directory)
            return try MiniLMProvider(directory: directory.path)
        }
    }

    @Test("a vocabulary of another size is refused")
    func refusesOtherVocabulary() throws {
        try TinyModel(seed: 5).write(to: directory, pieces: TinyModel.pieces + ["more"])

        #expect(throws: EmbeddingError.invalidModelFile(path: directory.path + "/vocab.txt", reason: "it has 35 pieces, the model has 34"))
        {
            try MiniLMProvider(directory: directory.path, instructionSet: .portable, shape: TinyModel.shape)
        }
    }

    @Test("bfloat16 is refused where the CPU does not multiply it")
    func refusesPrecision() throws {
        try TinyModel(seed: 6).write(to: directory)
        for precision in EmbeddingPrecision.allCases {
            let refused = #expect(throws: EmbeddingError.self) { try MiniLMProvider(directory: directory.path, precision: precision) }
            let isUnsupported = precision == .bfloat16 && InstructionSet.best != .avx512bf16
            #expect((refused == .unsupportedPrecision(.bfloat16)) == isUnsupported)
        }
    }
}
