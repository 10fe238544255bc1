import Locks
package import VectorSearch

package struct SearchHit: Sendable {
    package let document: Document
    package let chunkIndex: Int
    /// To the vector of the query; nil where only words were searched for.
    package let distance: Float?
    /// Of words or of both; nil where only vectors were compared, whose distance says it all.
    package let score: Float?
    /// Its places, from 1 on, in the lists that were made one; nil: it is not in the list.
    package let vectorRank: Int?
    package let keywordRank: Int?
    /// As it was sent, if it was asked for.
    package let embedding: [Float]?
    /// If it was asked for.
    package let passage: Passage?

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
        /// No more chunks have a word of the query, and all of its phrases.
        case keywords
    }

    package let mode: SearchQuery.Mode
    /// By ascending distance, or by descending score; equal ones by chunk id. With diversity, in the order that it makes of the best.
    package let hits: [SearchHit]
    /// What compared vectors: never `auto`. Nil if nothing did.
    package let indexKind: IndexKind?
    /// Whether every chunk was considered.
    package let isExact: Bool
    /// The candidates that a graph kept.
    package let ef: Int?
    /// The vectors that were compared with the query.
    package let scored: Int
    /// The occurrences of words that were looked at.
    package let scoredWords: Int
    package let filter: SearchOutcome.Filtering?
    package let shortage: Shortage?
}

extension Database {
    /// - Throws: `modelChanged` where the library's vectors are of another source by now than that of the query.
    package func search(in id: LibraryID, _ query: SearchQuery) throws(DatabaseError) -> SearchResult {
        precondition(query.count > 0, "a search asks for something")
        let library = try existingLibrary(id)
        let (result, minimum) = try library.lock.withReadLock { () throws(DatabaseError) in
            if query.mode != .keyword, let source = query.source, source != library.record.source { throw .modelChanged(id) }
            if query.mode != .keyword,
                let problem = VectorStore.validate(query.vector.span, metric: library.metric, dimension: library.dimension)
            {
                throw .invalidVector(problem, chunk: nil)
            }
            var search = LibrarySearch(library, query, eligible: query.filter.map { slots(passing: $0, in: library) })
            return (search.run(), library.record.minimumRecall)
        }
        // Lists that others are made of are longer than what is asked for, and so better than they would look.
        let isPlain = query.mode == .vector && query.diversity == 0 && query.filter == nil
        if !result.isExact, isPlain { recallEstimator.offer(query, of: library, minimum: minimum) }
        return result
    }

    /// The `count` chunks nearest to `query`, which must be valid for the library.
    package func search(
        in id: LibraryID, query: [Float], count: Int, threshold: Float? = nil, ef: Int? = nil, isExact: Bool = false,
        filter: Filter? = nil, withEmbeddings: Bool = false
    ) throws(DatabaseError) -> SearchResult {
        var search = SearchQuery(vector: query, count: count)
        (search.threshold, search.ef, search.isExact) = (threshold, ef, isExact)
        (search.filter, search.withEmbeddings) = (filter, withEmbeddings)
        return try self.search(in: id, search)
    }
}
