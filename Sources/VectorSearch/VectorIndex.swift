/// A structure that finds the rows of a `VectorStore` nearest to a query.
///
/// It holds the rows it was given, which the store must keep while they are in it: a row is inserted after the store
/// took the vector, and removed before the store may reuse it. Like the store it is not thread safe: its owner admits
/// searches together or one change. Dispatch is one existential call per query.
package protocol VectorIndex: AnyObject {
    var kind: IndexKind { get }
    var statistics: IndexStatistics { get }

    /// Makes a live row findable, at once. A row that is in the index already stays as it is.
    func insert(_ row: Row)

    /// Makes a row unfindable, at once. A row that is not in the index is no error.
    func remove(_ row: Row)

    /// The nearest `count` rows, or all if there are fewer. The query has passed `VectorStore.validate`.
    func search(_ query: Span<Float>, count: Int) -> SearchOutcome
}

package struct SearchOutcome: Equatable, Sendable {
    /// Ascending by (distance, row), without duplicates.
    package let neighbors: [Neighbor]
    /// How many rows were compared with the query.
    package let scored: Int
    /// Whether every row of the index was considered, so that these are the nearest there are.
    package let exact: Bool
}

package struct IndexStatistics: Equatable, Sendable {
    package let kind: IndexKind
    /// Rows in the index.
    package let rows: Int
    /// Memory of the index itself; the vectors are the store's.
    package let bytes: Int
}
