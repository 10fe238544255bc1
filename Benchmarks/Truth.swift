import VectorSearch

/// What counts as found: the rows nearest to each query, with all that are as near as the last of them.
struct Truth {
    /// How many neighbours are asked for.
    let count: Int
    /// By query: rows of the store.
    private let rows: [[Row]]

    /// Two rows this near to each other in distance, relative to distances above 1, may come in either order: floats are
    /// added in different orders by different programs.
    private static let tolerance = 1e-6

    /// - Parameters:
    ///   - answers: by query, rows nearest first, enough of them that ties are among them.
    ///   - distance: of a query to a row.
    init(count: Int, answers: [[Row]], distance: (_ query: Int, _ row: Row) -> Double) {
        self.count = count
        rows = answers.enumerated().map { query, answers in
            var accepted: [Row] = []
            var bound = Double.infinity
            for row in answers where !accepted.contains(row) {
                let distance = distance(query, row)
                if distance > bound { break }
                accepted.append(row)
                if accepted.count == count { bound = distance + Self.tolerance * max(1, abs(distance)) }
            }
            return accepted
        }
    }

    func hits(_ neighbors: [Neighbor], query: Int) -> Int {
        min(count, neighbors.count { rows[query].contains($0.row) })
    }

    /// How many there were to find.
    func possibleHits(query: Int) -> Int { min(count, rows[query].count) }
}
