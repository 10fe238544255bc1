/// An immutable k-d tree over some rows of a store (Bentley, "Multidimensional binary search trees used for associative
/// searching", 1975), with rows at the leaves only and the bounding box of every node (as Friedman, Bentley and Finkel 1977
/// keep them): what is not near enough to the box is not near enough to its rows.
///
/// A node is split at the median of the component in which its rows spread most. Halves are equal in number even when values
/// are, so the tree is complete and its shape follows from the number of rows: node n has the children 2n and 2n + 1, the
/// root is 1, and the leaves are the last `leafCount` numbers. Under cosine everything is about the vectors of norm 1.
///
/// Deviations: spread is measured on at most 128 rows of a node; and boxes, not split planes, decide what is left out, so
/// where exactly the planes lie does not matter to correctness.
final class KDTree {
    /// By leaf.
    let rows: [UInt32]
    /// Where the rows of each leaf begin, and the end of the last.
    let leafStarts: [UInt32]
    /// Rows when it was built: some may have been left out since.
    let builtCount: Int
    /// Node n's at (n − 1) · 2 · `width`: least components, then greatest; both padded with zeros. Boxes of rows that have
    /// been left out since remain as they were.
    let boxes: [Float]
    /// The dimension rounded up to whole steps of the bound's loop.
    let width: Int

    var count: Int { rows.count }
    var leafCount: Int { leafStarts.count - 1 }
    var sizeInBytes: Int { (rows.count + leafStarts.count + boxes.count) * 4 }

    private init(rows: [UInt32], leafStarts: [UInt32], builtCount: Int, boxes: [Float], width: Int) {
        self.rows = rows
        self.leafStarts = leafStarts
        self.builtCount = builtCount
        self.boxes = boxes
        self.width = width
    }

    /// Builds the tree of `rows`, at least one. Time is O(d·n + n·log n), memory beside the result 12 bytes a row.
    convenience init(_ rows: [UInt32], leafSize: Int, over store: VectorStore, _ memory: StoreMemory) {
        var leafCount = 1
        while (rows.count + leafCount - 1) / leafCount > leafSize { leafCount *= 2 }
        var builder = KDTreeBuilder(rows: rows, store: store, memory: memory)
        builder.split(leafCount: leafCount)
        let starts = (0...leafCount).map { UInt32($0 * rows.count / leafCount) }
        self.init(arranged: builder.rows, leafStarts: starts, builtCount: rows.count, over: store, memory)
    }

    /// The tree whose leaves are known: one pass over the vectors finds the boxes. `leafStarts` ascends from 0 to the number
    /// of rows, and the number of leaves is a power of two.
    init(arranged rows: [UInt32], leafStarts: [UInt32], builtCount: Int, over store: VectorStore, _ memory: StoreMemory) {
        self.rows = rows
        self.leafStarts = leafStarts
        self.builtCount = builtCount
        width = BoxBound.width(ofDimension: store.dimension)
        boxes = Self.makeBoxes(rows, leafStarts, width: width, over: store, memory)
    }

    /// The same tree without `forgotten`; itself if it has none of them.
    func without(_ forgotten: RowSet) -> KDTree {
        forgotten.withBits { forgotten in
            guard rows.contains(where: forgotten.contains) else { return self }
            var left: [UInt32] = []
            left.reserveCapacity(rows.count)
            var starts: [UInt32] = [0]
            starts.reserveCapacity(leafStarts.count)
            for leaf in 0..<leafCount {
                for row in rows[Int(leafStarts[leaf])..<Int(leafStarts[leaf + 1])] where !forgotten.contains(row) {
                    left.append(row)
                }
                starts.append(UInt32(left.count))
            }
            return KDTree(rows: left, leafStarts: starts, builtCount: builtCount, boxes: boxes, width: width)
        }
    }

    private static func makeBoxes(
        _ rows: [UInt32], _ leafStarts: [UInt32], width: Int, over store: VectorStore, _ memory: StoreMemory
    ) -> [Float] {
        let leafCount = leafStarts.count - 1
        // An empty leaf has a box that contains nothing, and the box of its parent is that of its sibling.
        let emptyBox =
            [Float](repeating: .greatestFiniteMagnitude, count: store.dimension) + [Float](repeating: 0, count: width - store.dimension)
            + [Float](repeating: -.greatestFiniteMagnitude, count: store.dimension) + [Float](repeating: 0, count: width - store.dimension)
        var boxes: [Float] = []
        boxes.reserveCapacity((2 * leafCount - 1) * 2 * width)
        for _ in 1..<(2 * leafCount) { boxes += emptyBox }

        boxes.withUnsafeMutableBufferPointer { boxes in
            var leaf = 0
            rows.withUnsafeBufferPointer { rows in
                store.forEachVector(of: rows, components: store.dimension, memory) { position, vector, factor in
                    while leafStarts[leaf + 1] <= position { leaf += 1 }
                    let least = boxes.baseAddress! + (leafCount + leaf - 1) * 2 * width
                    let greatest = least + width
                    for component in 0..<store.dimension {
                        let value = vector[component] * factor
                        least[component] = min(least[component], value)
                        greatest[component] = max(greatest[component], value)
                    }
                }
            }
            for node in stride(from: leafCount - 1, to: 0, by: -1) {
                let box = boxes.baseAddress! + (node - 1) * 2 * width
                let left = boxes.baseAddress! + (2 * node - 1) * 2 * width
                let right = left + 2 * width
                for component in 0..<width {
                    box[component] = min(left[component], right[component])
                    box[width + component] = max(left[width + component], right[width + component])
                }
            }
        }
        return boxes
    }
}

/// Arranges rows by leaf.
struct KDTreeBuilder {
    private(set) var rows: [UInt32]
    private let store: VectorStore
    private let memory: StoreMemory
    private var random = SeededRandom(seed: 0x6b64)
    private var least: [Float]
    private var greatest: [Float]

    private static var spreadSample: Int { 128 }

    init(rows: [UInt32], store: VectorStore, memory: StoreMemory) {
        self.rows = rows
        self.store = store
        self.memory = memory
        least = Array(repeating: 0, count: store.dimension)
        greatest = least
    }

    /// Level by level. On a level of 2^l nodes the i-th has the rows from ⌊i·n/2^l⌋ on, so children share their parent's.
    mutating func split(leafCount: Int) {
        var nodeCount = 1
        while nodeCount < leafCount {
            for node in 0..<nodeCount {
                let start = node * rows.count / nodeCount
                let end = (node + 1) * rows.count / nodeCount
                let middle = (2 * node + 1) * rows.count / (2 * nodeCount)
                guard start < middle, middle < end else { continue }
                split(start..<end, at: middle)
            }
            nodeCount *= 2
        }
    }

    private mutating func split(_ range: Range<Int>, at middle: Int) {
        let component = widestComponent(of: range)
        // One number orders a row: its component, then the row, for values are often equal and rows never are.
        var keys = [UInt64](repeating: 0, count: range.count)
        rows.withUnsafeBufferPointer { rows in
            let rows = UnsafeBufferPointer(rebasing: rows[range])
            store.forEachVector(of: rows, components: 1, memory) { position, vector, factor in
                keys[position] = UInt64((vector[component] * factor).orderedBits) << 32 | UInt64(rows[position])
            }
        }
        select(&keys, middle - range.lowerBound)
        for (index, key) in zip(range, keys) { rows[index] = UInt32(truncatingIfNeeded: key) }
    }

    private mutating func widestComponent(of range: Range<Int>) -> Int {
        let step = max(1, range.count / Self.spreadSample)
        let sample = stride(from: range.lowerBound, to: range.upperBound, by: step).map { rows[$0] }
        for component in least.indices {
            least[component] = .infinity
            greatest[component] = -.infinity
        }
        least.withUnsafeMutableBufferPointer { least in
            greatest.withUnsafeMutableBufferPointer { greatest in
                sample.withUnsafeBufferPointer { sample in
                    store.forEachVector(of: sample, components: least.count, memory) { _, vector, factor in
                        for component in least.indices {
                            let value = vector[component] * factor
                            least[component] = min(least[component], value)
                            greatest[component] = max(greatest[component], value)
                        }
                    }
                }
            }
        }
        return least.indices.max { greatest[$0] - least[$0] < greatest[$1] - least[$1] }!
    }

    /// Puts the keys below the `middle`-th before it and the others behind it (Hoare 1961, "Find"). The keys differ, and the
    /// pivots are drawn, so no order of rows makes it quadratic but by bad luck.
    private mutating func select(_ keys: inout [UInt64], _ middle: Int) {
        keys.withUnsafeMutableBufferPointer { keys in
            var low = 0
            var high = keys.count - 1
            while low < high {
                let pivot = keys[Int.random(in: low...high, using: &random)]
                var left = low
                var right = high
                while left <= right {
                    while keys[left] < pivot { left += 1 }
                    while keys[right] > pivot { right -= 1 }
                    if left <= right {
                        keys.swapAt(left, right)
                        left += 1
                        right -= 1
                    }
                }
                if middle <= right {
                    high = right
                } else if middle >= left {
                    low = left
                } else {
                    return
                }
            }
        }
    }
}
