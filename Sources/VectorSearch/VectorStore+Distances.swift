import CVectorKernels

/// A query made ready to be compared with the rows of one store.
package struct PreparedQuery {
    /// Of norm 1 under cosine, otherwise as it was given. Valid while the closure runs that got this.
    let vector: UnsafePointer<Float>
    let store: VectorStore
}

extension VectorStore {
    /// Under cosine the query is normalised once, in `Double`; otherwise it is used as it is. It has passed `validate`.
    func withPreparedQuery<Result>(_ query: Span<Float>, _ body: (PreparedQuery) -> Result) -> Result {
        precondition(query.count == dimension, "queries are validated before they are searched for")
        return query.withUnsafeBufferPointer { query in
            guard metric == .cosine else { return body(PreparedQuery(vector: query.baseAddress!, store: self)) }
            let scale = 1 / Self.norm(of: query.span)
            return withUnsafeTemporaryAllocation(of: Float.self, capacity: dimension) { normalised in
                for index in query.indices {
                    normalised.initializeElement(at: index, to: Float(Double(query[index]) * scale))
                }
                return body(PreparedQuery(vector: normalised.baseAddress!, store: self))
            }
        }
    }

    /// Writes the distances of the query to the rows listed. Costs a few nanoseconds a row more than rows that follow each other.
    func computeDistances(
        _ query: PreparedQuery, to rows: UnsafePointer<UInt32>, count: Int, into distances: UnsafeMutablePointer<Float>
    ) {
        var block = quire_block(
            query: query.vector, query_scale: 1, table: vectors.base, inverse_norms: inverseNorms.base, stride: stride,
            dimension: dimension, ids: rows, count: count)
        quire_distances(instructionSet.kernel, metric.kernel, &block, distances)
    }

    /// Computes the distances of the query to all `rows`, in ascending order, and gives them to `body` in blocks of at
    /// most 64: the distances of consecutive rows from `first` on, and a bit for each that says whether it is one of
    /// `rows`. The other distances of a block mean nothing.
    ///
    /// The query has passed `validate`, so no distance is infinite or NaN.
    func forEachBlock(
        of rows: RowBits, query: PreparedQuery,
        _ body: (_ first: UInt32, _ distances: UnsafeBufferPointer<Float>, _ members: UInt64) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { distances in
            for (index, members) in rows.words.enumerated() where members != 0 {
                // Rows before the first member and after the last are left out.
                let skipped = members.trailingZeroBitCount
                let count = 64 - members.leadingZeroBitCount - skipped
                let first = index * 64 + skipped
                var block = quire_block(
                    query: query.vector, query_scale: 1, table: vectors.base + first * stride, inverse_norms: inverseNorms.base + first,
                    stride: stride, dimension: dimension, ids: nil, count: count)
                quire_distances(instructionSet.kernel, metric.kernel, &block, distances.baseAddress!)
                body(UInt32(first), UnsafeBufferPointer(rebasing: distances[..<count]), members >> UInt64(skipped))
            }
        }
    }

    /// Offers every one of `rows` to `nearest`, each row once. Costs a distance for each of them, and where they lie close
    /// together also for those between.
    package func scan(_ rows: RowBits, count: Int, query: PreparedQuery, into nearest: inout NearestRows) {
        guard rows.isDense(count) else { return scanSparse(rows, query: query, into: &nearest) }
        forEachBlock(of: rows, query: query) { first, distances, members in
            // One comparison settles nearly every row; whether it is a member matters only for the few that pass.
            for index in distances.indices where distances[index] <= nearest.bound {
                guard members >> UInt64(index) & 1 == 1 else { continue }
                nearest.offer(Neighbor(row: Row(first + UInt32(index)), distance: distances[index]))
            }
        }
    }

    private func scanSparse(_ rows: RowBits, query: PreparedQuery, into nearest: inout NearestRows) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { distances in
            rows.forEachList { list in
                computeDistances(query, to: list.baseAddress!, count: list.count, into: distances.baseAddress!)
                for index in list.indices where distances[index] <= nearest.bound {
                    nearest.offer(Neighbor(row: Row(list[index]), distance: distances[index]))
                }
            }
        }
    }
}
