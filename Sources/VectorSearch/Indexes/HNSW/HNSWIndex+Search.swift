import CVectorKernels

extension HNSWIndex {
    /// Filters that leave at least this share are searched for more than was asked for; below it the walk keeps to eligible rows.
    /// Measured on 115,659 × 384: `Benchmarks/README.md`.
    private static let postFilterShare = 0.5

    /// Algorithm 5, with a filter. Offers what it found to `nearest`, scored with the vectors.
    func search<Scorer: RowScorer>(
        _ scorer: Scorer, _ request: IndexRequest, _ scratch: HNSWScratch, _ query: PreparedQuery, into nearest: inout NearestRows
    ) -> IndexOutcome {
        let ef = max(request.ef ?? efSearch, request.count)
        var outcome = IndexOutcome(scored: 0, isExact: false, ef: ef)
        guard let (start, top) = entryPoint, request.eligibleCount > 0, request.count > 0 else {
            outcome.isExact = request.eligibleCount == 0
            return outcome
        }
        let entry = descend(scorer, from: start, on: top, to: 0, scratch, scored: &outcome.scored)
        let share = Double(request.eligibleCount) / Double(max(linked.count, 1))
        let count: Int
        if share >= Self.postFilterShare {
            outcome.strategy = .postFilter
            let wanted = share >= 1 ? ef : Int((Double(ef) / share).rounded(.up))
            scratch.reserve(candidateCount: wanted + 1)
            scratch.candidates[0] = entry.key
            _ = scratch.marks.mark(entry.row)
            count = walk(scorer, on: 0, ef: wanted, seeded: 1, scratch, scored: &outcome.scored)
        } else {
            outcome.strategy = .inGraph
            scratch.reserve(candidateCount: ef + 1)
            let seeded = seedEligible(scorer, request, entry, ef: ef, scratch, scored: &outcome.scored)
            count = walkEligible(
                scorer, ef: ef, eligible: request.eligible, seeded: seeded, scratch, scored: &outcome.scored)
        }
        outcome.scored += offer(count, scratch, request, query, to: &nearest)
        return outcome
    }

    /// Where a walk over eligible rows begins: at those around the entry, and at some anywhere, because they may be all together
    /// far from the query, where links from the entry do not lead.
    private func seedEligible<Scorer: RowScorer>(
        _ scorer: Scorer, _ request: IndexRequest, _ entry: Position, ef: Int, _ scratch: HNSWScratch, scored: inout Int
    ) -> Int {
        var count = 0
        var found = 0
        if request.eligible.contains(entry.row) {
            _ = scratch.marks.mark(entry.row)
            scratch.rows[0] = entry.row
            found = 1
        } else {
            found = gatherEligible(around: entry.row, lists(on: 0), request.eligible, scratch)
        }
        scratch.marks.reserve(64)
        let words = request.eligible.words
        let step = max(words.count / 16, 1)
        for start in stride(from: 0, to: words.count, by: step) {
            // The first eligible row from here on, in this sixteenth.
            guard let word = (start..<min(start + step, words.count)).first(where: { words[$0] != 0 }) else { continue }
            let row = UInt32(word * 64 + words[word].trailingZeroBitCount)
            guard scratch.marks.mark(row) else { continue }
            scratch.rows[found] = row
            found += 1
        }
        scorer.score(scratch.rows, found, into: scratch.distances)
        scored += found
        for index in 0..<found {
            _ = Self.insert(CandidateKey.pack(scratch.distances[index], scratch.rows[index]), into: scratch.candidates, &count, limit: ef)
        }
        return count
    }

    /// Offers the eligible ones of the first `count` candidates; returns how many were scored again for it.
    private func offer(
        _ count: Int, _ scratch: HNSWScratch, _ request: IndexRequest, _ query: PreparedQuery, to nearest: inout NearestRows
    ) -> Int {
        // Codes may swap neighbours that are nearly equally far; among the nearest four times as many the true ones are found.
        let wanted = usesCodes ? max(4 * request.count, 32) : request.count
        let (rows, distances) = (scratch.rows, scratch.distances)
        var scored = 0
        var index = 0
        var offered = 0
        while index < count, offered < wanted {
            var found = 0
            while index < count, found < scratch.capacity, offered + found < wanted {
                let key = scratch.candidates[index]
                index += 1
                let row = CandidateKey.row(key)
                guard request.eligible.contains(row) else { continue }
                rows[found] = row
                distances[found] = CandidateKey.distance(key)
                found += 1
            }
            if usesCodes {
                query.store.computeDistances(query, to: rows, count: found, into: distances)
                scored += found
            }
            for index in 0..<found {
                nearest.offer(Neighbor(row: Row(rows[index]), distance: distances[index]))
            }
            offered += found
        }
        return scored
    }
}
