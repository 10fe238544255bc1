import TestSupport

/// The two ways to send many documents in one request.
enum BulkForm: CaseIterable, Sendable {
    case batch, stream

    /// Sends documents in one request, and tells the oracle what became of each; without a whole reply that is unknown.
    @discardableResult
    func put(
        _ documents: [Oracle.Document], in library: String, of quire: QuireInstance, _ oracle: Oracle
    ) throws -> [Oracle.Outcome] {
        try oracle.put(documents) {
            guard let reply = send(documents.map(\.json), to: library, of: quire) else { return documents.map { _ in .unknown } }
            guard reply.status == 200 else {
                guard let outcome = Oracle.Outcome(of: reply, success: 200) else { throw QuireInstance.Failed(what: reply.text) }
                return documents.map { _ in outcome }
            }
            let results = try results(in: reply)
            guard results.count == documents.count else { throw QuireInstance.Failed(what: reply.text) }
            return try documents.indices.map { try outcome(of: documents[$0], at: $0, results[$0]) }
        }
    }

    private func send(_ documents: [String], to library: String, of quire: QuireInstance) -> HTTPReply? {
        let (type, body) =
            switch self {
            case .batch: ("application/json", #"{"documents":[\#(documents.joined(separator: ","))]}"#)
            case .stream: ("application/x-ndjson", documents.joined(separator: "\n"))
            }
        return try? quire.send(
            "POST", "/v1/libraries/\(library)/documents/\(self)", headers: ["Content-Type": type], body: Array(body.utf8))
    }

    private func results(in reply: HTTPReply) throws -> [JSON] {
        switch self {
        case .batch: reply.json["results"]?.array ?? []
        case .stream: try reply.body.split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
        }
    }

    private func outcome(of document: Oracle.Document, at index: Int, _ result: JSON) throws -> Oracle.Outcome {
        let isInPlace = self == .batch ? result["index"]?.integer == index : result["line"]?.integer == index + 1
        switch result["error_type"]?.string {
        case nil where isInPlace && result["id"]?.string == document.id && result["num_chunks"]?.integer == document.chunks.count:
            return .acknowledged
        case "ValidationError" where isInPlace, "DimensionMismatchError" where isInPlace, "ConflictError" where isInPlace: return .refused
        // The storage stopped in the middle of the request.
        case "UnavailableError" where isInPlace: return .unknown
        default: throw QuireInstance.Failed(what: "document \(index): \(result.text)")
        }
    }
}
