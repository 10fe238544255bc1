import API
import Database
import HTTP
import HTTPTypes
import Locks
import TestSupport

/// Proves that the API takes any body: each route answers it as the OpenAPI document says and never with 500; a refusal is one of the
/// client's kind that says where the mistake is, and leaves no trace; what is accepted keeps to the limits, in what is stored as well.
///
/// The first byte of an input is the number of a route, the rest is the body.
struct RequestsTarget: FuzzTarget {
    private let shared = SharedShop()

    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws {
        guard let first = input.first else { return }
        try shared.withShop(in: directory) { shop in
            let route = shop.routes[Int(first) % shop.routes.count]
            let request = route.request(Array(input.dropFirst()))
            guard !shop.asksSomebodyElse(request) else { return false }
            let before = shop.database.lastSequence
            let response = shop.api.respond(to: request)
            let hasChanged = shop.database.lastSequence != before

            let violations = shop.contract.violations(by: request, response)
            try promise(violations.isEmpty, violations.joined(separator: "; "))
            let text = response.wholeBody
            let lines = route.isStream ? text.split(separator: 0x0A).map(Array.init) : [text]
            for line in lines { try check(try JSON(parsing: line), response.status) }
            try promise(!hasChanged || response.status.kind == .successful, "a refusal changed something: \(response.status)")
            if hasChanged { try StoredLimits(shop.settings, hasPlantedBug: hasPlantedBug).check(shop.database) }
            return hasChanged
        }
    }

    /// - Parameter answer: a body, or a line of one.
    private func check(_ answer: JSON, _ status: HTTPResponse.Status) throws {
        for result in answer["results"]?.array ?? [] { try check(result, status) }
        guard let type = answer["error_type"]?.string else { return try promise(status.kind == .successful, "\(status) without a type") }
        switch type {
        case "InvalidRequestError", "ValidationError", "DimensionMismatchError":
            let detail = answer["detail"]?.string ?? ""
            let problems = answer["errors"]?.array ?? []
            let isLocated = problems.allSatisfy {
                ["body", "query"].contains($0["loc"]?[0]?.string) && $0["msg"]?.string?.isEmpty == false
            }
            try promise(isLocated, "a mistake without a place: \(answer.text)")
            try promise(
                !problems.isEmpty || Self.unlocated.contains { detail.hasPrefix($0) }, "a refusal that does not say where: \(answer.text)")
        case "DocumentNotFoundError", "ChunkNotFoundError", "ConflictError", "PayloadTooLargeError": break
        // There are no weights here.
        case "EmbeddingServiceError": break
        default: throw BrokenPromise(description: "an answer that no body deserves: \(answer.text)")
        }
    }

    /// What is wrong with a body as a whole.
    private static let unlocated = [
        "Malformed JSON", "The library takes only precomputed vectors", "A document holds MAX_CHUNKS_PER_DOCUMENT",
    ]

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        guard let route = input.first, mutator.choose(8) > 0 else {
            var bytes = input
            mutator.change(&bytes, limit: limit)
            return bytes
        }
        guard mutator.choose(16) > 0 else { return [UInt8(mutator.choose(32))] + input.dropFirst() }
        var tokens = JSONTokens(input.dropFirst(), words: Self.words)
        for _ in 0...mutator.choose(8) / 6 { tokens.mutate(limit: limit, with: &mutator) }
        return [route] + tokens.text
    }

    private static let words =
        """
        name description embedding_dimension embedding_model metric index_type index_params quantization m ef_search nlist text k1 b
        stop_words stemmer title author document_type source_url tags custom texts chunks chunking strategy max_tokens overlap id
        embedding page_number documents ids filter query k mode offset ef exact group_by_document distance_threshold fusion method
        weights vector keyword hybrid rrf weighted model input encoding_format input_type dimensions external cosine dot l2 hnsw ivf lsh
        kd_tree brute_force int8 none sentence fixed $and $or $not $in $gt $lt custom.x AAAAAAAAgD8AAAAA
        """.split(whereSeparator: \.isWhitespace).map { "\"\($0)\"" } + ["[0.5,0.5,0]", "[0,0,0]", "[1e39,0,0]", "[[1,0,0]]", "\n"]

    /// The examples of the OpenAPI document, and for each route a body that has all there is.
    func seeds(in directory: String) throws -> [String: [UInt8]] {
        var seeds: [String: [UInt8]] = [:]
        try shared.withShop(in: directory) { shop in
            for (number, route) in shop.routes.enumerated() {
                for (name, body) in route.examples(shop.contract) { seeds["\(number)-\(name)"] = [UInt8(number)] + body }
            }
            return false
        }
        return seeds
    }
}

/// Gives each input the same shop: a new one after every change.
// Sound as Sendable: `shop` is used under the lock.
private final class SharedShop: @unchecked Sendable {
    private let lock = Lock()
    private var shop: Shop?

    /// - Parameter body: returns whether it changed what is stored.
    func withShop(in directory: String, _ body: (Shop) throws -> Bool) throws {
        try lock.withLock {
            if shop?.directory != directory {
                // It goes before the next one comes: each locks its directory for life.
                shop = nil
                shop = try Shop(in: directory)
            }
            if try body(shop!) { shop = nil }
        }
    }
}
