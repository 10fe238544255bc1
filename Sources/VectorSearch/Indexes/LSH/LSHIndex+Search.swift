extension LSHIndex {
    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        guard let training, request.count > 0 else { return IndexOutcome(scored: 0, isExact: count == 0 || request.count == 0) }
        let probes = probes(count: request.count, eligible: request.eligibleCount)
        // To find more buckets than there are rows costs more than to compare these.
        let isAll = probes >= 1 << training.hyperplanes.bits || probes * training.hyperplanes.tables >= request.eligibleCount
        return scratch.withScratch { scratch in
            let met =
                isAll ? scratch.words(count: known.words.count) { known.words[$0] } : meet(query, training.hyperplanes, probes, scratch)
            let metCount = met.reduce(0) { $0 + $1.nonzeroBitCount }
            let eligible = request.eligible.words
            for word in met.indices { met[word] &= word < eligible.count ? eligible[word] : 0 }
            let scored = compare(query, with: UnsafeBufferPointer(met), into: &nearest)
            let isExact = isAll || scored == request.eligibleCount
            return IndexOutcome(
                scored: scored, isExact: isExact, strategy: .postFilter,
                isReliable: isExact || request.admits(scored, of: metCount, outOf: known.count))
        }
    }

    /// The rows in the buckets read, as the words of a set: so each is there once.
    private func meet(
        _ query: PreparedQuery, _ hyperplanes: Hyperplanes, _ probes: Int, _ scratch: LSHScratch
    ) -> UnsafeMutableBufferPointer<UInt64> {
        // Every row found is taken out of all, whether it is there or not, and what is missing then was found.
        let words = scratch.words(count: known.words.count) { known.words[$0] }
        let margins = scratch.margins(hyperplanes.count)
        hyperplanes.computeMargins(ofQuery: query.vector, into: margins.baseAddress!)
        for table in 0..<hyperplanes.tables {
            scratch.order.begin(hyperplanes, table: table, margins: margins.baseAddress!)
            for _ in 0..<probes {
                guard let bucket = scratch.order.next() else { break }
                for segment in segments { segment.remove(bucket: bucket, ofTable: table, from: words) }
            }
        }
        for word in words.indices { words[word] ^= known.words[word] }
        return words
    }

    private func compare(
        _ query: PreparedQuery, with candidates: UnsafeBufferPointer<UInt64>, into nearest: inout NearestRows
    ) -> Int {
        var block = CandidateBlock(query)
        for (word, bits) in candidates.enumerated() {
            var rest = bits
            while rest != 0 {
                block.add(UInt32(word * 64 + rest.trailingZeroBitCount), into: &nearest)
                rest &= rest - 1
            }
        }
        block.flush(into: &nearest)
        return block.scored
    }
}
