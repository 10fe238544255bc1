import TestSupport

/// The replies that the tests read, as a client would declare them.
struct LibraryReply: Decodable {
    let id: String
    let num_documents: Int
    let num_chunks: Int
}

struct DocumentReply: Decodable, Equatable {
    struct Chunk: Decodable, Equatable {
        let id: String
        let text: String
        let embedding: [Float]?
    }

    let id: String
    let num_chunks: Int
    let chunks: [Chunk]
}

struct SearchReply: Decodable {
    struct Result: Decodable {
        let chunk: DocumentReply.Chunk
        let distance: Float
        let document_id: String
        let document_title: String
    }

    let results: [Result]
    let total_results: Int
}

struct ErrorReply: Decodable {
    struct Problem: Decodable {
        let msg: String
        let type: String
    }

    let error: String
    let detail: String
    let error_type: String
    let request_id: String
    let errors: [Problem]?
    let supported_versions: [String]?
}

extension QuireInstance {
    func search(_ library: String, _ embedding: [Float], k: Int = 10) throws -> SearchReply {
        let reply = try post("/v1/libraries/\(library)/search/embedding", #"{"embedding":\#(embedding),"k":\#(k)}"#)
        guard reply.status == 200 else { throw Failed(what: reply.text) }
        return try reply.decoded()
    }
}
