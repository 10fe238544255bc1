import Locks

/// Exact search that leaves out what cannot be near: a forest of k-d trees.
///
/// For few dimensions. Of 100,000 uniform rows it looks at 0.2 % in 4 dimensions and 2.5 % in 8. From 16 on boxes are about
/// as near as any row and hardly anything is left out (Weber, Schek and Blott, VLDB 1998, say why), which holds for text
/// embeddings too: a search notices that and compares the query with every row, which takes a fifth to a half longer
/// than without an index.
///
/// Rows come in by the logarithmic method (Bentley and Saxe, "Decomposable searching problems I", 1980): trees never change; a
/// batch becomes a tree together with those that are no larger than twice what has been gathered so far. So a tree is more
/// than twice as large as the next, there are O(log n) of them; and a row is built into another tree only when that is half
/// as large again, O(log n) times. Deviations: sizes are not powers of two; a row that leaves is left out of its tree, and a
/// tree that has lost half of its rows is built anew.
final class KDTreeIndex: VectorIndex {
    let store: VectorStore
    private let leafSize: Int
    /// The largest first.
    private(set) var trees: [KDTree] = []
    /// The rows of all trees.
    private(set) var known = RowSet()
    /// What `prepareToForget` made, by tree; several threads do.
    private var replacements: [ObjectIdentifier: KDTree] = [:]
    private let replacementsLock = Lock()

    private static let version: UInt32 = 1

    init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.store = store
        leafSize = configuration[.leafSize]
    }

    var rows: RowSet { known }

    var statistics: IndexStatistics {
        IndexStatistics(
            kind: .kdTree, bytes: trees.reduce(0) { $0 + $1.sizeInBytes },
            details: [
                .init(name: "trees", value: Double(trees.count)),
                .init(name: "leaves", value: Double(trees.reduce(0) { $0 + $1.leafCount })),
                .init(name: "leaf_size", value: Double(leafSize)),
            ])
    }

    // One tree is made of all that waits.
    var batchSize: Int { .max }
    var pieceSize: Int { .max }

    func makeRoom(for rows: [Row]) {}

    private struct Prepared: PreparedRows {
        let rows: ArraySlice<Row>
        let tree: KDTree
        let merged: Set<ObjectIdentifier>
    }

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        var all = rows.map(\.rawValue)
        var merged: Set<ObjectIdentifier> = []
        for tree in trees.reversed() where tree.count <= 2 * all.count {
            all += tree.rows
            merged.insert(ObjectIdentifier(tree))
        }
        return Prepared(rows: rows, tree: KDTree(all, leafSize: leafSize, over: store, memory), merged: merged)
    }

    func publish(_ pieces: [any PreparedRows]) {
        // Made of what is about to change, by work that was cancelled.
        replacements = [:]
        for case let piece as Prepared in pieces {
            let before = trees.count
            trees.removeAll { piece.merged.contains(ObjectIdentifier($0)) }
            precondition(before - trees.count == piece.merged.count, "a tree is merged into one other")
            for row in piece.rows { known.insert(row) }
            if piece.tree.count > 0 { trees.append(piece.tree) }
        }
        trees.sort { $0.count > $1.count }
    }

    func prepareToForget(_ rows: RowSet, part: Int, of parts: Int, _ memory: StoreMemory) {
        for number in stride(from: part, to: trees.count, by: parts) {
            let tree = trees[number]
            var replacement = tree.without(rows)
            if replacement.count > 0, replacement.count < replacement.builtCount / 2 {
                replacement = KDTree(replacement.rows, leafSize: leafSize, over: store, memory)
            }
            replacementsLock.withLock { replacements[ObjectIdentifier(tree)] = replacement }
        }
    }

    func forget(_ rows: RowSet) {
        trees = trees.map { replacements[ObjectIdentifier($0)] ?? $0.without(rows) }.filter { $0.count > 0 }
        trees.sort { $0.count > $1.count }
        replacements = [:]
        rows.forEach { known.remove($0) }
    }

    func check(part: Int, of parts: Int, known: RowBits) -> IndexCheck {
        var check = IndexCheck()
        for number in stride(from: part, to: trees.count, by: parts) { check.follow(trees[number].rows, known: known) }
        return check
    }

    func adopt(_ configuration: IndexConfiguration) {}

    // MARK: Bytes

    /// After the head: the number of trees, then each tree's number of rows when it was built, its rows by leaf, and where
    /// its leaves begin. Boxes are not written: finding them again is one pass over the vectors, and cannot be wrong.
    func encoded(rowCount: Int) -> [UInt8] {
        var encoder = IndexEncoder(.kdTree, version: Self.version, dimension: store.dimension, rowCount: rowCount)
        encoder.write(UInt32(trees.count))
        for tree in trees {
            encoder.write(UInt32(tree.builtCount))
            encoder.write(tree.rows)
            encoder.write(tree.leafStarts)
        }
        return encoder.bytes
    }

    init(decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration) throws(IndexDecodingError) {
        self.store = store
        leafSize = configuration[.leafSize]
        var decoder = try IndexDecoder(bytes, .kdTree, version: Self.version, store: store)
        let memory = StoreMemory()
        for _ in 0..<(try decoder.readUInt32()) {
            let builtCount = Int(try decoder.readUInt32())
            let rows = try decoder.readRows()
            let leafStarts = try decoder.readArray(of: UInt32.self)
            for row in rows { known.insert(Row(row)) }
            let leafCount = leafStarts.count - 1
            guard !rows.isEmpty, leafCount > 0, leafCount.nonzeroBitCount == 1, leafCount <= 2 * builtCount,
                builtCount >= rows.count, builtCount <= decoder.rowLimit,
                leafStarts.first == 0, leafStarts.last == UInt32(rows.count), zip(leafStarts, leafStarts.dropFirst()).allSatisfy(<=)
            else { throw IndexDecodingError("leaves that are none") }
            trees.append(KDTree(arranged: rows, leafStarts: leafStarts, builtCount: builtCount, over: store, memory))
        }
        try decoder.finish()
        guard known.count == trees.reduce(0, { $0 + $1.count }) else { throw IndexDecodingError("a row twice") }
    }
}
