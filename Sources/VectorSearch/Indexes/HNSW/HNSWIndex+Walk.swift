import CVectorKernels
import Glibc

// The walk, on pointers inside one function (docs/performance.md says what other constructs cost): by far the most of the
// time of a search and of a build is spent here and in the kernels it calls.
extension HNSWIndex {
    /// Where a walk stands: a row and its distance to the query.
    struct Position {
        var row: UInt32
        var distance: Float

        var key: UInt64 { CandidateKey.pack(distance, row) }
    }

    /// Algorithm 5's first part: from `row` on level `top` to the nearest row that going from better to better leads to, level
    /// by level, down to above `target`.
    func descend<Scorer: RowScorer>(
        _ scorer: Scorer, from row: UInt32, on top: Int, to target: Int, _ scratch: HNSWScratch, scored: inout Int
    ) -> Position {
        let distances = scratch.distances
        let rows = scratch.rows
        rows[0] = row
        scorer.score(rows, 1, into: distances)
        scored += 1
        var best = Position(row: row, distance: distances[0])
        for level in stride(from: top, to: target, by: -1) {
            var isBetter = true
            while isBetter {
                isBetter = false
                let list = links(of: best.row, on: level)
                let count = Int(quire_load_acquire(list))
                for index in 0..<count { rows[index] = quire_load_acquire(list + 1 + index) }
                scorer.score(rows, count, into: distances)
                scored += count
                for index in 0..<count where distances[index] < best.distance {
                    best = Position(row: rows[index], distance: distances[index])
                    isBetter = true
                }
            }
        }
        return best
    }

    /// Algorithm 2: follows the links of the nearest candidate that was not followed, until all `ef` were.
    ///
    /// The first `seeded` candidates of the scratch are where it begins, in order, and marked. Returns how many there are at the
    /// end, nearest first.
    func walk<Scorer: RowScorer>(
        _ scorer: Scorer, on level: Int, ef: Int, seeded: Int, _ scratch: HNSWScratch, scored: inout Int
    ) -> Int {
        let lists = lists(on: level)
        let candidates = scratch.candidates
        let rows = scratch.rows
        let distances = scratch.distances
        var marks = scratch.marks
        var count = seeded
        var cursor = 0
        while cursor < count {
            let key = candidates[cursor]
            guard key & CandidateKey.followed == 0 else {
                cursor &+= 1
                continue
            }
            candidates[cursor] = key | CandidateKey.followed
            let list = lists[CandidateKey.row(key)]
            let linkCount = Int(quire_load_acquire(list))
            marks.reserve(linkCount)
            var found = 0
            var index = 1
            while index <= linkCount {
                let row = quire_load_acquire(list + index)
                index &+= 1
                guard marks.mark(row) else { continue }
                scorer.prefetch(row)
                rows[found] = row
                found &+= 1
            }
            cursor &+= 1
            if count == ef { found = scorer.keepNear(rows, found, than: CandidateKey.distance(candidates[ef &- 1])) }
            guard found > 0 else { continue }
            scorer.score(rows, found, into: distances)
            scored &+= found
            index = 0
            while index < found {
                let position = Self.insert(CandidateKey.pack(distances[index], rows[index]), into: candidates, &count, limit: ef)
                cursor = min(cursor, position)
                index &+= 1
            }
            // The candidate that is next, unless a nearer one comes up: its links are on their way while this goes on.
            if cursor < count { lists.prefetch(CandidateKey.row(candidates[cursor])) }
        }
        scratch.marks = marks
        return count
    }

    /// The same over eligible rows alone, for filters that leave few: of a row's links those that are eligible are scored, and
    /// in the place of one that is not, the eligible ones of its own links. The others are neither scored nor kept.
    ///
    /// After ACORN-1 (Patel et al., SIGMOD 2024, section 5), which extends every list; here only what is not eligible is.
    func walkEligible<Scorer: RowScorer>(
        _ scorer: Scorer, ef: Int, eligible: RowBits, seeded: Int, _ scratch: HNSWScratch, scored: inout Int
    ) -> Int {
        let lists = lists(on: 0)
        let candidates = scratch.candidates
        let rows = scratch.rows
        let distances = scratch.distances
        var count = seeded
        var cursor = 0
        while cursor < count {
            let key = candidates[cursor]
            guard key & CandidateKey.followed == 0 else {
                cursor &+= 1
                continue
            }
            candidates[cursor] = key | CandidateKey.followed
            var found = gatherEligible(around: CandidateKey.row(key), lists, eligible, scratch)
            cursor &+= 1
            if count == ef { found = scorer.keepNear(rows, found, than: CandidateKey.distance(candidates[ef &- 1])) }
            guard found > 0 else { continue }
            scorer.score(rows, found, into: distances)
            scored &+= found
            for index in 0..<found {
                let position = Self.insert(CandidateKey.pack(distances[index], rows[index]), into: candidates, &count, limit: ef)
                cursor = min(cursor, position)
            }
        }
        return count
    }

    /// Writes the unmarked eligible rows that are one link from `row`, or two over one that is not eligible, into the scratch's
    /// rows, and marks them. Two lists of links are as many as it takes.
    func gatherEligible(around row: UInt32, _ lists: LinkLists, _ eligible: RowBits, _ scratch: HNSWScratch) -> Int {
        let rows = scratch.rows
        let limit = 4 * m
        var marks = scratch.marks
        var found = 0
        let list = lists[row]
        let linkCount = Int(quire_load_acquire(list))
        marks.reserve(linkCount + limit)
        // First what is one link away: it is nearest.
        for index in 0..<linkCount {
            let neighbor = quire_load_acquire(list + 1 + index)
            guard eligible.contains(neighbor) else {
                lists.prefetch(neighbor)
                continue
            }
            guard marks.mark(neighbor) else { continue }
            rows[found] = neighbor
            found += 1
        }
        for index in 0..<linkCount where found < limit {
            let bridge = quire_load_acquire(list + 1 + index)
            guard !eligible.contains(bridge), marks.mark(bridge) else { continue }
            let behind = lists[bridge]
            for index in 0..<Int(quire_load_acquire(behind)) where found < limit {
                let neighbor = quire_load_acquire(behind + 1 + index)
                guard eligible.contains(neighbor), marks.mark(neighbor) else { continue }
                rows[found] = neighbor
                found += 1
            }
        }
        scratch.marks = marks
        return found
    }

    /// The lists of one level, for loops.
    struct LinkLists {
        fileprivate let base: UnsafeMutablePointer<UInt32>
        fileprivate let stride: Int
        /// On level 0 the list of a row is found by its number; above it, by where its lists start.
        fileprivate let starts: UnsafeMutablePointer<UInt32>?

        @inline(__always)
        subscript(row: UInt32) -> UnsafeMutablePointer<UInt32> {
            guard let starts else { return base + Int(row) &* stride }
            return base + Int(starts[Int(row)]) &* stride
        }

        @inline(__always)
        func prefetch(_ row: UInt32) {
            let list = UnsafeRawPointer(self[row])
            quire_prefetch_line(list)
            quire_prefetch_line(list + 64)
            quire_prefetch_line(list + 128)
        }
    }

    func lists(on level: Int) -> LinkLists {
        guard level > 0 else { return LinkLists(base: lowerLinks.base, stride: lowerStride, starts: nil) }
        return LinkLists(base: upperLinks.base + (level - 1) * upperStride, stride: upperStride, starts: upperStarts.base)
    }

    /// Puts a candidate in its place among the `count` that are there, of which at most `limit` stay. Returns the place, or
    /// `limit` if it is none of the nearest.
    @inline(__always)
    static func insert(_ key: UInt64, into candidates: UnsafeMutablePointer<UInt64>, _ count: inout Int, limit: Int) -> Int {
        if count == limit {
            guard key < candidates[count &- 1] else { return limit }
            count &-= 1
        }
        var low = 0
        var length = count
        while length > 0 {
            let half = length &>> 1
            let isBehind = candidates[low &+ half] < key
            low = isBehind ? low &+ half &+ 1 : low
            length = isBehind ? length &- half &- 1 : half
        }
        memmove(candidates + low + 1, candidates + low, (count &- low) &* MemoryLayout<UInt64>.stride)
        candidates[low] = key
        count &+= 1
        return low
    }
}
