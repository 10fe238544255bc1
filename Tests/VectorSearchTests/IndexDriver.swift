import TestSupport
import Testing

@testable import VectorSearch

/// An index over a store of its own, driven as its owner drives it, one step after the other.
final class IndexDriver {
    let store: VectorStore
    let configuration: IndexConfiguration
    private(set) var index: any VectorIndex
    /// Rows that were taken in and not let go.
    private(set) var rows = RowSet()
    private let memory = StoreMemory()

    init(_ kind: IndexKind, _ metric: Metric, dimension: Int, _ chosen: [IndexParameter: Int] = [:]) {
        store = VectorStore(dimension: dimension, metric: metric)
        configuration = IndexConfiguration(kind, chosen: chosen)
        index = configuration.kind.makeIndex(over: store, configuration)!
    }

    convenience init(_ kind: IndexKind, _ metric: Metric, _ vectors: [[Float]], _ chosen: [IndexParameter: Int] = [:]) {
        self.init(kind, metric, dimension: vectors[0].count, chosen)
        add(vectors)
    }

    /// Takes in the vectors that the store has not got yet, in as many batches and pieces as the index asks for.
    func add(_ vectors: [[Float]]) {
        let new = vectors.compactMap { vector -> Row? in
            let row = store.insert(vector.span)
            guard store.referenceCount(of: row) > 1 else { return row }
            _ = store.release(row)
            return nil
        }
        var left = new[...]
        while !left.isEmpty {
            let batch = Array(left.prefix(index.batchSize))
            left = left.dropFirst(batch.count)
            index.makeRoom(for: batch)
            var pieces: [any PreparedRows] = []
            var unprepared = batch[...]
            while !unprepared.isEmpty {
                let piece = unprepared.prefix(index.pieceSize)
                unprepared = unprepared.dropFirst(piece.count)
                pieces.append(index.prepare(piece, memory))
            }
            // They may come in any order.
            index.publish(pieces.reversed())
            for row in batch { rows.insert(row) }
        }
    }

    func remove(_ forgotten: [Row]) {
        for row in forgotten {
            precondition(store.release(row), "every row has one reference")
            rows.remove(row)
        }
        let forgottenSet = RowSet(forgotten)
        for part in 0..<2 { index.prepareToForget(forgottenSet, part: part, of: 2, memory) }
        index.forget(forgottenSet)
        for row in forgotten { store.reclaim(row) }
    }

    struct Found {
        let neighbors: [Neighbor]
        let outcome: IndexOutcome
    }

    func search(_ query: [Float], _ count: Int, among eligible: RowSet? = nil) -> Found {
        let eligible = eligible ?? rows
        return store.withPreparedQuery(query.span) { query in
            eligible.withBits { bits in
                var nearest = NearestRows(limit: count)
                let request = IndexRequest(count: count, eligible: bits, eligibleCount: eligible.count, ef: nil)
                let outcome = index.search(query, request, into: &nearest)
                return Found(neighbors: nearest.sorted(), outcome: outcome)
            }
        }
    }

    /// The true answer.
    func scan(_ query: [Float], _ count: Int, among eligible: RowSet? = nil) -> [Neighbor] {
        store.withPreparedQuery(query.span) { query in
            (eligible ?? rows).withBits { bits in
                var nearest = NearestRows(limit: count)
                store.scan(bits, count: (eligible ?? rows).count, query: query, into: &nearest)
                return nearest.sorted()
            }
        }
    }

    /// The share of the true neighbours among those found.
    func recall(_ queries: [[Float]], _ count: Int, among eligible: RowSet? = nil) -> Double {
        var found = 0
        var expected = 0
        for query in queries {
            let truth = Set(scan(query, count, among: eligible).map(\.row))
            expected += truth.count
            found += search(query, count, among: eligible).neighbors.count { truth.contains($0.row) }
        }
        return Double(found) / Double(expected)
    }

    /// What is wrong with an answer whatever the index: rows given twice, not eligible, out of order, or with a distance that
    /// is not the store's.
    func problem(_ found: Found, _ query: [Float], among eligible: RowSet? = nil) -> String? {
        let eligible = eligible ?? rows
        let truth = Dictionary(uniqueKeysWithValues: scan(query, eligible.count, among: eligible).map { ($0.row, $0.distance) })
        if Set(found.neighbors.map(\.row)).count != found.neighbors.count { return "a row twice" }
        if let stranger = found.neighbors.first(where: { !eligible.contains($0.row) }) { return "\(stranger) is not eligible" }
        if let wrong = found.neighbors.first(where: { truth[$0.row] != $0.distance }) { return "\(wrong), not \(truth[wrong.row]!)" }
        if !zip(found.neighbors, found.neighbors.dropFirst()).allSatisfy({ $0 < $1 }) { return "out of order" }
        if found.outcome.scored > eligible.count { return "\(found.outcome.scored) of \(eligible.count) rows scored" }
        return nil
    }

    /// Every third of the rows.
    var someRows: RowSet {
        var some = RowSet()
        rows.forEach { if $0.rawValue % 3 == 1 { some.insert($0) } }
        return some
    }

    func statistic(_ name: String) -> Int? {
        index.statistics.details.first { $0.name == name }.map { Int($0.value) }
    }

    func encoded() -> [UInt8] { index.encoded(rowCount: store.usedRows) }

    /// Replaces the index by what its bytes say.
    func reload() throws {
        index = try configuration.kind.decodeIndex(encoded(), over: store, configuration)!
    }

    /// Decodes bytes that may be anything, and uses what comes of it.
    ///
    /// - Returns: whether they were taken for an index.
    func survives(_ bytes: [UInt8], query: [Float]) -> Bool {
        guard let decoded = try? configuration.kind.decodeIndex(bytes, over: store, configuration) else { return false }
        let whole = index
        index = decoded
        defer { index = whole }
        for count in [1, 10, rows.count] {
            let found = search(query, count)
            #expect(Set(found.neighbors.map(\.row)).count == found.neighbors.count)
            #expect(found.neighbors.allSatisfy { rows.contains($0.row) })
        }
        _ = index.statistics
        _ = index.isOutgrown
        let some = someRows
        index.prepareToForget(some, part: 0, of: 1, memory)
        index.forget(some)
        #expect(search(query, 10).neighbors.allSatisfy { !some.contains($0.row) })
        _ = encoded()
        return true
    }

    /// Cuts the bytes of the index short, flips bits of them, and makes others up.
    ///
    /// - Returns: how many of those were taken for an index.
    func survivesDamage(query: [Float], seed: UInt64) -> Int {
        var random = SplitMix(seed: seed)
        let bytes = encoded()
        var accepted = 0
        for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 200)) {
            if survives(Array(bytes.prefix(length)), query: query) { accepted += 1 }
        }
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                // The head and what follows it say the most.
                let isEarly = Bool.random(using: &random)
                let place = Int.random(in: 0..<(isEarly ? min(64, damaged.count) : damaged.count), using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            if survives(damaged, query: query) { accepted += 1 }
        }
        for _ in 0..<200 {
            var invented = Array(bytes.prefix(16))
            for _ in 0..<Int.random(in: 0..<200, using: &random) { invented.append(UInt8.random(in: 0...255, using: &random)) }
            if survives(invented, query: query) { accepted += 1 }
        }
        return accepted
    }
}

/// Points to index and to ask for, by seed.
struct Points {
    private var random: SplitMix

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    mutating func uniform(_ count: Int, dimension: Int) -> [[Float]] {
        (0..<count).map { _ in (0..<dimension).map { _ in Float.random(in: -1...1, using: &random) } }
    }

    /// Of few values, so that many are equally far from a query; none is zero, and zeros have either sign.
    mutating func grid(_ count: Int, dimension: Int) -> [[Float]] {
        (0..<count).map { _ in
            var point = (0..<dimension).map { _ in [-2, -1, -0.0, 0, 1, 2].randomElement(using: &random)! as Float }
            if point.allSatisfy({ $0 == 0 }) { point[0] = 1 }
            return point
        }
    }

    /// Around some centres, as real vectors are.
    mutating func clusters(_ count: Int, dimension: Int) -> [[Float]] {
        let centers = uniform(20, dimension: dimension)
        return (0..<count).map { _ in
            let center = centers.randomElement(using: &random)!
            return center.map { $0 + 0.3 * Float.random(in: -1...1, using: &random) }
        }
    }
}
