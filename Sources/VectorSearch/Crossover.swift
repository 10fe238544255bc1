import Glibc

/// From how many rows on a graph is faster than comparing with all of them: measured on a library's own vectors.
///
/// Both are timed over the rows of a small graph. The time of a scan grows with the rows, that of a graph with their logarithm
/// (Malkov and Yashunin 2016, section 4.2.1).
struct Crossover {
    /// The size of the graph that is built to measure.
    static let trialRows = 1024
    private static let trialQueries = 40

    /// nil: not measured yet.
    private(set) var rows: Int?

    /// What is known when there is nothing to measure with: from here on it is worth measuring.
    var threshold: Int { rows ?? Self.trialRows }

    init() {}

    init(scan: Duration, graph: Duration, over count: Int) {
        var rows = Double(count)
        let scanOfRow = scan / Duration.nanoseconds(1) / rows
        let graphOfLevel = graph / Duration.nanoseconds(1) / log2(rows)
        while scanOfRow * rows < graphOfLevel * log2(rows), rows < 1e8 { rows *= 1.05 }
        self.rows = Int(rows)
    }

    /// Times both over the rows that a graph knows, with some of them as queries. The caller has pinned the vectors.
    static func measure(_ index: any VectorIndex, over rows: RowSet, of store: VectorStore) -> Crossover {
        let clock = ContinuousClock()
        var scans: [Duration] = []
        var walks: [Duration] = []
        let all = rows.first(.max)
        for number in 0..<trialQueries {
            let row = all[number * all.count / trialQueries]
            store.withVector(row) { vector in
                store.withPreparedQuery(vector) { query in
                    rows.withBits { bits in
                        scans.append(
                            clock.measure {
                                var nearest = NearestRows(limit: 10)
                                store.scan(bits, count: all.count, query: query, into: &nearest)
                            })
                        walks.append(
                            clock.measure {
                                var nearest = NearestRows(limit: 10)
                                let request = IndexRequest(count: 10, eligible: bits, eligibleCount: all.count, ef: nil)
                                _ = index.search(query, request, into: &nearest)
                            })
                    }
                }
            }
        }
        return Crossover(scan: scans.sorted()[trialQueries / 2], graph: walks.sorted()[trialQueries / 2], over: all.count)
    }
}
