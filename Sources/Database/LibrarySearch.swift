import TextSearch
import VectorSearch

/// A search of one library, under its read lock: a list by vectors, one by words, or one made of both.
struct LibrarySearch {
    private let library: Library
    private let query: SearchQuery
    /// The slots of the chunks that are meant; nil: all.
    private let eligible: SlotSet?
    private let eligibleRows: RowSet?
    private let words: KeywordQuery?

    /// How the vectors were searched, the last time.
    private var outcome: SearchOutcome?
    private var shortage: SearchResult.Shortage?
    private var scoredWords = 0
    /// Of the last that a list of `depth` has, before a threshold: what stretches scores is the same however long the list is.
    private var farDistance: Float = 0

    /// A chunk that was found.
    private struct Candidate {
        let slot: Slot
        let id: ChunkID
        var distance: Float?
        var score: Float?
        var vectorRank: Int?
        var keywordRank: Int?
    }

    /// Lists are at least so long when another order is made of them: what is far down in one may be high up in it.
    private static let depth = 200

    init(_ library: Library, _ query: SearchQuery, eligible: SlotSet?) {
        self.library = library
        self.query = query
        self.eligible = eligible
        eligibleRows = query.mode == .keyword ? nil : eligible.map { library.chunkTable.rows(of: $0) }
        words = query.mode == .vector ? nil : KeywordQuery(query.text, analyzer: library.texts.analyzer)
    }

    mutating func run() -> SearchResult {
        let wanted = query.offset + query.count
        let candidates = query.diversity > 0 ? diverse(wanted) : best(wanted)
        let hits = candidates.dropFirst(query.offset).map { candidate in
            let holder = library.chunkTable.holder(of: candidate.slot)
            return SearchHit(
                document: holder.document, chunkIndex: Int(holder.chunkIndex), distance: candidate.distance, score: candidate.score,
                vectorRank: candidate.vectorRank, keywordRank: candidate.keywordRank,
                embedding: query.withEmbeddings ? library.vectors.store.copyVector(holder.chunk.row) : nil,
                passage: query.expansion.map { around in
                    Passage(around: Int(holder.chunkIndex), of: holder.document, before: around.before, after: around.after)
                })
        }
        return SearchResult(
            mode: query.mode, hits: hits, indexKind: outcome?.index, isExact: outcome?.exact ?? true, ef: outcome?.ef,
            scored: outcome?.scored ?? 0, scoredWords: scoredWords, filter: outcome?.filter,
            shortage: hits.count < query.count ? shortage ?? .librarySize : nil)
    }

    /// The best `count` of what is asked for, chunks or documents, the best first.
    private mutating func best(_ count: Int) -> [Candidate] {
        query.groupsByDocument ? bestOfDocuments(count) : ranked(count)
    }

    /// `count` of the best, in an order in which each says something new. They are taken from more than that, as many for one page of
    /// results as for the next.
    private mutating func diverse(_ count: Int) -> [Candidate] {
        let pages = (count + Self.depth - 1) / Self.depth
        let candidates = best(pages * Self.depth)
        let cosines = Cosines(of: candidates.map { library.chunkTable.holder(of: $0.slot).chunk.row }, in: library.vectors.store)
        let order = MaximalMarginalRelevance(diversity: query.diversity)
            .order(candidates.map { $0.score ?? -$0.distance! }, count: count, similarities: cosines.ofVector)
        return order.map { candidates[$0] }
    }

    /// The best `count` chunks, the best first; fewer only if there are no more.
    private mutating func ranked(_ count: Int) -> [Candidate] {
        switch query.mode {
        case .vector: byVector(count)
        case .keyword: byWords(count)
        case .hybrid: byBoth(count)
        }
    }

    /// The best chunk of each of `count` documents.
    private mutating func bestOfDocuments(_ count: Int) -> [Candidate] {
        var limit = count
        while true {
            let candidates = ranked(limit)
            var seen: Set<DocumentID> = []
            let best = candidates.filter { seen.insert(library.chunkTable.holder(of: $0.slot).document.id).inserted }
            if best.count >= count || candidates.count < limit { return Array(best.prefix(count)) }
            limit *= 2
        }
    }

    // MARK: By vectors

    private mutating func byVector(_ count: Int) -> [Candidate] {
        let request = library.vectorRequest(count: count + 1, ef: query.ef, isExact: query.isExact, filter: eligibleRows)
        let (neighbors, outcome) = nearestRows(count, request)
        self.outcome = outcome
        farDistance = neighbors.prefix(Self.depth).last?.distance ?? 0
        let near = neighbors.prefix { $0.distance <= query.threshold ?? .infinity }
        var candidates: [Candidate] = []
        for neighbor in near {
            let slots = library.chunkTable.slots(of: neighbor.row).lazy.filter { [eligible] in eligible?.contains($0.rawValue) ?? true }
            for slot in slots.prefix(count) {
                candidates.append(
                    Candidate(slot: slot, id: library.chunkTable.holder(of: slot).chunk.id, distance: neighbor.distance))
            }
        }
        candidates.sort { ($0.distance!, $0.id) < ($1.distance!, $1.id) }
        candidates.removeLast(max(0, candidates.count - count))
        if candidates.count < count {
            shortage = near.count < neighbors.count ? .distanceThreshold : eligible != nil ? .filter : .librarySize
        }
        return candidates
    }

    /// The rows that hold the `count` nearest chunks: the `count` nearest rows and all that are as far as the last of them, because
    /// equal distances are ordered by chunk id, which an index does not know.
    private func nearestRows(_ count: Int, _ request: SearchRequest) -> (neighbors: ArraySlice<Neighbor>, outcome: SearchOutcome) {
        var request = request
        while true {
            let outcome = library.vectors.search(query.vector.span, request)
            let found = outcome.neighbors
            guard found.count > count else { return (found[...], outcome) }
            let farthest = found[count - 1].distance
            if found.count < request.count || found[found.count - 1].distance > farthest {
                return (found.prefix { $0.distance <= farthest }, outcome)
            }
            request.count *= 2
        }
    }

    // MARK: By words

    private mutating func byWords(_ count: Int) -> [Candidate] {
        guard let words else { return [] }
        var limit = count + 1
        while true {
            let found = library.texts.search(words, count: limit, options: library.record.text, among: eligible)
            scoredWords = found.scored
            // Equal scores are ordered by chunk id, which the index of texts does not know: all that are equal to the last have to be there.
            if found.slots.count == limit, found.slots[limit - 1].score == found.slots[count - 1].score {
                limit *= 2
                continue
            }
            var candidates = found.slots.map { match in
                Candidate(
                    slot: Slot(match.slot), id: library.chunkTable.holder(of: Slot(match.slot)).chunk.id, score: match.score)
            }
            candidates.sort { ($1.score!, $0.id) < ($0.score!, $1.id) }
            candidates.removeLast(max(0, candidates.count - count))
            if candidates.count < count, query.mode == .keyword { shortage = .keywords }
            return candidates
        }
    }

    // MARK: By both

    private mutating func byBoth(_ count: Int) -> [Candidate] {
        let depth = max(count, Self.depth)
        let (near, matching) = (byVector(depth), byWords(depth))
        var candidates: [ChunkID: Candidate] = [:]
        for (index, candidate) in near.enumerated() {
            candidates[candidate.id] = candidate
            candidates[candidate.id]!.vectorRank = index + 1
        }
        for (index, candidate) in matching.enumerated() {
            candidates[candidate.id, default: candidate].keywordRank = index + 1
        }
        let weights = [query.vectorWeight, query.keywordWeight]
        let fused =
            switch query.fusion {
            case .reciprocalRank(let k):
                ReciprocalRankFusion(k: k).fuse([near.map(\.id), matching.map(\.id)], weights: weights)
            case .weighted:
                // A chunk without the words has a score of 0.
                RelativeScoreFusion().fuse(
                    [near.map { ($0.id, -Double($0.distance!)) }, matching.map { ($0.id, Double($0.score!)) }],
                    floors: [-Double(farDistance), 0], weights: weights)
            }
        return fused.prefix(count).map { fused in
            var candidate = candidates[fused.id]!
            candidate.score = Float(fused.score)
            return candidate
        }
    }
}
