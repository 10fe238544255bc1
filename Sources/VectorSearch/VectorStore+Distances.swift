extension VectorStore {
    /// Computes the distances of `query` to all `rows`, in ascending order, and gives them to `body` in blocks of at
    /// most 64: the distances of consecutive rows from `first` on, and a bit for each that says whether it is one of
    /// `rows`. The other distances of a block mean nothing.
    ///
    /// The query has passed `validate`, so no distance is infinite or NaN.
    func forEachBlock(
        of rows: RowSet, query: Span<Float>,
        _ body: (_ first: UInt32, _ distances: UnsafeBufferPointer<Float>, _ members: UInt64) -> Void
    ) {
        withPreparedQuery(query) { query in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { distances in
                // Capacities are powers of two and slabs start at multiples of theirs, so no block crosses a word of
                // the set.
                var slabStart = 0
                for slab in slabs {
                    for offset in stride(from: 0, to: min(slab.capacity, usedRows - slabStart), by: 64) {
                        let first = slabStart + offset
                        let members = rows.bits(from: first, count: min(slab.capacity - offset, 64))
                        guard members != 0 else { continue }

                        // Rows before the first member and after the last are left out.
                        let skipped = members.trailingZeroBitCount
                        let count = 64 - members.leadingZeroBitCount - skipped
                        let start = offset + skipped
                        instructionSet.computeDistances(
                            metric, from: query, to: slab.vectors + start * layout.stride, stride: layout.stride,
                            count: count, dimension: dimension, inverseNorms: slab.inverseNorms + start,
                            into: distances.baseAddress!)
                        body(
                            UInt32(first + skipped), UnsafeBufferPointer(rebasing: distances[..<count]),
                            members >> UInt64(skipped))
                    }
                    slabStart += slab.capacity
                }
            }
        }
    }

    /// Under cosine the query is normalised once, in `Double`; otherwise it is used as it is.
    private func withPreparedQuery(_ query: Span<Float>, _ body: (UnsafePointer<Float>) -> Void) {
        precondition(query.count == dimension, "queries are validated before they are searched for")
        query.withUnsafeBufferPointer { query in
            guard metric == .cosine else { return body(query.baseAddress!) }
            let scale = 1 / Self.norm(of: query.span)
            withUnsafeTemporaryAllocation(of: Float.self, capacity: dimension) { normalised in
                for index in query.indices {
                    normalised.initializeElement(at: index, to: Float(Double(query[index]) * scale))
                }
                body(normalised.baseAddress!)
            }
        }
    }
}
