/// Exact search: every row is compared with the query, in the order of memory.
///
/// Costs one distance a row and a bit of memory a row; inserting and removing cost nothing. Nothing else is exact, and
/// up to some ten thousand rows little else is faster.
final class BruteForceIndex: VectorIndex {
    let kind = IndexKind.bruteForce
    private let store: VectorStore
    private var rows = RowSet()

    init(store: VectorStore) {
        self.store = store
    }

    var statistics: IndexStatistics {
        IndexStatistics(kind: kind, rows: rows.count, bytes: rows.sizeInBytes)
    }

    func insert(_ row: Row) {
        precondition(store.contains(row), "an index holds live rows")
        rows.insert(row)
    }

    func remove(_ row: Row) {
        rows.remove(row)
    }

    func search(_ query: Span<Float>, count: Int) -> SearchOutcome {
        precondition(count >= 0, "a search asks for a number of rows")
        guard count > 0 else { return SearchOutcome(neighbors: [], scored: 0, exact: true) }
        var nearest = NearestRows(limit: min(count, rows.count))
        store.forEachBlock(of: rows, query: query) { first, distances, members in
            // One comparison settles nearly every row; whether it is a member matters only for the few that pass.
            for index in distances.indices where distances[index] <= nearest.bound {
                guard members >> UInt64(index) & 1 == 1 else { continue }
                nearest.offer(Neighbor(row: Row(first + UInt32(index)), distance: distances[index]))
            }
        }
        return SearchOutcome(neighbors: nearest.sorted(), scored: rows.count, exact: true)
    }
}
