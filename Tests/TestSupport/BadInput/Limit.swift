/// A limit, and a body that has a given amount of what is limited.
package struct Limit: Sendable, CustomStringConvertible {
    package let name: String
    package let value: Int
    /// Below the path of a library; empty for the list of libraries.
    package let path: String
    /// Where the problem of a body is that has too much.
    package let location: String
    package let body: @Sendable (Int) -> JSON

    package var description: String { "\(name) = \(value)" }

    /// The target of a request about a library of three dimensions.
    package func target(in library: String) -> String { path.isEmpty ? "/v1/libraries" : "\(library)/\(path)" }

    /// Settings with limits small enough to reach.
    package static let environment = [
        "MAX_CHUNKS_PER_DOCUMENT": "4", "MAX_CHUNK_LENGTH": "6", "MAX_QUERY_LENGTH": "7", "MAX_RESULTS_K": "8",
        "MAX_TAGS_PER_DOCUMENT": "3",
        "MAX_TAG_LENGTH": "5", "MAX_TITLE_LENGTH": "9", "MAX_AUTHOR_LENGTH": "10",
    ]

    package static func text(_ length: Int) -> JSON { .string(String(repeating: "😀", count: length)) }

    package static func document(_ fields: [String: JSON] = [:], chunks: Int = 1, text: JSON = "x") -> JSON {
        let chunk: JSON = ["text": text, "embedding": [1, 0, 0]]
        let body: [String: JSON] = ["title": "T", "chunks": .array(Array(repeating: chunk, count: chunks))]
        return .object(body.merging(fields) { $1 })
    }

    package static let all: [Limit] = [
        Limit(name: "MAX_CHUNKS_PER_DOCUMENT", value: 4, path: "documents/with-embeddings", location: "body.chunks") {
            document(chunks: $0)
        },
        Limit(name: "MAX_CHUNK_LENGTH", value: 6, path: "documents/with-embeddings", location: "body.chunks.0.text") {
            document(text: text($0))
        },
        Limit(name: "MAX_TAGS_PER_DOCUMENT", value: 3, path: "documents/with-embeddings", location: "body.tags") {
            document(["tags": .array(Array(repeating: "t", count: $0))])
        },
        Limit(name: "MAX_TAG_LENGTH", value: 5, path: "documents/with-embeddings", location: "body.tags.0") {
            document(["tags": [text($0)]])
        },
        Limit(name: "MAX_TITLE_LENGTH", value: 9, path: "documents/with-embeddings", location: "body.title") {
            document(["title": text($0)])
        },
        Limit(name: "MAX_AUTHOR_LENGTH", value: 10, path: "documents/with-embeddings", location: "body.author") {
            document(["author": text($0)])
        },
        Limit(name: "document_type", value: 100, path: "documents/with-embeddings", location: "body.document_type") {
            document(["document_type": text($0)])
        },
        Limit(name: "source_url", value: 2048, path: "documents/with-embeddings", location: "body.source_url") {
            document(["source_url": text($0)])
        },
        Limit(name: "page_number", value: 2_147_483_647, path: "documents/with-embeddings", location: "body.chunks.0.page_number") {
            ["title": "T", "chunks": [["text": "x", "embedding": [1, 0, 0], "page_number": .number(Double($0))]]]
        },
        Limit(name: "MAX_RESULTS_K", value: 8, path: "search/embedding", location: "body.k") {
            ["embedding": [1, 0, 0], "k": .number(Double($0))]
        },
        Limit(name: "name", value: 255, path: "", location: "body.name") { ["name": text($0)] },
        Limit(name: "description", value: 10_000, path: "", location: "body.description") { ["name": "n", "description": text($0)] },
        Limit(name: "embedding_dimension", value: 8192, path: "", location: "body.embedding_dimension") {
            ["name": "n", "embedding_dimension": .number(Double($0))]
        },
    ]
}
