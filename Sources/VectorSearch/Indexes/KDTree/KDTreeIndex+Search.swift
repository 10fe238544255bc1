extension KDTreeIndex {
    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        guard request.count > 0 else { return IndexOutcome(scored: 0, isExact: true) }
        let width = BoxBound.width(ofDimension: store.dimension)
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { padded in
            padded.initialize(repeating: 0)
            padded.baseAddress!.update(from: query.vector, count: store.dimension)
            var search = KDTreeSearch(query: query, padded: padded.baseAddress!, request: request)
            for tree in trees {
                guard search.visit(tree, nearest: &nearest) else {
                    search.visitRest(of: known, nearest: &nearest)
                    break
                }
            }
            return IndexOutcome(scored: search.scored, isExact: true)
        }
    }
}

/// One search, through one tree after the other with the bound that the trees before have left.
private struct KDTreeSearch: ~Copyable {
    private let query: PreparedQuery
    private let padded: UnsafePointer<Float>
    private let request: IndexRequest
    private var candidates: CandidateBlock
    private var waiting: [WaitingNode] = []
    private var visitedLeaves: [VisitedLeaf] = []
    private var scannedRows = 0

    private struct WaitingNode {
        let number: Int
        let leastDistance: Float
    }

    private struct VisitedLeaf {
        let tree: Unmanaged<KDTree>
        let number: Int
    }

    init(query: PreparedQuery, padded: UnsafePointer<Float>, request: IndexRequest) {
        self.query = query
        self.padded = padded
        self.request = request
        candidates = CandidateBlock(query)
    }

    var scored: Int { candidates.scored + scannedRows }

    /// Offers what can be near, depth first, the nearer child before the other. What is exactly as far as the bound is
    /// looked at: it may have a row of a lower number.
    ///
    /// - Returns: false if so much of the tree is near that the rest is found faster without it.
    mutating func visit(_ tree: KDTree, nearest: inout NearestRows) -> Bool {
        let leafCount = tree.leafCount
        // Leaves to visit before it is asked whether that pays.
        var leavesUntilCheck = max(leafCount / 16, 16)
        waiting.removeAll(keepingCapacity: true)
        return tree.boxes.withUnsafeBufferPointer { boxes in
            let bound = BoxBound(query.store.metric, query: padded, width: tree.width, root: boxes.baseAddress!)
            let boxSize = 2 * tree.width
            waiting.append(WaitingNode(number: 1, leastDistance: -.infinity))
            while let next = waiting.popLast() {
                guard !(next.leastDistance > nearest.bound) else { continue }
                var node = next.number
                var isNear = true
                while isNear, node < leafCount {
                    let left = boxes.baseAddress! + (2 * node - 1) * boxSize
                    let toLeft = bound.leastDistance(to: left)
                    let toRight = bound.leastDistance(to: left + boxSize)
                    let isLeftNearer = !(toRight < toLeft)
                    waiting.append(
                        WaitingNode(number: isLeftNearer ? 2 * node + 1 : 2 * node, leastDistance: isLeftNearer ? toRight : toLeft))
                    node = isLeftNearer ? 2 * node : 2 * node + 1
                    isNear = !((isLeftNearer ? toLeft : toRight) > nearest.bound)
                }
                guard isNear else { continue }
                visit(leaf: node - leafCount, of: tree, nearest: &nearest)
                leavesUntilCheck -= 1
                if leavesUntilCheck == 0, isMostlyNear(tree, boxes.baseAddress!, bound, nearest.bound) { return false }
            }
            return true
        }
    }

    private mutating func visit(leaf: Int, of tree: KDTree, nearest: inout NearestRows) {
        tree.rows.withUnsafeBufferPointer { rows in
            for position in Int(tree.leafStarts[leaf])..<Int(tree.leafStarts[leaf + 1]) where request.eligible.contains(rows[position]) {
                candidates.add(rows[position], into: &nearest)
            }
        }
        candidates.flush(into: &nearest)
        visitedLeaves.append(VisitedLeaf(tree: .passUnretained(tree), number: leaf))
    }

    /// Whether more than a fifth of the leaves, judged by some of them, may have near rows. A row costs about five times as
    /// much by the tree as it does in a scan.
    private func isMostlyNear(_ tree: KDTree, _ boxes: UnsafePointer<Float>, _ bound: BoxBound, _ distance: Float) -> Bool {
        let step = max(1, tree.leafCount / 64)
        let sample = stride(from: tree.leafCount, to: 2 * tree.leafCount, by: step)
        let near = sample.count { !(bound.leastDistance(to: boxes + ($0 - 1) * 2 * tree.width) > distance) }
        return near * 5 > tree.leafCount / step
    }

    /// Offers every eligible row of `known` that has not been offered yet.
    mutating func visitRest(of known: RowSet, nearest: inout NearestRows) {
        var words = zip(known.words, request.eligible.words).map { $0 & $1 }
        // The trees outlive the search: they are the index's.
        for leaf in visitedLeaves {
            leaf.tree._withUnsafeGuaranteedRef { tree in
                for row in tree.rows[Int(tree.leafStarts[leaf.number])..<Int(tree.leafStarts[leaf.number + 1])]
                where request.eligible.contains(row) {
                    words[Int(row / 64)] &= ~(UInt64(1) << UInt64(row % 64))
                }
            }
        }
        scannedRows = words.reduce(0) { $0 + $1.nonzeroBitCount }
        words.withUnsafeBufferPointer { query.store.scan(RowBits(words: $0), count: scannedRows, query: query, into: &nearest) }
    }
}
