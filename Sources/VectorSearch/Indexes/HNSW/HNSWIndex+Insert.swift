import CVectorKernels

extension HNSWIndex {
    /// Algorithm 1: links a row into the graph, beside searches and other rows being linked.
    func link(_ row: UInt32, _ scratch: HNSWScratch) {
        sketches?.write(row, of: store, rotated: scratch.rotated)
        if linksByCodes {
            link(row, CodeScorers(store: store, scratch: scratch), scratch)
        } else {
            link(row, vectorScorers(scratch), scratch)
        }
    }

    private func vectorScorers(_ scratch: HNSWScratch) -> VectorScorers {
        VectorScorers(store: store, sketches: sketches, scratch: scratch)
    }

    private func link<Scorers: RowScorers>(_ row: UInt32, _ scorers: Scorers, _ scratch: HNSWScratch) {
        let level = level(of: row)
        guard let (start, top) = entryPoint ?? firstEntry(row, level) else { return }
        let scorer = scorers.scorer(of: row, for: .walk)
        var scored = 0
        var entry = descend(scorer, from: start, on: top, to: level, scratch, scored: &scored)
        scratch.reserve(candidateCount: efConstruction + 1)
        for level in stride(from: min(level, top), through: 0, by: -1) {
            scratch.marks.clear()
            // The row itself may be met already, through a link that another row made on the level above.
            _ = scratch.marks.mark(row)
            guard scratch.marks.mark(entry.row) else { continue }
            scratch.candidates[0] = entry.key
            let count = walk(scorer, on: level, ef: efConstruction, seeded: 1, scratch, scored: &scored)
            let first = scratch.candidates[0]
            entry = Position(row: CandidateKey.row(first), distance: CandidateKey.distance(first))
            connect(row, on: level, toBestOf: count, scorers, scratch)
        }
        offerEntry(row, level)
    }

    /// Makes the row the first one of the graph, unless another one just was; then returns that.
    private func firstEntry(_ row: UInt32, _ level: Int) -> (row: UInt32, level: Int)? {
        offerEntry(row, level)
        guard let entry = entryPoint, entry.row != row else { return nil }
        return entry
    }

    /// Chooses links among the first `count` candidates of the scratch and makes them, both ways.
    private func connect<Scorers: RowScorers>(
        _ row: UInt32, on level: Int, toBestOf count: Int, _ scorers: Scorers, _ scratch: HNSWScratch
    ) {
        let chosen = choose(from: scratch.candidates, count, limit: m, scorers, scratch)
        let list = links(of: row, on: level)
        let limit = maxLinks(on: level)
        quire_lock_byte(locks.base + Int(row))
        var linked = Int(list[0])
        for index in 0..<chosen where linked < limit && !Self.list(list, has: scratch.chosen[index]) {
            quire_store_release(list + 1 + linked, scratch.chosen[index])
            if level == 0 { quire_count_up(linksTo.base + Int(scratch.chosen[index])) }
            linked += 1
            quire_store_release(list, UInt32(linked))
        }
        quire_unlock_byte(locks.base + Int(row))

        // Choosing for the others uses the same places of the scratch.
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: chosen) { keys in
            _ = keys.initialize(from: UnsafeBufferPointer(start: scratch.chosenKeys, count: chosen))
            for key in keys { addLink(from: CandidateKey.row(key), to: row, CandidateKey.distance(key), on: level, scorers, scratch) }
            if level == 0, let nearest = keys.first { leadTo(row, from: CandidateKey.row(nearest)) }
        }
    }

    /// Adds a link to a row's list; if that is full, chooses anew among all of them.
    private func addLink<Scorers: RowScorers>(
        from row: UInt32, to other: UInt32, _ distance: Float, on level: Int, _ scorers: Scorers, _ scratch: HNSWScratch
    ) {
        let list = links(of: row, on: level)
        quire_lock_byte(locks.base + Int(row))
        defer { quire_unlock_byte(locks.base + Int(row)) }
        let count = Int(list[0])
        guard !Self.list(list, has: other) else { return }
        guard count == maxLinks(on: level) else {
            quire_store_release(list + 1 + count, other)
            if level == 0 { quire_count_up(linksTo.base + Int(other)) }
            quire_store_release(list, UInt32(count + 1))
            return
        }
        let rows = scratch.rows
        for index in 0..<count { rows[index] = list[1 + index] }
        scorers.scorer(of: row, for: .base).score(rows, count, into: scratch.distances)
        var choices = 0
        for index in 0..<count {
            _ = Self.insert(
                CandidateKey.pack(scratch.distances[index], rows[index]), into: scratch.choices, &choices, limit: scratch.capacity)
        }
        _ = Self.insert(CandidateKey.pack(distance, other), into: scratch.choices, &choices, limit: scratch.capacity)
        replace(list, byBestOf: choices, on: level, scorers, scratch)
    }

    /// Makes sure that some link leads to a row on level 0, unless none can be spared: in the list of a near row it takes the place of the farthest link that is
    /// not the last one to its own.
    func leadTo(_ row: UInt32, from near: UInt32) {
        guard quire_load_count(linksTo.base + Int(row)) == 0 else { return }
        let list = links(of: near, on: 0)
        quire_lock_byte(locks.base + Int(near))
        defer { quire_unlock_byte(locks.base + Int(near)) }
        let count = Int(list[0])
        guard !Self.list(list, has: row) else { return }
        if count < maxLinks(on: 0) {
            quire_store_release(list + 1 + count, row)
            quire_store_release(list, UInt32(count + 1))
        } else {
            let place = (0..<count).last { quire_count_down_unless_last(linksTo.base + Int(list[1 + $0])) }
            guard let place else { return }
            quire_store_release(list + 1 + place, row)
        }
        quire_count_up(linksTo.base + Int(row))
    }

    /// Writes what is chosen among the first `count` choices of the scratch into a list that the caller has locked.
    private func replace<Scorers: RowScorers>(
        _ list: UnsafeMutablePointer<UInt32>, byBestOf count: Int, on level: Int, _ scorers: Scorers, _ scratch: HNSWScratch
    ) {
        let limit = maxLinks(on: level)
        var chosen = choose(from: scratch.choices, count, limit: limit, scorers, scratch)
        if level == 0 { chosen = keepLastLinks(of: list, chosen, limit, scratch) }
        for index in 0..<chosen { quire_store_release(list + 1 + index, scratch.chosen[index]) }
        quire_store_release(list, UInt32(chosen))
    }

    /// Counts the links that come and go when a list becomes what was chosen, and keeps those of the old links that are the last to
    /// their rows, if need be in place of the farthest chosen ones that are not. Returns how many there are.
    private func keepLastLinks(of list: UnsafeMutablePointer<UInt32>, _ chosen: Int, _ limit: Int, _ scratch: HNSWScratch) -> Int {
        let rows = scratch.chosen
        let old = Int(list[0])
        for index in 0..<chosen where !Self.list(list, has: rows[index]) { quire_count_up(linksTo.base + Int(rows[index])) }
        var count = chosen
        for index in 0..<old {
            let row = list[1 + index]
            let isChosen = (0..<chosen).contains { rows[$0] == row }
            if isChosen || quire_count_down_unless_last(linksTo.base + Int(row)) { continue }
            if count < limit {
                rows[count] = row
                count += 1
            } else if let place = (0..<chosen).last(where: { quire_count_down_unless_last(linksTo.base + Int(rows[$0])) }) {
                rows[place] = row
            }
        }
        return count
    }

    /// Algorithm 4: of candidates, nearest first, those that are nearer to the base than to any that was chosen before them, at
    /// most `limit`, into the scratch's `chosen` and `chosenKeys`. All of them if there are fewer.
    private func choose<Scorers: RowScorers>(
        from candidates: UnsafeMutablePointer<UInt64>, _ count: Int, limit: Int, _ scorers: Scorers, _ scratch: HNSWScratch
    ) -> Int {
        let (chosen, keys, distances) = (scratch.chosen, scratch.chosenKeys, scratch.distances)
        var chosenCount = 0
        for index in 0..<count where chosenCount < limit {
            let key = candidates[index] & ~CandidateKey.followed
            let row = CandidateKey.row(key)
            if count >= limit, chosenCount > 0 {
                let distance = CandidateKey.distance(key)
                let scorer = scorers.scorer(of: row, for: .choice)
                // Most are refused by one of the first; so a few at a time.
                var start = 0
                var isRefused = false
                while start < chosenCount, !isRefused {
                    let part = min(4, chosenCount - start)
                    scorer.score(chosen + start, part, into: distances)
                    for index in 0..<part where distances[index] < distance { isRefused = true }
                    start += part
                }
                if isRefused { continue }
            }
            chosen[chosenCount] = row
            keys[chosenCount] = key
            chosenCount += 1
        }
        return chosenCount
    }

    private static func list(_ list: UnsafeMutablePointer<UInt32>, has row: UInt32) -> Bool {
        for index in 0..<Int(list[0]) where list[1 + index] == row { return true }
        return false
    }

    // MARK: Repair

    /// Replaces a row's links to dead rows by links to what those were linked to, so that what was reached over them still is.
    ///
    /// Singh et al., FreshDiskANN, 2021 (arXiv:2105.09613), algorithm 4, with the choice of HNSW's algorithm 4; a new link is made
    /// both ways.
    func repair(_ row: UInt32, without dead: RowBits, _ scratch: HNSWScratch) {
        if linksByCodes {
            repair(row, without: dead, CodeScorers(store: store, scratch: scratch), scratch)
        } else {
            repair(row, without: dead, vectorScorers(scratch), scratch)
        }
    }

    private func repair<Scorers: RowScorers>(_ row: UInt32, without dead: RowBits, _ scorers: Scorers, _ scratch: HNSWScratch) {
        guard quire_load_acquire(links(of: row, on: 0)) > 0 else { return }
        for level in 0...level(of: row) {
            let list = links(of: row, on: level)
            let isHit = (0..<Int(quire_load_acquire(list))).contains { dead.contains(quire_load_acquire(list + 1 + $0)) }
            if isHit { repair(row, on: level, without: dead, scorers, scratch) }
        }
    }

    private func repair<Scorers: RowScorers>(
        _ row: UInt32, on level: Int, without dead: RowBits, _ scorers: Scorers, _ scratch: HNSWScratch
    ) {
        let list = links(of: row, on: level)
        let rows = scratch.rows
        scratch.marks.clear()
        _ = scratch.marks.mark(row)
        quire_lock_byte(locks.base + Int(row))
        var found = 0
        var kept = 0
        for index in 0..<Int(list[0]) where !dead.contains(list[1 + index]) && scratch.marks.mark(list[1 + index]) {
            rows[found] = list[1 + index]
            found += 1
        }
        kept = found
        for index in 0..<Int(list[0]) where dead.contains(list[1 + index]) {
            let behind = links(of: list[1 + index], on: level)
            for index in 0..<Int(quire_load_acquire(behind)) where found < scratch.capacity {
                let other = quire_load_acquire(behind + 1 + index)
                guard !dead.contains(other), scratch.marks.mark(other) else { continue }
                rows[found] = other
                found += 1
            }
        }
        scorers.scorer(of: row, for: .base).score(rows, found, into: scratch.distances)
        var choices = 0
        for index in 0..<found {
            _ = Self.insert(
                CandidateKey.pack(scratch.distances[index], rows[index]), into: scratch.choices, &choices, limit: scratch.capacity)
        }
        scratch.marks.clear()
        for index in 0..<kept {
            _ = scratch.marks.mark(rows[index])
            quire_store_release(list + 1 + index, rows[index])
        }
        quire_store_release(list, UInt32(kept))
        replace(list, byBestOf: choices, on: level, scorers, scratch)
        let chosen = Int(list[0])
        quire_unlock_byte(locks.base + Int(row))

        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: chosen) { keys in
            var new = 0
            for index in 0..<chosen where scratch.marks.mark(scratch.chosen[index]) {
                keys.initializeElement(at: new, to: scratch.chosenKeys[index])
                new += 1
            }
            for key in keys[..<new] {
                addLink(from: CandidateKey.row(key), to: row, CandidateKey.distance(key), on: level, scorers, scratch)
            }
        }
        scratch.marks.clear()
        if found == 0, level == 0 { relink(row, without: dead, scorers, scratch) }
    }

    /// Finds links on level 0 for a row that lost all of them.
    private func relink<Scorers: RowScorers>(_ row: UInt32, without dead: RowBits, _ scorers: Scorers, _ scratch: HNSWScratch) {
        guard let (start, top) = entryPoint else { return }
        let scorer = scorers.scorer(of: row, for: .walk)
        var scored = 0
        let entry = descend(scorer, from: start, on: top, to: 0, scratch, scored: &scored)
        scratch.reserve(candidateCount: efConstruction + 1)
        _ = scratch.marks.mark(row)
        guard scratch.marks.mark(entry.row) else { return }
        scratch.candidates[0] = entry.key
        let count = walk(scorer, on: 0, ef: efConstruction, seeded: 1, scratch, scored: &scored)
        var alive = 0
        for index in 0..<count where !dead.contains(CandidateKey.row(scratch.candidates[index])) {
            scratch.candidates[alive] = scratch.candidates[index]
            alive += 1
        }
        connect(row, on: 0, toBestOf: alive, scorers, scratch)
        scratch.marks.clear()
    }
}
