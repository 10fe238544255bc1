import Database
import HTTP
import Logging
import VectorSearch

/// Logs searches that took long, with how they were made: what tells a filter that few chunks pass from an index that is being built.
/// Of the query there is nothing but its mode and sizes.
struct SlowQueryLog: Sendable {
    /// nil: none is slow.
    private let limit: Duration?
    private let logger: Logger

    /// - Parameter milliseconds: 0: none is slow.
    init(milliseconds: Int, logger: Logger) {
        limit = milliseconds > 0 ? .milliseconds(milliseconds) : nil
        self.logger = logger
    }

    /// - Parameters:
    ///   - embedding: how long its text took to become a vector.
    ///   - searching: how long the search took besides.
    func note(
        _ request: Request, in library: LibraryID, _ query: SearchQuery, _ result: SearchResult, embedding: Duration, searching: Duration
    ) {
        guard let limit, embedding + searching > limit else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(request.id)", "library_id": "\(library)",
            "milliseconds": .stringConvertible((embedding + searching).roundedMilliseconds),
            "embedding_milliseconds": .stringConvertible(embedding.roundedMilliseconds),
            "mode": "\(query.mode.rawValue)", "k": .stringConvertible(query.count), "offset": .stringConvertible(query.offset),
            "results": .stringConvertible(result.hits.count), "exact": .stringConvertible(result.isExact),
            "scored": .stringConvertible(result.scored), "scored_words": .stringConvertible(result.scoredWords),
        ]
        if let index = result.indexKind { metadata["index"] = "\(index.rawValue)" }
        if let ef = result.ef { metadata["ef"] = .stringConvertible(ef) }
        if let filter = result.filter {
            metadata["filter_strategy"] = "\(filter.strategy.rawValue)"
            metadata["filter_selectivity"] = .stringConvertible(filter.selectivity)
        }
        if let shortage = result.shortage { metadata["short_by"] = "\(shortage.rawValue)" }
        logger.warning("slow search", metadata: metadata)
    }
}
