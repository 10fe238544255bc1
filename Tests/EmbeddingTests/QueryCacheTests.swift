import TestSupport
import Testing

@testable import Embedding

@Suite("Query cache") struct QueryCacheTests {
    /// What an entry of one byte of text and two numbers takes.
    private static let entry = QueryCache.overhead + 1 + 8

    @Test("gives back what was added, by model and text")
    func keeps() {
        let cache = QueryCache(limit: 1 << 20)
        cache.add([1, 2], of: "a", model: "m")
        cache.add([3, 4], of: "a", model: "n")

        #expect(cache.vector(of: "a", model: "m") == [1, 2] && cache.vector(of: "a", model: "n") == [3, 4])
        #expect(cache.vector(of: "b", model: "m") == nil && cache.vector(of: "A", model: "m") == nil)
        cache.add([5, 6], of: "a", model: "m")
        #expect(cache.vector(of: "a", model: "m") == [5, 6])
        #expect(cache.size == (2, 2 * Self.entry))
        #expect(cache.lookUps == (3, 2))
    }

    @Test("texts that only look the same are different")
    func normalization() {
        let cache = QueryCache(limit: 1 << 20)
        cache.add([1, 2], of: "é", model: "m")

        #expect(cache.vector(of: "e\u{301}", model: "m") == nil)
    }

    @Test("what was not asked for the longest time goes first")
    func evicts() {
        let cache = QueryCache(limit: 3 * Self.entry)
        for text in ["a", "b", "c"] { cache.add([1, 2], of: text, model: "m") }
        _ = cache.vector(of: "a", model: "m")

        cache.add([1, 2], of: "d", model: "m")

        #expect(["a", "b", "c", "d"].map { cache.vector(of: $0, model: "m") != nil } == [true, false, true, true])
    }

    @Test("keeps nothing when it is off, and nothing larger than itself", arguments: [0, entry - 1])
    func off(limit: Int) {
        let cache = QueryCache(limit: limit)

        cache.add([1, 2], of: "a", model: "m")

        #expect(cache.vector(of: "a", model: "m") == nil && cache.size == (0, 0))
    }

    @Test("is a list in the order of use, cut where the bytes end", arguments: [1, 2, 3])
    func model(seed: UInt64) {
        let limit = 10 * Self.entry
        let cache = QueryCache(limit: limit)
        var random = SplitMix(seed: seed)
        var model: [(text: String, vector: [Float])] = []
        func cost(_ entry: (text: String, vector: [Float])) -> Int { QueryCache.overhead + entry.text.utf8.count + 4 * entry.vector.count }

        for step in 0..<20_000 {
            let text = "\(Int.random(in: 0..<30, using: &random))"
            if Bool.random(using: &random) {
                let found = model.firstIndex { $0.text == text }
                #expect(cache.vector(of: text, model: "m") == found.map { model[$0].vector })
                if let found { model.insert(model.remove(at: found), at: 0) }
            } else {
                let vector = [Float](repeating: Float(step), count: Int.random(in: 1...200, using: &random))
                cache.add(vector, of: text, model: "m")
                model.removeAll { $0.text == text }
                model.insert((text, vector), at: 0)
                while model.map(cost).reduce(0, +) > limit { model.removeLast() }
            }
            #expect(cache.size == (model.count, model.map(cost).reduce(0, +)))
        }
    }

    @Test("threads share it")
    func threads() throws {
        let cache = QueryCache(limit: 20 * Self.entry)

        let wrong = try onThreads(4) { thread in
            var random = SplitMix(seed: UInt64(thread))
            return (0..<20_000).count { _ in
                let number = Int.random(in: 0..<9, using: &random)
                if let vector = cache.vector(of: "\(number)", model: "m") { return vector != [Float(number), 0] }
                cache.add([Float(number), 0], of: "\(number)", model: "m")
                return false
            }
        }

        #expect(wrong == [0, 0, 0, 0] && cache.size.bytes <= 20 * Self.entry)
    }
}
