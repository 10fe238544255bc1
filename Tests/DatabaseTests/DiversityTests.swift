import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("Diversity of results")
struct DiversityTests {
    @Test("puts what says the same behind what says something else, the more so the more of it is asked for", arguments: Metric.allCases)
    func order(metric: Metric) throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(metric: metric)
        // Two that say the same, and one that is a little farther and says something else.
        let vectors: [[Float]] = [[1, 0.1, 0, 0], [1, 0.11, 0, 0], [0.8, -0.6, 0, 0], [0, 0, 1, 0]]
        for (id, vector) in vectors.enumerated() {
            try test.database.put(id, in: library, [chunk(id, vector)])
        }
        func found(_ diversity: Float, count: Int = 3, _ change: (inout SearchQuery) -> Void = { _ in }) throws -> [DocumentID] {
            var query = SearchQuery(vector: [1, 0, 0, 0], count: count)
            query.diversity = diversity
            change(&query)
            return try test.database.search(in: library, query).hits.map(\.document.id)
        }

        let nearest = try found(0)
        #expect(Set(nearest) == [.number(0), .number(1), .number(2)] && nearest[2] == .number(2))
        #expect(try found(0.01) == nearest)
        let diverse = try found(0.7)
        #expect(diverse[0] == nearest[0] && diverse[1] != nearest[1])
        #expect(try found(1, count: 4)[3] == nearest[1])
        // A page goes on where the one before it ended.
        let all = try found(0.7, count: 4)
        #expect(try found(0.7, count: 2) + found(0.7, count: 2) { $0.offset = 2 } == all)
        #expect(try Set(found(0.7, count: 4) { $0.groupsByDocument = true }) == Set(all))
    }

    @Test("is maximal marginal relevance")
    func definition() throws {
        var generator = SplitMix(seed: 5)
        for _ in 0..<200 {
            let count = Int.random(in: 1...12, using: &generator)
            let relevances = (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }.sorted(by: >)
            let similarity = (0..<count).map { _ in (0..<count).map { _ in Float.random(in: -1...1, using: &generator) } }
            let diversity = Float.random(in: 0...1, using: &generator)

            let order = MaximalMarginalRelevance(diversity: diversity).order(relevances, count: count) { similarity[$0] }

            #expect(Set(order) == Set(0..<count))
            for place in order.indices {
                func gain(_ candidate: Int) -> Float {
                    let stretched = count > 1 ? (relevances[candidate] - relevances.last!) / (relevances[0] - relevances.last!) : 1
                    let nearest = order[..<place].map { similarity[$0][candidate] }.max() ?? 0
                    return (1 - diversity) * stretched - diversity * max(0, nearest)
                }
                #expect(order[place...].allSatisfy { gain($0) <= gain(order[place]) })
            }
        }
    }

    @Test("of words and of both is about the vectors of what they find")
    func modes() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(metric: .l2)
        // The last one's vector has no direction, so nothing is like it.
        let chunks: [(text: String, vector: [Float])] = [
            ("fox fox fox", [1, 0, 0, 0]), ("fox fox", [1, 0, 0, 0]), ("fox", [0, 1, 0, 0]), ("a fox in the rain", [0, 0, 0, 0]),
        ]
        for (id, (text, vector)) in chunks.enumerated() {
            try test.database.put(id, in: library, [chunk(id, vector, text: text)])
        }
        for mode in [SearchQuery.Mode.keyword, .hybrid] {
            var query = SearchQuery(mode, vector: [1, 0, 0, 0], text: "fox", count: 4)
            query.diversity = 1
            #expect(try test.database.search(in: library, query).hits.last?.document.id == .number(1), "\(mode)")
        }
        var query = SearchQuery(.keyword, text: "nothing", count: 4)
        query.diversity = 0.5
        #expect(try test.database.search(in: library, query).hits.isEmpty)
    }
}
