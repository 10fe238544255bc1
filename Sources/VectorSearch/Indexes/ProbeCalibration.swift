import Glibc

/// How much of an index a search must look at to find nearly all of what it is asked for, measured when the index is made:
/// some of its rows are asked for as if they were queries, and it is seen how far down the order of lists (or buckets) their
/// true neighbours are.
///
/// A measurement, because the answer lies between a hundredth and half of the lists, by dimension and spread of the vectors.
/// What it promises holds for queries that are like the rows.
struct ProbeCalibration: Equatable {
    /// Lists to look at for the 10 nearest, and for the 100 nearest.
    let forTen: Int
    let forHundred: Int

    static var queryCount: Int { 512 }
    /// The share of the neighbours to be found, a margin above 0.95 for queries that are less like the rows.
    static var recall: Double { 0.97 }

    /// Lists to look at for the `count` nearest of `eligible` among `total` rows: where a tenth of the rows is eligible, the
    /// tenth nearest of them is about the hundredth nearest of all. The logarithm of the lists is interpolated, or
    /// extrapolated, by the logarithm of the count.
    func probes(count: Int, eligible: Int, of total: Int) -> Int {
        let depth = Double(min(count, eligible)) * max(1, Double(total) / Double(max(eligible, 1)))
        guard depth > 10 else { return forTen }
        let growth = log10(Double(forHundred) / Double(forTen))
        return Int(min(Double(forTen) * pow(depth / 10, growth), Double(Int32.max)).rounded(.up))
    }
}

extension ProbeCalibration {
    /// Whether it can be that of an index of so many lists.
    func fits(limit: Int) -> Bool {
        1 <= forTen && forTen <= forHundred && forHundred <= limit
    }

    /// - Parameters:
    ///   - ranks: for each query, the place in the order of lists at which each of its neighbours is found, nearest
    ///     neighbour first.
    ///   - limit: the number of lists.
    init(ranks: [[Int]], limit: Int) {
        func probes(forNearest count: Int) -> Int {
            let ranks = ranks.flatMap { $0.prefix(count) }.sorted()
            guard !ranks.isEmpty else { return limit }
            let needed = Int((Double(ranks.count) * Self.recall).rounded(.up))
            return min(ranks[needed - 1] + 1, limit)
        }
        forTen = probes(forNearest: 10)
        forHundred = max(forTen, probes(forNearest: 100))
    }
}

/// Rows as queries, and the rows nearest to each.
struct SampleQueries {
    /// The queries, of norm 1 under cosine.
    let vectors: VectorTable
    /// By position in the rows that were given, nearest first, at most 100 for each query; the query itself is left out.
    let neighbors: [[Int]]

    /// Draws queries of `rows` and compares each with all of them. Costs as much as comparing 512 queries with every row.
    init(of rows: [UInt32], over store: VectorStore, _ memory: StoreMemory, _ random: inout SeededRandom) {
        let positions = random.sample(ProbeCalibration.queryCount, of: rows.indices)
        let vectors = store.copyVectors(of: positions.map { rows[$0] }, memory)
        var nearest = positions.map { _ in NearestRows(limit: 100) }
        // So many that comparing all queries with them takes some tenths of a millisecond.
        let pieceSize = max(1, min(64, (1 << 23) / (max(positions.count, 1) * store.dimension)))
        withUnsafeTemporaryAllocation(of: Float.self, capacity: pieceSize) { distances in
            rows.withUnsafeBufferPointer { rows in
                for first in stride(from: 0, to: rows.count, by: pieceSize) {
                    let count = min(pieceSize, rows.count - first)
                    memory.pinned {
                        for query in positions.indices {
                            let prepared = PreparedQuery(vector: vectors[query], store: store)
                            store.computeDistances(
                                prepared, to: rows.baseAddress! + first, count: count, into: distances.baseAddress!)
                            for index in 0..<count where distances[index] <= nearest[query].bound && first + index != positions[query] {
                                nearest[query].offer(Neighbor(row: Row(UInt32(first + index)), distance: distances[index]))
                            }
                        }
                    }
                }
            }
        }
        self.vectors = vectors
        neighbors = nearest.map { nearest in nearest.sorted().map { Int($0.row.rawValue) } }
    }
}
