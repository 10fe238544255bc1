import HTTP
import HTTPTypes
import TestSupport

/// A route that takes a body, with everything else that its requests have.
struct ShopRoute {
    private let method: HTTPRequest.Method
    private let path: String
    private var query = ""
    private(set) var isStream = false
    /// The body is the filter of the query.
    private var isFilter = false

    /// A body with everything that it may have; of a stream, a line.
    private let full: String

    static func all(vectors: String, texts: String, document: String, chunk: String) -> [ShopRoute] {
        let (vectors, texts) = ("/v1/libraries/\(vectors)", "/v1/libraries/\(texts)")
        let (document, chunk) = ("/v1/documents/\(document)", "/v1/chunks/\(chunk)")
        let custom = #""custom": {"s": "ab", "n": -0.5, "b": true, "nothing": null, "ns": [1, 2], "ss": ["a", ""]}"#
        let metadata = #""title": "All", "author": "Ada", "document_type": "pdf", "source_url": "https://example.org", "tags": ["a", "b"]"#
        let oneChunk = #"{"text": "red", "embedding": [1, 0, 0], "page_number": 7, \#(custom)}"#
        let chunks = #""chunks": [\#(oneChunk), {"text": "green", "embedding": "AAAAAAAAgD8AAAAA", "page_number": 0}]"#
        let filter = #"{"$or": [{"author": "Ada", "tags": {"$in": ["a", "b"]}}, {"$not": {"custom.n": {"$gte": -1, "$lt": 2}}}]}"#
        let fusion = #""fusion": {"method": "rrf", "k": 60, "weights": {"vector": 1, "keyword": 0.5}}"#
        let search = #""k": 3, "offset": 1, "exact": true, "group_by_document": true, "filter": \#(filter)"#
        return [
            ShopRoute(
                method: .post, path: "/v1/libraries",
                full: #"{"name": "All", "description": "", "embedding_model": "external", "embedding_dimension": 3, "metric": "l2", "#
                    + #""index_type": "ivf", "index_params": {"nlist": 4, "nprobe": 2}, "quantization": "none", "#
                    + #""text": {"k1": 1.5, "b": 0.5, "stop_words": false, "stemmer": false}}"#),
            ShopRoute(
                method: .patch, path: vectors,
                full: #"{"name": "All", "description": "d", "index_params": {"ef_search": 99}, "text": {"k1": 2, "b": 0}}"#),
            ShopRoute(
                method: .post, path: "\(vectors)/index/rebuild",
                full: #"{"index_type": "hnsw", "index_params": {"m": 8, "ef_construction": 50, "ef_search": 20}, "quantization": "int8"}"#),
            ShopRoute(method: .post, path: "\(texts)/documents", full: "{\(metadata), \(custom), \"texts\": [\"one\", \"two\"]}"),
            ShopRoute(
                method: .post, path: "\(vectors)/documents/with-embeddings", query: "on_conflict=replace",
                full: "{\(metadata), \(custom), \(chunks)}"),
            ShopRoute(
                method: .post, path: "\(vectors)/documents/batch",
                full: "{\"documents\": [{\(metadata), \(chunks)}, {\"title\": \"none\"}]}"),
            ShopRoute(
                method: .post, path: "\(vectors)/documents/stream", isStream: true,
                full: "{\(metadata), \(custom), \(chunks)}\n{\"title\": \"none\"}\n\n{\"title\": \"\", \(chunks)}\n"),
            ShopRoute(
                method: .post, path: "\(vectors)/documents/delete",
                full: #"{"ids": ["0d5a1b3c-2f64-4c1e-9f0a-000000000001", "0d5a1b3c-2f64-4c1e-9f0a-000000000002"]}"#),
            ShopRoute(method: .post, path: "\(vectors)/count", full: "{\"filter\": \(filter)}"),
            ShopRoute(method: .put, path: document, full: "{\(metadata), \(custom), \(chunks)}"),
            ShopRoute(method: .patch, path: document, full: "{\(metadata), \(custom)}"),
            ShopRoute(method: .post, path: "\(document)/chunks", full: "{\(chunks)}"),
            ShopRoute(method: .patch, path: chunk, query: "include_embeddings=true", full: oneChunk),
            ShopRoute(method: .post, path: "\(texts)/search", full: "{\"query\": \"a bird\", \"mode\": \"keyword\", \(search)}"),
            ShopRoute(
                method: .post, path: "\(vectors)/search/embedding", query: "include_embeddings=true",
                full: #"{"embedding": [1, 0, 0.5], "query": "a \"kite\"", "mode": "hybrid", "ef": 50, "distance_threshold": 1.5, "#
                    + "\(fusion), \(search)}"),
            ShopRoute(
                method: .post, path: "/v1/embeddings",
                full:
                    #"{"model": "all-minilm-l6-v2", "input": ["a", "b"], "encoding_format": "float", "input_type": "query", "user": "u", "#
                    + #""dimensions": 384}"#),
            ShopRoute(method: .get, path: "\(vectors)/documents", isFilter: true, full: filter),
        ]
    }

    func request(_ body: [UInt8]) -> Request {
        var request = Request(method: method, path: path, query: query, body: isFilter ? [] : body, id: "fuzz")
        if isStream { request.headers[.contentType] = "application/x-ndjson" }
        if isFilter { request.query = "filter=" + percentEncoded(String(decoding: body, as: UTF8.self)) }
        return request
    }

    /// What the OpenAPI document has as examples of the body, by name, and one that has all there is.
    func examples(_ contract: Contract) -> [String: [UInt8]] {
        let operation = contract.template(of: path).flatMap { contract.operations["\(method.rawValue) \($0)"] }
        let examples = operation?["requestBody"]?["content"]?["application/json"]?["examples"]?.object ?? [:]
        return examples.compactMapValues { $0["value"].map { Array($0.text.utf8) } }.merging(["full": Array(full.utf8)]) { $1 }
    }
}
