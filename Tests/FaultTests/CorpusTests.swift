import FoundationEssentials
import FuzzTargets
import TestSupport
import Testing

/// Proves that what the fuzzers have once found stays mended: their corpora, also without the fuzzers.
@Suite("Corpora of the fuzzers") struct CorpusTests {
    @Test("no input breaks the promise of its target", arguments: fuzzTargets.keys.sorted())
    func replay(name: String) throws {
        let target = try #require(fuzzTargets[name])
        let directory = TemporaryDirectory()
        let corpus = "\(checkout)/Tests/Fuzz/Corpus/\(name)"
        let inputs = try FileManager.default.contentsOfDirectory(atPath: corpus).sorted()
        #expect(inputs.count > 1)

        for input in inputs {
            #expect(throws: Never.self, "\(input)") {
                try target.run(try contents(of: "\(corpus)/\(input)"), in: directory.path, hasPlantedBug: false)
            }
        }
    }
}
