/// What is asked of the vectors of a library.
package struct SearchRequest {
    /// How many neighbours.
    package var count: Int
    /// HNSW: the candidates kept, if not as configured.
    package var ef: Int?
    /// Whether every eligible row must be compared.
    package var isExact: Bool
    /// The rows that may be returned; nil: all.
    package var filter: RowSet?

    package init(count: Int, ef: Int? = nil, isExact: Bool = false, filter: RowSet? = nil) {
        self.count = count
        self.ef = ef
        self.isExact = isExact
        self.filter = filter
    }
}

/// What was found, and how.
package struct SearchOutcome: Equatable, Sendable {
    /// Ascending by (distance, row), without duplicates.
    package var neighbors: [Neighbor]
    /// How many rows were compared with the query, by vectors or by codes.
    package var scored: Int
    /// Whether every eligible row was considered, so that these are the nearest there are.
    package var exact: Bool
    /// What did the search: never `auto`.
    package var index: IndexKind
    /// HNSW: the candidates kept.
    package var ef: Int?
    package var filter: Filtering?

    package struct Filtering: Equatable, Sendable {
        /// The share of all rows that the filter lets through.
        package let selectivity: Double
        package let strategy: FilterStrategy
    }
}

/// An index as an operator sees it.
package struct IndexedStatistics: Equatable, Sendable {
    package enum State: String, Sendable {
        case ready, building
    }

    /// As configured.
    package let kind: IndexKind
    /// What searches use: never `auto`.
    package let active: IndexKind
    package let quantization: Quantization
    package let state: State
    /// Rows that are searched by the index; with exact search all of them.
    package let indexed: Int
    /// Rows that wait to be taken in, and are searched exactly meanwhile.
    package let pending: Int
    /// How much of the work under way is done, 0 to 1.
    package let progress: Double
    /// Memory of the index; vectors and codes are the store's.
    package let bytes: Int
    /// What is particular to the active kind.
    package let details: [IndexStatistics.Detail]
    /// What the index becomes when the work under way is done, if that is another one.
    package let target: IndexConfiguration?
}
