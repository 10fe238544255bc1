import TestSupport
import Testing

@testable import Embedding

@Suite("Fingerprint") struct FingerprintTests {
    private let model = EmbeddingModel(name: "m", dimension: 64, maxTokens: 9, provider: "openai", summary: "")

    private func fingerprint(noise: Float = 0, seed: UInt64 = 1, name: String = "m") -> EmbeddingFingerprint {
        var (random, other) = (SplitMix(seed: seed), SplitMix(seed: 99))
        let values = (0..<3 * 64).map { _ in 2 * random.unit() - 1 + noise * (2 * other.unit() - 1) }
        let model = EmbeddingModel(name: name, dimension: 64, maxTokens: 9, provider: "openai", summary: "")
        return EmbeddingFingerprint(of: model, embeddings: Embeddings(dimension: 64, values: values))
    }

    @Test("matches itself, what was stored of it, and the same model with small differences")
    func matches() throws {
        let print = fingerprint()

        #expect(print.matches(print) && print.difference(from: print) == nil)
        #expect(print.matches(fingerprint(noise: 0.02)))
        #expect(EmbeddingFingerprint(model: print.model, dimension: print.dimension, encoded: print.encoded) == print)
        for damaged in [[], [9] + print.encoded.dropFirst(), print.encoded.dropLast()] as [[UInt8]] {
            #expect(EmbeddingFingerprint(model: print.model, dimension: print.dimension, encoded: damaged) == nil)
        }
        #expect(print.canaries.map(\.count) == [64, 64, 64])
        #expect(print.canaries.allSatisfy { $0.map { abs(Int($0)) }.max() == 32_767 })
    }

    @Test("does not match another model, dimension, precision or meaning, and says so")
    func differs() {
        let print = fingerprint()
        func stored(dimension: Int = 64, precision: EmbeddingFingerprint.PrecisionClass = .float, _ canaries: [[Int16]])
            -> EmbeddingFingerprint
        {
            let bytes = canaries.joined().flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
            return EmbeddingFingerprint(model: "m", dimension: dimension, encoded: [precision.rawValue] + bytes)!
        }
        var oneChanged = print.canaries
        oneChanged[2].reverse()

        for (other, complaint) in [
            (fingerprint(name: "n"), "the model is 'm' and not 'n'"),
            (stored(dimension: 65, print.canaries.map { $0 + [0] }), "the dimension is 64 and not 65"),
            (stored(precision: .int8, print.canaries), "the precision is float and not int8"),
            (stored(Array(print.canaries.dropLast())), "it was made of other texts"),
            (fingerprint(seed: 2), "canary text 0 has cosine"), (fingerprint(noise: 0.2), "has changed"),
            (stored(oneChanged), "canary text 2 has cosine"),
            (stored(print.canaries.map { $0.map { _ in 0 } }), "cosine 0.0"),
        ] {
            #expect(!print.matches(other))
            #expect(print.difference(from: other)?.contains(complaint) == true, "\(print.difference(from: other) ?? "none")")
        }
    }

    @Test("of the local model is the same in either precision, and not that of other weights", .needsWeights)
    func local() throws {
        let supported = InstructionSet.supported.contains(.avx512bf16) ? [EmbeddingPrecision.float32, .bfloat16] : [.float32]
        let prints = try supported.map { precision in
            let catalogue = ModelCatalogue(modelDirectory: weightsDirectory, precision: precision)
            return try catalogue.fingerprint(of: .allMiniLML6v2)
        }

        for print in prints { #expect(print.matches(prints[0])) }
        let model = EmbeddingModel.allMiniLML6v2
        let swapped = EmbeddingFingerprint(
            of: model,
            embeddings: try ModelCatalogue(modelDirectory: weightsDirectory).provider(for: model).embed(
                EmbeddingFingerprint.texts.reversed(), as: .document))
        #expect(!prints[0].matches(swapped))
    }

    @Test("of a remote model asks its provider once, and shows a model that was changed behind its name")
    func remote() throws {
        let isChanged = Shared(false)
        let server = StubServer { request, _ in
            let texts = RemoteProviderKind.openai.texts(of: request)
            return RemoteProviderKind.openai.answer(texts.map { stubVector($0 + (isChanged.current ? "!" : ""), dimension: 8) })
        }
        let model = RemoteModel(name: "r", provider: .openai, dimension: 8, maxTokens: 9, baseURL: server.url, summary: "")
        let catalogue = ModelCatalogue(modelDirectory: nil, configured: [model])

        let print = try catalogue.fingerprint(of: model.model)
        #expect(server.requests.count == 1)
        #expect(try catalogue.fingerprint(of: model.model).matches(print))
        isChanged.set(true)
        #expect(try !catalogue.fingerprint(of: model.model).matches(print))
        #expect(throws: EmbeddingError.self) { try catalogue.fingerprint(of: self.model) }
    }
}
