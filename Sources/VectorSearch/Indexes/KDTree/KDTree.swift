import CVectorKernels

/// Rows in a binary tree of boxes: every inner node splits its rows at the median of the component in which they differ most,
/// every leaf has a few. It does not change but for rows that leave it.
///
/// Bentley, Multidimensional binary search trees used for associative searching, CACM 1975; with rows in the leaves only and
/// boxes around what is there, as in Friedman, Bentley and Finkel, TOMS 1977. Under cosine the boxes are around the vectors
/// scaled to norm 1.
///
/// Cost: two vectors a node, so 4/leaf of the vectors' memory; building reads them once for each of log2(rows/leaf) levels.
final class KDTree {
    private struct Node {
        /// The first child follows its parent; this is the second. 0 for a leaf.
        var second: UInt32 = 0
        /// The rows of a leaf.
        var start: UInt32 = 0
        var count: UInt32 = 0
    }

    private let store: VectorStore
    private let leafSize: Int
    /// In the order of the leaves. Places that rows have left are `gone` counts short at the end of their leaf.
    private(set) var rows: [UInt32] = []
    private(set) var count: Int
    private var nodes: [Node] = []
    /// The low and the high corner of each node's box.
    private var boxes: [Float] = []

    /// How many vectors are read at a time before whoever needs to move them may.
    private static let pinnedRows = 256

    init(_ rows: [UInt32], of store: VectorStore, leafSize: Int, _ memory: StoreMemory) {
        self.store = store
        self.leafSize = leafSize
        count = rows.count
        self.rows.reserveCapacity(rows.count)
        build(rows, memory)
    }

    var sizeInBytes: Int { rows.count * 4 + nodes.count * MemoryLayout<Node>.stride + boxes.count * 4 }

    // MARK: Building

    private func build(_ part: [UInt32], _ memory: StoreMemory) {
        let node = nodes.count
        nodes.append(Node())
        let (low, high) = box(around: part, memory)
        boxes.append(contentsOf: low)
        boxes.append(contentsOf: high)
        let spreads = zip(low, high).map { $1 - $0 }
        let widest = spreads.indices.max { spreads[$0] < spreads[$1] }!
        guard part.count > leafSize, spreads[widest] > 0 else {
            nodes[node].start = UInt32(rows.count)
            nodes[node].count = UInt32(part.count)
            rows.append(contentsOf: part)
            return
        }
        var keys = keys(of: part, component: widest, memory)
        keys.sort()
        let sorted = keys.map { UInt32(truncatingIfNeeded: $0) >> 1 }
        build(Array(sorted[..<(sorted.count / 2)]), memory)
        nodes[node].second = UInt32(nodes.count)
        build(Array(sorted[(sorted.count / 2)...]), memory)
    }

    private func box(around part: [UInt32], _ memory: StoreMemory) -> (low: [Float], high: [Float]) {
        var low = [Float](repeating: .infinity, count: store.dimension)
        var high = [Float](repeating: -.infinity, count: store.dimension)
        inPieces(part, memory) { row in
            quire_extend_box(store.vectors.base + row * store.stride, factor(row), store.dimension, &low, &high)
        }
        return (low, high)
    }

    /// A component of each row with the row, in numbers that sort by it.
    private func keys(of part: [UInt32], component: Int, _ memory: StoreMemory) -> [UInt64] {
        var keys: [UInt64] = []
        keys.reserveCapacity(part.count)
        inPieces(part, memory) { row in
            keys.append(CandidateKey.pack(store.vectors.base[row * store.stride + component] * factor(row), UInt32(row)))
        }
        return keys
    }

    private func factor(_ row: Int) -> Float { store.metric == .cosine ? store.inverseNorms.base[row] : 1 }

    private func inPieces(_ part: [UInt32], _ memory: StoreMemory, _ body: (Int) -> Void) {
        for start in stride(from: 0, to: part.count, by: Self.pinnedRows) {
            memory.pinned {
                for row in part[start..<min(part.count, start + Self.pinnedRows)] { body(Int(row)) }
            }
        }
    }

    // MARK: Searching and forgetting

    /// Offers `nearest` every eligible row that can be among the nearest; returns how many were compared.
    func search(_ query: PreparedQuery, _ eligible: RowBits, into nearest: inout NearestRows) -> Int {
        guard count > 0 else { return 0 }
        var scored = 0
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { list in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { distances in
                boxes.withUnsafeBufferPointer { boxes in
                    visit(0, bound(0, query, boxes), query, eligible, boxes, list, distances, &nearest, &scored)
                }
            }
        }
        return scored
    }

    private func bound(_ node: Int, _ query: PreparedQuery, _ boxes: UnsafeBufferPointer<Float>) -> Float {
        let low = boxes.baseAddress! + node * 2 * store.dimension
        return quire_box_bound(store.metric.kernel, query.vector, low, low + store.dimension, store.dimension)
    }

    /// - Parameter bound: no row of the node is nearer than this.
    private func visit(
        _ node: Int, _ bound: Float, _ query: PreparedQuery, _ eligible: RowBits, _ boxes: UnsafeBufferPointer<Float>,
        _ list: UnsafeMutableBufferPointer<UInt32>, _ distances: UnsafeMutableBufferPointer<Float>, _ nearest: inout NearestRows,
        _ scored: inout Int
    ) {
        // A row as far as the last one found may come before it by its number.
        guard bound <= nearest.bound else { return }
        guard nodes[node].second == 0 else {
            let (first, second) = (node + 1, Int(nodes[node].second))
            let (firstBound, secondBound) = (self.bound(first, query, boxes), self.bound(second, query, boxes))
            let isFirstNearer = firstBound <= secondBound
            visit(
                isFirstNearer ? first : second, min(firstBound, secondBound), query, eligible, boxes, list, distances, &nearest, &scored)
            visit(
                isFirstNearer ? second : first, max(firstBound, secondBound), query, eligible, boxes, list, distances, &nearest, &scored)
            return
        }
        let start = Int(nodes[node].start)
        let end = start + Int(nodes[node].count)
        var index = start
        while index < end {
            var found = 0
            while index < end, found < list.count {
                if eligible.contains(rows[index]) {
                    list[found] = rows[index]
                    found += 1
                }
                index += 1
            }
            store.computeDistances(query, to: list.baseAddress!, count: found, into: distances.baseAddress!)
            scored += found
            for place in 0..<found where distances[place] <= nearest.bound {
                nearest.offer(Neighbor(row: Row(list[place]), distance: distances[place]))
            }
        }
    }

    /// Takes rows out of their leaves. The boxes stay as they are: larger than they need be, which costs time and nothing else.
    func remove(_ gone: RowSet) {
        for node in nodes.indices where nodes[node].second == 0 {
            let start = Int(nodes[node].start)
            var kept = start
            for index in start..<start + Int(nodes[node].count) where !gone.contains(Row(rows[index])) {
                rows[kept] = rows[index]
                kept += 1
            }
            count -= Int(nodes[node].count) - (kept - start)
            nodes[node].count = UInt32(kept - start)
        }
    }

    /// The rows that have not left.
    var remainingRows: [UInt32] {
        nodes.flatMap { $0.second == 0 ? rows[Int($0.start)..<Int($0.start + $0.count)] : [] }
    }
}
