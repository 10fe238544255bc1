extension TextIndex {
    /// The slots whose texts have all phrases of a query.
    ///
    /// - Parameter numbers: of the query's terms; nil for one that no text has.
    func slotsWithPhrases(of query: KeywordQuery, _ numbers: [UInt32?], among eligible: SlotSet?) -> SlotSet {
        var result = eligible
        for phrase in query.phrases {
            var terms: [(cursor: PostingCursor, offset: UInt32)] = []
            for term in phrase {
                guard let number = numbers[term.number] else { return [] }
                terms.append((PostingCursor(dictionary[number].postings, in: store), term.offset))
            }
            result = slots(with: terms, among: result)
        }
        return result ?? []
    }

    /// Leapfrog over the postings of all terms, the rarest first; where all meet, positions decide.
    private func slots(with phrase: [(cursor: PostingCursor, offset: UInt32)], among eligible: SlotSet?) -> SlotSet {
        var terms = phrase.sorted { $0.cursor.count < $1.cursor.count }
        var (found, starts, positions): (SlotSet, [UInt32], [UInt32]) = ([], [], [])
        while !terms[0].cursor.isAtEnd {
            var slot = terms[0].cursor.slot
            if let eligible {
                guard let next = eligible.first(from: slot) else { break }
                slot = next
            }
            for index in terms.indices {
                terms[index].cursor.seek(to: slot)
                slot = max(slot, terms[index].cursor.slot)
            }
            guard terms.allSatisfy({ $0.cursor.slot == slot }) else {
                terms[0].cursor.seek(to: slot)
                continue
            }
            guard slot != .max else { break }
            if eligible?.contains(slot) ?? true, meet(&terms, &starts, &positions) { found.insert(slot) }
            terms[0].cursor.seek(to: slot + 1)
        }
        return found
    }

    /// Whether the terms stand one after the other, at their offsets, in the text of the slot where all cursors are.
    ///
    /// - Parameters:
    ///   - starts: scratch: where the phrase may begin.
    ///   - positions: scratch.
    private func meet(
        _ terms: inout [(cursor: PostingCursor, offset: UInt32)], _ starts: inout [UInt32], _ positions: inout [UInt32]
    ) -> Bool {
        guard terms.count > 1 else { return true }
        terms[0].cursor.readPositions(lessOffset: terms[0].offset, into: &starts)
        for index in 1..<terms.count where !starts.isEmpty {
            terms[index].cursor.readPositions(lessOffset: terms[index].offset, into: &positions)
            // Both ascend: what both have is kept.
            var (kept, other) = (0, 0)
            for start in starts {
                while other < positions.count, positions[other] < start { other += 1 }
                guard other < positions.count else { break }
                if positions[other] == start {
                    starts[kept] = start
                    kept += 1
                }
            }
            starts.removeSubrange(kept...)
        }
        return !starts.isEmpty
    }
}
