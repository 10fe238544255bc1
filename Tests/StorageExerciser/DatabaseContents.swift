import Database
import Storage
import VectorSearch

/// Everything in a database but its clock times and the random ids of libraries, as text that two databases with the same changes
/// have in common.
struct DatabaseContents: Equatable, CustomStringConvertible {
    struct Library: Equatable {
        var name: String
        var summary: String?
        var documentCount = 0
        var chunkCount = 0
        var vectorCount = 0
        var documents: [Document] = []
    }

    struct Document: Equatable {
        var id: DocumentID
        var title: String
        var chunks: [Chunk]
    }

    struct Chunk: Equatable {
        var id: ChunkID
        var text: String
        var page: Int?
        /// Bits, because equal floats may differ in them.
        var vector: [UInt32]
        /// Whether its vector finds it first, with the index and without.
        var isFound: Bool
    }

    /// The number of changes.
    var sequence = 0
    /// In order of creation, as are the documents of each.
    var libraries: [Library] = []

    var description: String {
        (["sequence \(sequence)"] + libraries.flatMap(\.lines)).joined(separator: "\n")
    }
}

extension DatabaseContents.Library {
    fileprivate var lines: [String] {
        ["library \(name), \(summary ?? "-"): \(documentCount) documents, \(chunkCount) chunks, \(vectorCount) vectors"]
            + documents.flatMap { document in
                ["  \(document.id) \(document.title)"]
                    + document.chunks.map { chunk in
                        let vector = chunk.vector.map { String($0, radix: 16) }.joined(separator: " ")
                        return "    \(chunk.id) \(chunk.text), page \(chunk.page ?? 0): \(vector)\(chunk.isFound ? "" : " NOT FOUND")"
                    }
            }
    }
}

extension DatabaseContents {
    /// Reads everything the way clients do.
    init(of database: Database) throws {
        sequence = Int(database.lastSequence.rawValue)
        libraries = try database.libraries(after: nil, limit: 1000).elements.map { try Library($0, in: database) }
    }
}

extension DatabaseContents.Library {
    fileprivate init(_ view: LibraryView, in database: Database) throws {
        let id = view.record.id
        name = view.record.name
        summary = view.record.description
        documentCount = view.documentCount
        chunkCount = view.chunkCount
        vectorCount = try database.statistics(of: id).vectors.uniqueVectors
        documents = try database.documents(in: id, after: nil, limit: 1000).elements.map { document in
            let embeddings = try database.document(document.id, withEmbeddings: true).embeddings ?? []
            return DatabaseContents.Document(
                id: document.id, title: document.metadata.title,
                chunks: try zip(document.chunks, embeddings).map { chunk, vector in
                    let isFound = try [true, false].allSatisfy { isExact in
                        try database.search(in: id, query: vector, count: 1, isExact: isExact).hits.first?.chunk.id == chunk.id
                    }
                    return DatabaseContents.Chunk(
                        id: chunk.id, text: chunk.text, page: chunk.pageNumber, vector: vector.map(\.bitPattern), isFound: isFound)
                })
        }
    }
}
