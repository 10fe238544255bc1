/// Exact search that leaves out whole boxes of rows which are farther than what was found.
///
/// Worth it in few dimensions: with twenty or more, nearly every box is near enough to be looked into, and comparing with
/// every row is as fast.
///
/// A forest of trees that do not grow: new rows make a tree with those of all trees that have no more, so there are few trees
/// and a row is built into one as often as the number of rows has doubled (Bentley and Saxe, Decomposable searching problems,
/// 1980, the logarithmic method).
final class KDTreeIndex: VectorIndex {
    private let store: VectorStore
    private let leafSize: Int
    /// The largest first.
    private var trees: [KDTree] = []

    private static let version: UInt32 = 1

    init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.store = store
        leafSize = configuration[.leafSize]
    }

    var statistics: IndexStatistics {
        IndexStatistics(
            kind: .kdTree, bytes: trees.reduce(0) { $0 + $1.sizeInBytes },
            details: [.init(name: "leaf_size", value: Double(leafSize)), .init(name: "trees", value: Double(trees.count))])
    }

    // A tree is built of all there are.
    var batchSize: Int { .max }
    var pieceSize: Int { .max }

    func adopt(_ configuration: IndexConfiguration) {}

    func makeRoom(for rows: [Row]) {}

    private struct NewTree: PreparedRows {
        let tree: KDTree
        /// How many of the smallest trees it takes the place of.
        let replaced: Int
    }

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        var merged = rows.map(\.rawValue)
        var replaced = 0
        while replaced < trees.count, trees[trees.count - 1 - replaced].count <= merged.count {
            merged += trees[trees.count - 1 - replaced].remainingRows
            replaced += 1
        }
        return NewTree(tree: KDTree(merged, of: store, leafSize: leafSize, memory), replaced: replaced)
    }

    func publish(_ pieces: [any PreparedRows]) {
        for case let piece as NewTree in pieces {
            trees.removeLast(piece.replaced)
            trees.append(piece.tree)
        }
    }

    func forget(_ rows: RowSet) {
        for tree in trees { tree.remove(rows) }
        trees.removeAll { $0.count == 0 }
        trees.sort { $0.count > $1.count }
    }

    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        var outcome = IndexOutcome(scored: 0, isExact: true)
        guard request.count > 0 else { return outcome }
        for tree in trees { outcome.scored += tree.search(query, request.eligible, into: &nearest) }
        return outcome
    }

    // MARK: Coding

    /// After the head: the number of trees, and the rows of each. The trees are built again.
    func encoded() -> [UInt8] {
        var encoder = IndexEncoder(.kdTree, version: Self.version, store: store)
        encoder.write(UInt32(trees.count))
        for tree in trees { encoder.write(tree.remainingRows) }
        return encoder.bytes
    }

    convenience init(
        decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration
    ) throws(IndexDecodingError) {
        var decoder = try IndexDecoder(bytes, .kdTree, version: Self.version, store: store)
        var parts: [[UInt32]] = []
        var seen = RowSet()
        for _ in 0..<(try decoder.readUInt32()) {
            let rows = try decoder.readRows()
            guard !rows.isEmpty else { throw IndexDecodingError("a tree without rows") }
            for row in rows {
                guard !seen.contains(Row(row)) else { throw IndexDecodingError("row \(row) twice") }
                seen.insert(Row(row))
            }
            parts.append(rows)
        }
        try decoder.finish()
        self.init(store: store, configuration)
        // Nobody else has the store yet.
        let memory = StoreMemory()
        trees = parts.map { KDTree($0, of: store, leafSize: configuration[.leafSize], memory) }
    }
}
