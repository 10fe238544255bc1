import Glibc

/// A Quire without a model for texts starts faster, and vectors are all that these tests need.
package let noModel = ["QUIRE_MODEL_DIR": "/nonexistent/quire-model"]

/// Without the key of a provider: for tests in whose course somebody could ask one, on the network.
package let noProvider = ["COHERE_API_KEY": ""]

extension QuireInstance {
    /// Returns the id of a new library.
    package func createLibrary(_ body: String = #"{"name":"test","embedding_dimension":3}"#) throws -> String {
        let reply = try post("/v1/libraries", body)
        guard reply.status == 201, let id = reply.json["id"]?.string else { throw Failed(what: reply.text) }
        return id
    }

    // MARK: Documents of an oracle

    /// - Parameter query: what follows the target, as `?on_conflict=replace`.
    package func put(_ document: Oracle.Document, in library: String, query: String = "") throws -> HTTPReply {
        try post("/v1/libraries/\(library)/documents/with-embeddings\(query)", document.json)
    }

    package func deleteDocument(_ id: String) throws -> HTTPReply { try delete("/v1/documents/\(id)") }

    /// A document as it would have been sent; nil if there is none.
    package func document(_ id: String) throws -> Oracle.Document? {
        let reply = try get("/v1/documents/\(id)?include_embeddings=true")
        if reply.status == 404 { return nil }
        guard reply.status == 200 else { throw Failed(what: "document \(id): \(reply.status) \(reply.text)") }
        let document: WireDocument = try reply.decoded()
        return Oracle.Document(
            id: document.id, title: document.metadata.title,
            chunks: document.chunks.map { Oracle.Document.Chunk(id: $0.id, text: $0.text, vector: $0.embedding ?? []) })
    }

    /// The ids of a library's documents as its list gives them.
    package func listDocuments(of library: String) throws -> [String] {
        var listed: [String] = []
        var page: String? = "/v1/libraries/\(library)/documents?limit=1000"
        while let target = page {
            let reply = try get(target)
            guard reply.status == 200, let documents = reply.json.array else { throw Failed(what: "\(target): \(reply.text)") }
            listed += documents.compactMap { $0["id"]?.string }
            // `<target>; rel="next"`
            page = reply["link"].flatMap { link in link.split(separator: ">").first.map { String($0.dropFirst()) } }
        }
        return listed
    }

    package func search(_ library: String, for vector: [Float], count: Int, isExact: Bool) throws -> HTTPReply {
        try post("/v1/libraries/\(library)/search/embedding", #"{"embedding":\#(vector),"k":\#(count),"exact":\#(isExact)}"#)
    }

    /// The chunk that an exact search finds at distance 0; empty if there is none.
    package func nearestChunk(to vector: [Float], in library: String) throws -> String {
        let reply = try search(library, for: vector, count: 1, isExact: true)
        guard reply.status == 200 else { throw Failed(what: "search: \(reply.status) \(reply.text)") }
        let first = try reply.hits().first
        return first?.distance == 0 ? first!.chunk : ""
    }

    // MARK: Ends

    /// kill -9; returns when the next responder is ready.
    ///
    /// - Parameter atOnce: without the pause after which the supervisor starts another, which gets longer with every failure.
    package func killResponder(restartingAtOnce: Bool = false) throws {
        guard let victim = responder else { throw Failed(what: "no responder runs") }
        kill(victim, SIGKILL)
        if restartingAtOnce { signalServer(SIGHUP) }
        while responder == victim { sched_yield() }
        try waitUntilReady()
    }
}

extension Oracle.Document {
    /// As a client sends it.
    package var json: String {
        let chunks = chunks.map { #"{"id":"\#($0.id)","text":"\#($0.text)","embedding":\#($0.vector)}"# }
        return #"{"id":"\#(id)","title":"\#(title)","chunks":[\#(chunks.joined(separator: ","))]}"#
    }
}

extension HTTPReply {
    package struct Hit: Sendable {
        package let chunk: String
        package let text: String
        package let document: String
        package let title: String
        package let distance: Float
    }

    /// What a search found, nearest first.
    package func hits() throws -> [Hit] {
        let found: WireHits = try decoded()
        return found.results.map { hit in
            Hit(
                chunk: hit.chunk.id, text: hit.chunk.text, document: hit.document_id, title: hit.document_title, distance: hit.distance)
        }
    }
}

/// Types of their own, because thousands of replies are read, which `JSON` is too slow for.
private struct WireDocument: Decodable {
    struct Metadata: Decodable {
        let title: String
    }

    let id: String
    let metadata: Metadata
    let chunks: [WireChunk]
}

private struct WireChunk: Decodable {
    let id: String
    let text: String
    let embedding: [Float]?
}

private struct WireHits: Decodable {
    struct Hit: Decodable {
        let chunk: WireChunk
        let document_id: String
        let document_title: String
        let distance: Float
    }

    let results: [Hit]
}
