/// The kinds of index there are. Contract tests, benchmarks, validation and error texts go through all of them.
package enum IndexKind: String, CaseIterable, Sendable {
    /// Exact while that is faster on these vectors, then `hnsw`; what is faster is measured.
    case auto
    /// Compares the query with every row.
    case bruteForce = "brute_force"
    /// Exact; leaves out what cannot be near. For few dimensions.
    case kdTree = "kd_tree"
    /// Rows by the hyperplanes they are on the same side of.
    case lsh
    /// A graph of near rows, walked from far to near.
    case hnsw
    /// Rows by their nearest centroid.
    case ivf

    /// What a client may choose of an index of this kind, in the order in which it is shown.
    package var parameters: [IndexParameter] {
        switch self {
        case .auto, .hnsw: [.m, .efConstruction, .efSearch]
        case .bruteForce: []
        case .kdTree: [.leafSize]
        case .lsh: [.tables, .bits, .probes]
        case .ivf: [.nlist, .nprobe]
        }
    }

    /// How an index of this kind can hold its vectors.
    package var quantizations: [Quantization] {
        switch self {
        case .auto, .bruteForce, .hnsw: [.none, .int8]
        case .kdTree, .lsh, .ivf: [.none]
        }
    }

    /// An empty index of this kind; none for exact search, which needs nothing but the vectors. `auto` decides later.
    func makeIndex(over store: VectorStore, _ configuration: IndexConfiguration) -> (any VectorIndex)? {
        switch self {
        case .auto, .bruteForce: nil
        case .hnsw: HNSWIndex(store: store, configuration)
        case .kdTree: KDTreeIndex(store: store, configuration)
        case .lsh: LSHIndex(store: store, configuration)
        case .ivf: IVFIndex(store: store, configuration)
        }
    }

    /// The index that `VectorIndex.encoded` wrote, over a store with the same rows.
    ///
    /// - Throws: if the bytes are not such an index: every row number and size in them is checked.
    func decodeIndex(
        _ bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration
    ) throws(IndexDecodingError) -> (any VectorIndex)? {
        switch self {
        case .auto, .bruteForce: nil
        case .hnsw: try HNSWIndex(decoding: bytes, over: store, configuration)
        case .kdTree: try KDTreeIndex(decoding: bytes, over: store, configuration)
        case .lsh: try LSHIndex(decoding: bytes, over: store, configuration)
        case .ivf: try IVFIndex(decoding: bytes, over: store, configuration)
        }
    }

    /// Whether every answer is the true one.
    package var isExact: Bool {
        switch self {
        case .bruteForce, .kdTree: true
        case .auto, .lsh, .hnsw, .ivf: false
        }
    }
}

/// How the rows that a search looks at are held. The vectors themselves stay as they were sent, and what is returned is
/// scored with them.
package enum Quantization: String, CaseIterable, Sendable {
    /// The vectors themselves.
    case none
    /// Codes of one byte a component beside them, to decide which vectors are looked at.
    case int8
}
