import CVectorKernels

extension HNSWIndex {
    /// Filters that leave at least this share of the rows are searched for more than was asked for; below it the walk keeps to
    /// eligible rows.
    private static let postFilterShare = 0.25

    /// Algorithm 5, with a filter. Offers what it found to `nearest`, scored with the vectors; nothing, if what is eligible lies so
    /// far from the query that no walk would find the nearest of it.
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
        func walk(_ ef: Int) -> Int {
            scratch.marks.clear()
            scratch.reserve(candidateCount: ef + 1)
            scratch.candidates[0] = entry.key
            _ = scratch.marks.mark(entry.row)
            return self.walk(scorer, on: 0, ef: ef, seeded: 1, scratch, scored: &outcome.scored)
        }

        let share = Double(request.eligibleCount) / Double(max(linked.count, 1))
        var count: Int
        if share >= Self.postFilterShare {
            outcome.strategy = .postFilter
            count = walk(Int(Double(ef) / min(share, 1)))
        } else {
            // How the filter goes with the query shows in the rows nearest to it. They stay where they are until the walk begins at
            // them: making room forgets them.
            scratch.reserve(candidateCount: ef + 1)
            count = walk(max(32, min(Int(2 / share), 4 * ef)))
            let near = (0..<count).count { request.eligible.contains(CandidateKey.row(scratch.candidates[$0])) }
            outcome.isReliable = request.admits(near, of: count, outOf: linked.count)
            guard outcome.isReliable else { return outcome }
            let nearShare = Double(near) / Double(count)
            if nearShare >= Self.postFilterShare {
                outcome.strategy = .postFilter
                count = walk(Int(Double(ef) / nearShare))
            } else {
                outcome.strategy = .inGraph
                let seeded = seedEligible(scorer, request, near: count, ef: ef, scratch, scored: &outcome.scored)
                count = walkEligible(scorer, ef: ef, eligible: request.eligible, seeded: seeded, scratch, scored: &outcome.scored)
            }
        }
        outcome.scored += offer(count, scratch, request, query, to: &nearest)
        return outcome
    }

    /// Where a walk over eligible rows begins: at those among the nearest rows, and at some anywhere, because the links from these
    /// may not lead to others.
    private func seedEligible<Scorer: RowScorer>(
        _ scorer: Scorer, _ request: IndexRequest, near candidateCount: Int, ef: Int, _ scratch: HNSWScratch, scored: inout Int
    ) -> Int {
        let limit = scratch.capacity - 32
        var found = 0
        for index in 0..<candidateCount where found < limit {
            let row = CandidateKey.row(scratch.candidates[index])
            guard request.eligible.contains(row) else { continue }
            scratch.rows[found] = row
            found += 1
        }
        scratch.marks.clear()
        for index in 0..<found { _ = scratch.marks.mark(scratch.rows[index]) }
        let words = request.eligible.words
        let step = max(words.count / 16, 1)
        for start in stride(from: 0, to: words.count, by: step) where found < scratch.capacity {
            // The first eligible row from here on, in this sixteenth.
            guard let word = (start..<min(start + step, words.count)).first(where: { words[$0] != 0 }) else { continue }
            let row = UInt32(word * 64 + words[word].trailingZeroBitCount)
            guard scratch.marks.mark(row) else { continue }
            scratch.rows[found] = row
            found += 1
        }
        scorer.score(scratch.rows, found, into: scratch.distances)
        scored += found
        var count = 0
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
