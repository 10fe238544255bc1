import Locks
import Storage
import VectorSearch

@testable import Database

/// All there is to see in a database, to be compared: two databases with equal dumps answer every read alike.
struct Dump: Equatable {
    var lastSequence: SequenceNumber
    var libraries: [DumpedLibrary]
}

struct DumpedLibrary: Equatable {
    var record: LibraryRecord
    var updatedAt: Timestamp
    var createdSequence: SequenceNumber
    var sequence: SequenceNumber
    var documents: [DumpedDocument]
    var uniqueVectors: Int
    var totalReferences: Int
    var indexedRows: Int
    /// The order of all chunks by distance from one query.
    var found: [ChunkID]
    /// The vectors that are to replace those there are.
    var successor: DumpedSuccessor?
}

struct DumpedSuccessor: Equatable {
    var source: EmbeddingSource
    /// The bits of the vectors of the chunks of each document that has some.
    var documents: [DocumentID: [[UInt32]]] = [:]
}

struct DumpedDocument: Equatable {
    var id: DocumentID
    var libraryID: LibraryID
    var metadata: DocumentMetadata
    var chunks: [DumpedChunk]
    var createdAt: Timestamp
    var updatedAt: Timestamp
    var createdSequence: SequenceNumber
    var sequence: SequenceNumber
}

struct DumpedChunk: Equatable {
    var id: ChunkID
    var text: String
    var pageNumber: Int?
    var offsets: Range<Int>?
    var custom: CustomFields
    var createdAt: Timestamp
    /// Bits, because equal floats may differ in them.
    var embedding: [UInt32]
}

extension Database {
    /// Reads everything the way clients do: pages of libraries, pages of documents, each document with its vectors, a search for all.
    func dump() throws(DatabaseError) -> Dump {
        var libraries: [DumpedLibrary] = []
        for library in listLibraries(limit: 3) {
            var documents: [DumpedDocument] = []
            for listed in try listDocuments(of: library.record.id, limit: 3) {
                documents.append(DumpedDocument(try document(listed.id, withEmbeddings: true)))
            }
            let statistics = try statistics(of: library.record.id)
            libraries.append(
                DumpedLibrary(
                    record: library.record, updatedAt: library.updatedAt, createdSequence: library.createdSequence,
                    sequence: library.sequence, documents: documents, uniqueVectors: statistics.vectors.uniqueVectors,
                    totalReferences: statistics.vectors.totalReferences,
                    indexedRows: statistics.index.statistics.indexed + statistics.index.statistics.pending,
                    found: try find(
                        [1] + [Float](repeating: 0, count: library.record.dimension - 1), in: library.record.id, count: 10_000),
                    successor: repository.successor(of: library.record.id).map(DumpedSuccessor.init)))
        }
        return Dump(lastSequence: lastSequence, libraries: libraries)
    }
}

extension DumpedSuccessor {
    init(_ library: Library) {
        source = library.source
        library.lock.withReadLock {
            for document in library.documents {
                documents[document.id] = document.chunks.map { library.vectors.store.copyVector($0.row).map(\.bitPattern) }
            }
        }
    }
}

extension DumpedDocument {
    init(_ view: DocumentView) {
        let document = view.document
        self.init(
            id: document.id, libraryID: document.libraryID, metadata: document.metadata,
            chunks: zip(document.chunks, view.embeddings!).map { chunk, embedding in
                DumpedChunk(
                    id: chunk.id, text: chunk.text, pageNumber: chunk.pageNumber, offsets: chunk.offsets, custom: chunk.custom,
                    createdAt: chunk.createdAt, embedding: embedding.map(\.bitPattern))
            }, createdAt: document.createdAt, updatedAt: document.updatedAt, createdSequence: document.createdSequence,
            sequence: document.sequence)
    }
}

extension DumpedChunk {
    init(_ record: ChunkRecord, createdAt: Timestamp) {
        self.init(
            id: record.id, text: record.text, pageNumber: record.pageNumber, offsets: record.offsets, custom: record.custom,
            createdAt: createdAt, embedding: record.embedding.map(\.bitPattern))
    }
}
