import Database
import JSON
import Settings
import VectorSearch

extension SearchQuery {
    private static let defaultCount = 10

    /// The most chunks of one reply, each result with those around it.
    private static func chunkLimit(_ settings: Settings) -> Int { 10 * settings.maxResultsK }

    /// The most searches of one request.
    private static let batchLimit = 100

    /// The body of `POST /v1/libraries/{id}/search`.
    static func readText(_ reader: JSONReader, _ settings: Settings, for library: LibraryRecord) throws -> SearchQuery {
        var search: SearchQuery?
        reader.readObject { search = SearchQuery(text: &$0, settings, for: library) }
        try reader.finish()
        return search!
    }

    /// The body of `POST /v1/libraries/{id}/search/embedding`.
    static func readEmbedding(_ reader: JSONReader, _ settings: Settings, for library: LibraryRecord) throws -> SearchQuery {
        var search: SearchQuery?
        reader.readObject { search = SearchQuery(embedding: &$0, settings, for: library) }
        try reader.finish()
        return search!
    }

    /// The body of `POST /v1/libraries/{id}/search/batch`: searches of both kinds.
    static func readBatch(_ reader: JSONReader, _ settings: Settings, for library: LibraryRecord) throws -> [SearchQuery] {
        var searches: [SearchQuery]?
        reader.readObject { object in
            searches = object.required("searches") { value in
                value.array(count: 1...batchLimit) { element in
                    var search: SearchQuery?
                    element.object { object in
                        let hasVector = object.has("embedding")
                        search =
                            hasVector
                            ? SearchQuery(embedding: &object, settings, for: library) : SearchQuery(text: &object, settings, for: library)
                    }
                    return search
                }
            }
            if let searches, searches.reduce(0, { $0 + $1.chunkCount }) > chunkLimit(settings) {
                object.note(.outOfRange, at: "searches", tooManyChunks(settings, "all results together"))
            }
        }
        try reader.finish()
        return searches!
    }

    /// Whether it still needs the vector of its text.
    var needsVector: Bool { mode != .keyword && vector.isEmpty }

    /// The chunks that a reply may have.
    private var chunkCount: Int { count * (expansion.map { 1 + $0.before + $0.after } ?? 1) }

    private static func tooManyChunks(_ settings: Settings, _ results: String) -> String {
        "\(results), with the chunks around them, must be at most 10 × MAX_RESULTS_K = \(chunkLimit(settings)) chunks"
    }

    private init(text object: inout JSONObject, _ settings: Settings, for library: LibraryRecord) {
        let text = object.required("query") { $0.text(maxLength: settings.maxQueryLength) }
        self.init(&object, settings, for: library)
        self.text = text ?? ""
    }

    /// With the text, if words are to be searched for too.
    private init(embedding object: inout JSONObject, _ settings: Settings, for library: LibraryRecord) {
        let embedding = object.required("embedding") { $0.embedding(for: library) }
        self.init(&object, settings, for: library)
        vector = embedding ?? []
        if mode != .vector { text = object.required("query") { $0.text(maxLength: settings.maxQueryLength) } ?? "" }
    }

    private init(_ object: inout JSONObject, _ settings: Settings, for library: LibraryRecord) {
        let mode = object.optional("mode") { $0.choice(of: Mode.self) } ?? .vector
        self.init(
            mode,
            count: object.optional("k") { $0.integer(in: 1...settings.maxResultsK) } ?? min(Self.defaultCount, settings.maxResultsK))
        let limit = settings.maxResultsK
        offset = object.optional("offset") { $0.integer(in: 0...limit - 1) } ?? 0
        if offset + count > limit {
            object.note(.outOfRange, at: "offset", "offset and k must be at most MAX_RESULTS_K = \(limit) together")
        }
        threshold = object.optional("distance_threshold") { value -> Float? in
            guard mode != .keyword else {
                value.note(.unknownField, "a keyword search has no distances")
                return nil
            }
            return value.threshold(for: library.metric)
        }
        ef = object.optional("ef") { $0.candidates(of: library.index.kind) }
        isExact = object.optional("exact") { $0.bool() } ?? false
        filter = object.optional("filter") { $0.filter() }
        groupsByDocument = object.optional("group_by_document") { $0.bool() } ?? false
        diversity = object.optional("diversity") { $0.number(in: 0...1) }.map { Float($0) } ?? 0
        _ = object.optional("expand") { value -> Bool? in
            value.object { object in
                let before = object.optional("before") { $0.integer(in: 0...Self.chunkLimit(settings)) } ?? 0
                expansion = (before, object.optional("after") { $0.integer(in: 0...Self.chunkLimit(settings)) } ?? 0)
            }
            return nil
        }
        if chunkCount > Self.chunkLimit(settings) { object.note(.outOfRange, at: "expand", Self.tooManyChunks(settings, "k results")) }
        _ = object.optional("fusion") { value -> Fusion? in
            guard mode == .hybrid else {
                value.note(.unknownField, "only a hybrid search has two lists to make one of")
                return nil
            }
            value.object { readFusion(&$0) }
            return fusion
        }
    }

    private enum FusionMethod: String, CaseIterable {
        case rrf, weighted
    }

    private mutating func readFusion(_ object: inout JSONObject) {
        let method = object.optional("method") { $0.choice(of: FusionMethod.self) }
        let k = object.optional("k") { value -> Double? in
            guard method != .weighted else {
                value.note(.unknownField, "only 'rrf' has a k")
                return nil
            }
            return value.number(in: 0...1_000_000)
        }
        fusion = method == .rrf || k != nil ? .reciprocalRank(k: k ?? 60) : .weighted
        _ = object.optional("weights") { value -> Double? in
            value.object { weights in
                vectorWeight = weights.optional("vector") { $0.number(in: 0...1000) } ?? 1
                keywordWeight = weights.optional("keyword") { $0.number(in: 0...1000) } ?? 1
            }
            return nil
        }
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

extension JSONValue {
    func number(in range: ClosedRange<Double>) -> Double? {
        guard let number = number() else { return nil }
        guard range.contains(number) else {
            note(.outOfRange, "must be between \(range.lowerBound) and \(range.upperBound)")
            return nil
        }
        return number
    }
}

extension JSONWriter {
    mutating func member(milliseconds time: Duration) {
        member("query_time_ms", (time / .milliseconds(1) * 1000).rounded() / 1000)
    }

    mutating func write(_ result: SearchResult, metric: Metric, time: Duration) {
        object { json in
            json.key("results")
            json.array { json in
                for hit in result.hits { json.write(hit, of: result.mode, metric: metric) }
            }
            json.member(milliseconds: time)
            json.member("total_results", result.hits.count)
            json.key("plan")
            json.object { json in
                json.member("mode", result.mode.rawValue)
                if let kind = result.indexKind { json.member("index", kind.rawValue) }
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
                if result.mode != .vector { json.member("scored_words", result.scoredWords) }
                if let shortage = result.shortage { json.member("short_by", shortage.rawValue) }
            }
        }
    }

    private mutating func write(_ hit: SearchHit, of mode: SearchQuery.Mode, metric: Metric) {
        object { json in
            json.key("chunk")
            json.writeChunk(hit.chunkIndex, of: hit.document, embedding: hit.embedding)
            json.key("distance")
            if let distance = hit.distance { json.value(distance) } else { json.null() }
            json.member("document_id", hit.document.id.description)
            json.member("document_title", hit.document.metadata.title)
            json.member("score", hit.score ?? hit.distance.map { metric.score(of: $0) } ?? 0)
            if mode == .hybrid {
                json.member("vector_rank", hit.vectorRank)
                json.member("keyword_rank", hit.keywordRank)
            }
            if let passage = hit.passage { json.write(passage, of: hit.document) }
        }
    }

    private mutating func write(_ passage: Passage, of document: Document) {
        key("passage")
        object { json in
            json.member("text", passage.text)
            json.key("chunks")
            json.array { json in
                for part in passage.parts {
                    let chunk = document.chunks[part.chunkIndex]
                    json.object { json in
                        json.member("id", chunk.id.description)
                        json.member("chunk_index", part.chunkIndex)
                        json.member("start", part.range.lowerBound)
                        json.member("end", part.range.upperBound)
                        json.write(offsets: chunk.offsets)
                    }
                }
            }
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
