import Database
import JSON
import Settings
import VectorSearch

/// What both search bodies share.
struct SearchParameters {
    let count: Int
    let threshold: Float?
    let ef: Int?
    let isExact: Bool
    let filter: Filter?

    private static let defaultCount = 10

    fileprivate init(_ object: inout JSONObject, _ settings: Settings, for library: LibraryRecord) {
        count = object.optional("k") { $0.integer(in: 1...settings.maxResultsK) } ?? min(Self.defaultCount, settings.maxResultsK)
        threshold = object.optional("distance_threshold") { $0.threshold(for: library.metric) }
        ef = object.optional("ef") { $0.candidates(of: library.index.kind) }
        isExact = object.optional("exact") { $0.bool() } ?? false
        filter = object.optional("filter") { $0.filter() }
    }

    /// The body of `POST /v1/libraries/{id}/search`.
    static func readQuery(
        _ reader: JSONReader, _ settings: Settings, for library: LibraryRecord
    ) throws -> (query: String, parameters: SearchParameters) {
        var query: String?
        var parameters: SearchParameters?
        reader.readObject { object in
            query = object.required("query") { $0.text(maxLength: settings.maxQueryLength) }
            parameters = SearchParameters(&object, settings, for: library)
        }
        try reader.finish()
        return (query!, parameters!)
    }

    /// The body of `POST /v1/libraries/{id}/search/embedding`.
    static func readEmbedding(
        _ reader: JSONReader, _ settings: Settings, for library: LibraryRecord
    ) throws -> (embedding: [Float], parameters: SearchParameters) {
        var embedding: [Float]?
        var parameters: SearchParameters?
        reader.readObject { object in
            embedding = object.required("embedding") { $0.embedding(for: library) }
            parameters = SearchParameters(&object, settings, for: library)
        }
        try reader.finish()
        return (embedding!, parameters!)
    }
}

extension JSONValue {
    fileprivate func threshold(for metric: Metric) -> Float? {
        guard let number = number() else { return nil }
        let range: ClosedRange<Double> =
            switch metric {
            case .cosine: 0...2
            case .l2: 0...Double(Float.greatestFiniteMagnitude)
            case .dot: -Double(Float.greatestFiniteMagnitude)...Double(Float.greatestFiniteMagnitude)
            }
        guard range.contains(number) else {
            note(.outOfRange, metric == .cosine ? "must be between 0 and 2" : metric == .l2 ? "must be 0 or more" : "is out of range")
            return nil
        }
        return Float(number)
    }

    /// `ef` of a search.
    fileprivate func candidates(of index: IndexKind) -> Int? {
        guard index.parameters.contains(.efSearch) else {
            let kinds = IndexKind.allCases.filter { $0.parameters.contains(.efSearch) }.map { "'\($0.rawValue)'" }
            note(.unknownField, "the index '\(index.rawValue)' has no ef; only \(kinds.joined(separator: ", ")) have")
            return nil
        }
        return integer(in: IndexParameter.efSearch.range)
    }
}

extension JSONWriter {
    mutating func write(_ result: SearchResult, metric: Metric, milliseconds: Double) {
        object { json in
            json.key("results")
            json.array { json in
                for hit in result.hits { json.write(hit, metric: metric) }
            }
            json.member("query_time_ms", (milliseconds * 1000).rounded() / 1000)
            json.member("total_results", result.hits.count)
            json.key("plan")
            json.object { json in
                json.member("index", result.indexKind.rawValue)
                json.member("exact", result.isExact)
                if let ef = result.ef { json.member("ef", ef) }
                if let filter = result.filter {
                    json.key("filter")
                    json.object { json in
                        json.member("selectivity", filter.selectivity)
                        json.member("strategy", filter.strategy.rawValue)
                    }
                }
                json.member("scored", result.scored)
                if let shortage = result.shortage { json.member("short_by", shortage.rawValue) }
            }
        }
    }

    private mutating func write(_ hit: SearchHit, metric: Metric) {
        object { json in
            json.key("chunk")
            json.writeChunk(hit.chunkIndex, of: hit.document, embedding: hit.embedding)
            json.member("distance", hit.distance)
            json.member("document_id", hit.document.id.description)
            json.member("document_title", hit.document.metadata.title)
            json.member("score", metric.score(of: hit.distance))
        }
    }
}

extension Metric {
    /// Higher is better.
    fileprivate func score(of distance: Float) -> Float {
        switch self {
        case .cosine: 1 - distance
        case .l2: 1 / (1 + distance)
        // Not `-distance`, which makes a negative zero.
        case .dot: 0 - distance
        }
    }
}
