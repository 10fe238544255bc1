import CVectorKernels

extension CodeTable {
    /// Offers `nearest` every one of `rows` that can be among the nearest, with the distances that the store computes: the
    /// answer is that of `VectorStore.scan`, for a quarter of the memory read.
    ///
    /// The distance of codes is off by no more than what coding lost of the row and of the query, so a row is left out only if it
    /// is farther than the bound even then. Returns how many were compared by their vectors.
    func scan(_ rows: RowBits, count: Int, query: PreparedQuery, into nearest: inout NearestRows) -> Int {
        withCodedQuery(query) { coded, queryNorm, queryError in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { distances in
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { near in
                    var compared = 0
                    func offer(_ count: Int) {
                        query.store.computeDistances(query, to: near.baseAddress!, count: count, into: distances.baseAddress!)
                        for index in 0..<count where distances[index] <= nearest.bound {
                            nearest.offer(Neighbor(row: Row(near[index]), distance: distances[index]))
                        }
                        compared += count
                    }
                    for (index, members) in rows.words.enumerated() where members != 0 {
                        let skipped = members.trailingZeroBitCount
                        let count = 64 - members.leadingZeroBitCount - skipped
                        let first = index * 64 + skipped
                        var block = coded
                        block.table += first * stride
                        block.scales += first
                        block.norms += first
                        block.count = count
                        quire_code_distances(query.store.instructionSet.kernel, metric.kernel, &block, distances.baseAddress!)
                        var rest =
                            members >> UInt64(skipped)
                            & quire_near_codes(
                                metric.kernel, distances.baseAddress!, errors.base + first, norms.base + first, count, queryNorm,
                                queryError, nearest.bound)
                        var found = 0
                        while rest != 0 {
                            near[found] = UInt32(first + rest.trailingZeroBitCount)
                            found += 1
                            rest &= rest - 1
                        }
                        if found > 0 { offer(found) }
                    }
                    return compared
                }
            }
        }
    }

    private func withCodedQuery<Result>(
        _ query: PreparedQuery, _ body: (_ block: quire_code_block, _ norm: Float, _ error: Float) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: dimension) { unsigned in
            let coding = quire_encode(query.vector, dimension, 1, unsigned.baseAddress!)
            for index in unsigned.indices { unsigned[index] ^= 0x80 }
            return unsigned.withMemoryRebound(to: Int8.self) { signed in
                let block = quire_code_block(
                    query: signed.baseAddress!, query_scale: coding.scale, query_sum: coding.sum, query_norm: coding.norm,
                    table: codes.base, scales: scales.base, norms: norms.base, stride: stride, dimension: dimension, ids: nil, count: 0)
                let vector = UnsafeBufferPointer(start: query.vector, count: dimension)
                return body(block, Float(VectorStore.norm(of: vector.span)) * 1.000001, coding.error)
            }
        }
    }
}
