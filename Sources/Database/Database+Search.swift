import Locks
import TextSearch
package import VectorSearch

package struct SearchHit: Sendable {
    package let document: Document
    package let chunkIndex: Int
    package let distance: Float
    /// As it was sent, if it was asked for.
    package let embedding: [Float]?

    package var chunk: Chunk { document.chunks[chunkIndex] }
}

package struct SearchResult: Sendable {
    /// Why there are fewer hits than were asked for.
    package enum Shortage: String, Sendable {
        /// The library holds no more chunks.
        case librarySize = "library_size"
        /// No more chunks pass the filter.
        case filter
        /// The others are farther than the threshold.
        case distanceThreshold = "distance_threshold"
    }

    /// By ascending distance, equal distances by chunk id.
    package let hits: [SearchHit]
    /// What did the search: never `auto`.
    package let indexKind: IndexKind
    /// Whether every chunk was considered.
    package let isExact: Bool
    /// The candidates that a graph kept.
    package let ef: Int?
    /// The vectors that were compared with the query.
    package let scored: Int
    package let filter: SearchOutcome.Filtering?
    package let shortage: Shortage?
}

extension Database {
    /// The `count` chunks nearest to `query`, which must be valid for the library.
    ///
    /// - Parameters:
    ///   - threshold: chunks farther than this are left out; equal is near enough.
    ///   - ef: the candidates that a graph keeps, if not as configured.
    ///   - isExact: whether every chunk must be considered.
    ///   - filter: which chunks are meant; nil: all.
    package func search(
        in id: LibraryID, query: [Float], count: Int, threshold: Float? = nil, ef: Int? = nil, isExact: Bool = false,
        filter: Filter? = nil, withEmbeddings: Bool = false
    ) throws(DatabaseError) -> SearchResult {
        precondition(count > 0, "a search asks for something")
        let library = try existingLibrary(id)
        return try library.lock.withReadLock { () throws(DatabaseError) in
            let record = library.record
            if let problem = VectorStore.validate(query.span, metric: record.metric, dimension: record.dimension) {
                throw .invalidVector(problem, chunk: nil)
            }
            let eligible = filter.map { slots(passing: $0, in: library) }
            let request = SearchRequest(
                count: count + 1, ef: ef, isExact: isExact, filter: eligible.map { library.chunkTable.rows(of: $0) })
            let (neighbors, outcome) = library.nearestRows(to: query, count: count, request)
            let near = neighbors.prefix { $0.distance <= threshold ?? .infinity }
            var hits: [SearchHit] = []
            for neighbor in near {
                for slot in library.chunkTable.slots(of: neighbor.row).lazy.filter({ eligible?.contains($0.rawValue) ?? true }).prefix(
                    count)
                {
                    let holder = library.chunkTable.holder(of: slot)
                    hits.append(
                        SearchHit(
                            document: holder.document, chunkIndex: Int(holder.chunkIndex), distance: neighbor.distance,
                            embedding: withEmbeddings ? library.vectors.store.copyVector(neighbor.row) : nil))
                }
            }
            hits.sort { ($0.distance, $0.chunk.id) < ($1.distance, $1.chunk.id) }
            hits.removeLast(max(0, hits.count - count))
            let shortage: SearchResult.Shortage? =
                hits.count == count
                ? nil : near.count < neighbors.count ? .distanceThreshold : filter != nil ? .filter : .librarySize
            return SearchResult(
                hits: hits, indexKind: outcome.index, isExact: outcome.exact, ef: outcome.ef, scored: outcome.scored,
                filter: outcome.filter, shortage: shortage)
        }
    }
}

extension Library {
    /// The rows that hold the `count` nearest chunks: the `count` nearest rows and all that are as far as the last of them, because
    /// equal distances are ordered by chunk id, which an index does not know.
    fileprivate func nearestRows(
        to query: [Float], count: Int, _ request: SearchRequest
    ) -> (neighbors: ArraySlice<Neighbor>, outcome: SearchOutcome) {
        var request = request
        while true {
            let outcome = vectors.search(query.span, request)
            let found = outcome.neighbors
            guard found.count > count else { return (found[...], outcome) }
            let farthest = found[count - 1].distance
            if found.count < request.count || found[found.count - 1].distance > farthest {
                return (found.prefix { $0.distance <= farthest }, outcome)
            }
            request.count *= 2
        }
    }
}
