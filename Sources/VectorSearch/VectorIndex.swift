import Locks

/// A structure that finds the nearest among the rows of a `VectorStore` that it was given.
///
/// It is built beside the searches that use it. `IndexedVectors` owns it and calls it in three ways:
/// *exclusively* (nothing else runs in the index), *shared* (searches together, and together with the builder), and as the
/// *builder* (together with searches). Rows come in by `makeRoom`, `prepare`, `publish`, and go by `prepareToForget`,
/// `forget`; from `makeRoom` to after `forget` the store keeps their vectors. Which of its rows a search may return is said
/// by the request, so an index keeps no record of removed rows.
package protocol VectorIndex: AnyObject {
    /// Shared.
    var statistics: IndexStatistics { get }

    /// Exclusive. The rows that came in and were not let go.
    var rows: RowSet { get }

    /// Exclusive. How many rows to announce at a time, at most: they are in the tail until all of them are prepared.
    var batchSize: Int { get }

    /// Exclusive. How many of the announced rows one call of `prepare` gets, at most. Several threads prepare if there are
    /// several such pieces.
    var pieceSize: Int { get }

    /// Exclusive. Whether the rows have become so many, or so different, that an index built anew would serve them better.
    var isOutgrown: Bool { get }

    /// Exclusive. Announces the rows that `prepare` is about to get, so that memory moves now and not while searches run.
    func makeRoom(for rows: [Row])

    /// Builder. The work of taking rows in, as far as searches need not be kept out for it. Threads prepare different pieces.
    ///
    /// - Parameters:
    ///   - rows: a piece of those announced; each row is in one.
    ///   - memory: vectors are read while `memory.pinned` runs, since they may move in between. It is brief: a writer
    ///     whose vector finds no room waits for it.
    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows

    /// Exclusive, and brief. Everything announced is findable afterwards.
    ///
    /// - Parameter pieces: what `prepare` returned, in any order.
    func publish(_ pieces: [any PreparedRows])

    /// Builder. The work of letting rows go, as far as searches need not be kept out for it. Called for every
    /// `part` in 0..<`parts`, on several threads, while no rows are being prepared.
    func prepareToForget(_ rows: RowSet, part: Int, of parts: Int, _ memory: StoreMemory)

    /// Exclusive, and brief. No trace of the rows is left: they may be given to other vectors.
    func forget(_ rows: RowSet)

    /// Exclusive. Takes over what may change live: `configuration` serves as the one the index was made with.
    func adopt(_ configuration: IndexConfiguration)

    /// Shared. Offers `nearest` the rows that are nearest to the query, of those that the request admits, with the distances
    /// that the store computes. No row is offered twice.
    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome

    /// Shared. Follows a part of what leads to rows, and counts what leads to none that is `known`.
    func check(part: Int, of parts: Int, known: RowBits) -> IndexCheck

    /// The whole index, while nobody builds; `IndexKind.decodeIndex` makes it again over a store with the same rows.
    ///
    /// - Parameter rowCount: the rows that the store had when the index was last built; searches and inserts go on meanwhile.
    func encoded(rowCount: Int) -> [UInt8]
}

extension VectorIndex {
    package var isOutgrown: Bool { false }
    package func prepareToForget(_ rows: RowSet, part: Int, of parts: Int, _ memory: StoreMemory) {}
}

/// Keeps the vectors of a store where they are while a builder reads them.
package final class StoreMemory: Sendable {
    private let lock = ReadWriteLock()

    package init() {}

    /// The vectors stay where they are while `body` runs.
    package func pinned<Result>(_ body: () -> Result) -> Result {
        lock.withReadLock(body)
    }

    /// Waits until nobody has pinned the vectors.
    func moving<Result>(_ body: () -> Result) -> Result {
        lock.withWriteLock(body)
    }
}

/// What an index made of rows, until it is published.
package protocol PreparedRows {}

/// What is asked of an index.
package struct IndexRequest {
    /// How many neighbours.
    let count: Int
    /// The rows that may be returned; others may be looked at on the way.
    let eligible: RowBits
    /// How many those are.
    let eligibleCount: Int
    /// HNSW: the candidates kept, if not as configured.
    let ef: Int?

    /// Whether the rows that an index met near the query are eligible about as often as all are: if hardly any is, what is eligible
    /// lies somewhere else, and the nearest of it was not met.
    func admits(_ admitted: Int, of met: Int, outOf all: Int) -> Bool {
        Double(admitted) * Double(max(all, 1)) * 3 > Double(met) * Double(eligibleCount)
    }
}

/// What an index did for a search.
package struct IndexOutcome {
    /// The rows compared with the query.
    var scored: Int
    /// Whether every eligible row was considered.
    var isExact: Bool
    /// HNSW: the candidates kept.
    var ef: Int?
    var strategy: FilterStrategy?
    /// False if the rows that the filter lets through lie so far from the query that the nearest of them were not found.
    var isReliable = true
}

/// How a search kept to the rows of its filter.
package enum FilterStrategy: String, Sendable {
    /// Compared the query with every eligible row.
    case exact
    /// Walked the graph from eligible row to eligible row, over the others.
    case inGraph = "in_graph"
    /// Searched for more than was asked for, and left out what was not eligible.
    case postFilter = "post_filter"
}

/// What following the links of an index found: entries of lists and of tables are links as well.
package struct IndexCheck: Equatable, Sendable {
    package var links = 0
    /// Links that lead to no row of the index.
    package var outOfBounds = 0

    mutating func follow(_ rows: some Sequence<UInt32>, known: RowBits) {
        for row in rows {
            links += 1
            if !known.contains(row) { outOfBounds += 1 }
        }
    }
}

package struct IndexStatistics: Equatable, Sendable {
    package let kind: IndexKind
    /// Memory of the index itself; vectors and codes are the store's.
    package let bytes: Int
    /// What is particular to the kind, by its name on the wire.
    package let details: [Detail]

    package struct Detail: Equatable, Sendable {
        package let name: String
        package let value: Double
    }
}
