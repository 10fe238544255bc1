/// Rows that a search has come upon, compared with the query many at a time, for that costs half as much.
struct CandidateBlock: ~Copyable {
    /// Rows compared so far.
    private(set) var scored = 0

    private let query: PreparedQuery
    private let rows: UnsafeMutablePointer<UInt32>
    private let distances: UnsafeMutablePointer<Float>
    private var count = 0

    private static var capacity: Int { 64 }

    init(_ query: PreparedQuery) {
        self.query = query
        rows = .allocate(capacity: Self.capacity)
        distances = .allocate(capacity: Self.capacity)
    }

    deinit {
        rows.deallocate()
        distances.deallocate()
    }

    /// Takes in a row. It is offered to `nearest` by the next `flush` at the latest, which the caller does not forget.
    @inline(__always)
    mutating func add(_ row: UInt32, into nearest: inout NearestRows) {
        rows[count] = row
        count += 1
        if count == Self.capacity { flush(into: &nearest) }
    }

    mutating func flush(into nearest: inout NearestRows) {
        guard count > 0 else { return }
        query.store.computeDistances(query, to: rows, count: count, into: distances)
        for index in 0..<count where distances[index] <= nearest.bound {
            nearest.offer(Neighbor(row: Row(rows[index]), distance: distances[index]))
        }
        scored += count
        count = 0
    }
}
