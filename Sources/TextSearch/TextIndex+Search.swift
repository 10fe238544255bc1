/// What a keyword search found.
package struct TextMatches: Equatable, Sendable {
    /// The best first.
    package let slots: [ScoredSlot]
    /// Postings that were looked at for their scores.
    package let scored: Int
}

/// Where a slot stands among all that match a query.
package struct TextStanding: Equatable, Sendable {
    package let score: Float
    /// From 1 on.
    package let rank: Int
}

extension TextIndex {
    /// The `count` best slots for a query, by BM25 (`TermWeight`).
    ///
    /// - Parameters:
    ///   - options: `k1` and `b` of this search.
    ///   - eligible: if given, only these are found. They change no score: texts are counted with those that are not eligible.
    package func search(_ query: KeywordQuery, count: Int, options: TextOptions, among eligible: SlotSet? = nil) -> TextMatches {
        var best = BestSlots(limit: count)
        let scored = forEachMatch(of: query, options, among: eligible) { slot, score in best.offer(slot, score) }
        return TextMatches(slots: best.sorted(), scored: scored)
    }

    /// The scores of given slots, in their order; nil for one that does not match.
    package func scores(of slots: [UInt32], _ query: KeywordQuery, options: TextOptions) -> [Float?] {
        var scores: [UInt32: Float] = [:]
        _ = forEachMatch(of: query, options, among: SlotSet(slots)) { slot, score in scores[slot] = score }
        return slots.map { scores[$0] }
    }

    /// Where given slots stand among all that match and are eligible, in their order; nil for one that does not match. Costs as much as a search.
    package func standings(
        of slots: [UInt32], _ query: KeywordQuery, options: TextOptions, among eligible: SlotSet? = nil
    ) -> [TextStanding?] {
        let wanted = SlotSet(slots)
        var ranked: [ScoredSlot] = []
        _ = forEachMatch(of: query, options, among: eligible.map(wanted.intersection) ?? wanted) { slot, score in
            ranked.append(ScoredSlot(slot: slot, score: score))
        }
        ranked.sort { $0.isBetter(than: $1) }
        guard let worst = ranked.last else { return slots.map { _ in nil } }
        // How many matches are better than number i and not better than number i − 1.
        var betterCounts = [Int](repeating: 0, count: ranked.count)
        _ = forEachMatch(of: query, options, among: eligible) { slot, score in
            let match = ScoredSlot(slot: slot, score: score)
            guard score >= worst.score, match.isBetter(than: worst) else { return }
            betterCounts[ranked.partitioningIndex { match.isBetter(than: $0) }] += 1
        }
        var standings: [UInt32: TextStanding] = [:]
        var better = 0
        for (number, match) in ranked.enumerated() {
            better += betterCounts[number]
            standings[match.slot] = TextStanding(score: match.score, rank: better + 1)
        }
        return slots.map { standings[$0] }
    }

    /// Calls `body` with each slot that matches, ascending, and its score; returns how many postings were looked at.
    ///
    /// The score of a slot is the same whatever else is asked: its terms are added in the order of the query.
    @inline(__always)
    private func forEachMatch(
        of query: KeywordQuery, _ options: TextOptions, among eligible: SlotSet?, _ body: (UInt32, Float) -> Void
    ) -> Int {
        let numbers = query.terms.map { term in term.bytes.withUnsafeBufferPointer { dictionary.find($0, store.pool) } }
        var eligible = eligible
        if !query.phrases.isEmpty { eligible = slotsWithPhrases(of: query, numbers, among: eligible) }
        var weights: [TermWeight] = []
        var cursors: [PostingCursor] = []
        for (term, number) in zip(query.terms, numbers) {
            guard let number else { continue }
            let cursor = PostingCursor(dictionary[number].postings, in: store)
            cursors.append(cursor)
            weights.append(
                TermWeight(
                    slotsWithTerm: cursor.count, slotCount: count, totalLength: totalLength, occurrences: term.occurrences, options))
        }
        guard !cursors.isEmpty else { return 0 }
        let postings = cursors.reduce(0) { $0 + $1.count }
        // To seek a posting costs about eight times as much as to pass it.
        if let eligible, eligible.count * cursors.count * 8 < postings {
            return scoreSlots(eligible, &cursors, weights, body)
        }
        return scoreWindows(eligible, &cursors, weights, body)
    }

    /// Looks each eligible slot up in the postings of each term.
    @inline(__always)
    private func scoreSlots(
        _ eligible: SlotSet, _ cursors: inout [PostingCursor], _ weights: [TermWeight], _ body: (UInt32, Float) -> Void
    ) -> Int {
        var scored = 0
        for index in eligible.words.indices where index < slots.words.count {
            var rest = eligible.words[index] & slots.words[index]
            while rest != 0 {
                let slot = UInt32(index * 64 + rest.trailingZeroBitCount)
                rest &= rest - 1
                var (score, matches): (Float, Bool) = (0, false)
                for number in cursors.indices {
                    cursors[number].seek(to: slot)
                    guard cursors[number].slot == slot else { continue }
                    score += cursors[number].score(weights[number], length: lengths[Int(slot)])
                    scored += 1
                    matches = true
                }
                if matches { body(slot, score) }
            }
        }
        return scored
    }

    /// Goes through all postings, term by term within windows of 4,096 slots, whose scores stay in the first-level cache (the "bulk scorer" of
    /// Lucene's BooleanScorer). Windows without a posting or an eligible slot are skipped.
    @inline(__always)
    private func scoreWindows(
        _ eligible: SlotSet?, _ cursors: inout [PostingCursor], _ weights: [TermWeight], _ body: (UInt32, Float) -> Void
    ) -> Int {
        let size = 4096
        var scored = 0
        // Pointers for the loops over postings. Slots in postings are below `lengths.count`: `insert` and `init(decoding:)` see to that.
        lengths.withUnsafeBufferPointer { lengths in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { scores in
                withUnsafeTemporaryAllocation(of: UInt64.self, capacity: size / 64) { touched in
                    scores.initialize(repeating: 0)
                    touched.initialize(repeating: 0)
                    while var next = cursors.lazy.map(\.slot).min(), next != .max {
                        if let eligible {
                            guard let first = eligible.first(from: next) else { return }
                            next = first
                        }
                        let start = next & ~UInt32(size - 1)
                        let limit = start + UInt32(size)
                        for number in cursors.indices {
                            cursors[number].seek(to: start)
                            scored += cursors[number].addScores(
                                upTo: limit, weights[number], lengths: lengths.baseAddress!, window: scores.baseAddress!, from: start,
                                touched: touched.baseAddress!)
                        }
                        for index in 0..<size / 64 where touched[index] != 0 {
                            let word = Int(start / 64) + index
                            var rest = word < slots.words.count ? touched[index] & slots.words[word] : 0
                            if let eligible { rest &= word < eligible.words.count ? eligible.words[word] : 0 }
                            while rest != 0 {
                                let bit = rest.trailingZeroBitCount
                                body(UInt32(word * 64 + bit), scores[index * 64 + bit])
                                rest &= rest - 1
                            }
                            touched[index] = 0
                            (scores.baseAddress! + index * 64).update(repeating: 0, count: 64)
                        }
                    }
                }
            }
        }
        return scored
    }
}

extension Array {
    /// The first index whose element, and so all behind it, `belongs` to the second part.
    fileprivate func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
