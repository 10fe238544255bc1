/// The kinds of index there are. Contract tests, benchmarks and error texts go through all of them.
package enum IndexKind: String, CaseIterable, Sendable {
    /// Compares the query with every row.
    case bruteForce = "brute_force"

    /// An empty index of this kind over the rows of `store`.
    package func makeIndex(over store: VectorStore) -> any VectorIndex {
        switch self {
        case .bruteForce: BruteForceIndex(store: store)
        }
    }
}
