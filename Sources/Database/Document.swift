package import Storage
package import VectorSearch

/// A document in memory. It never changes: replacing one puts a new object in its place, so readers share it without a lock.
package final class Document: Sendable {
    package let id: DocumentID
    package let libraryID: LibraryID
    package let metadata: DocumentMetadata
    package let chunks: [Chunk]
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    /// When the document came into its library: its place in listings.
    package let createdSequence: SequenceNumber
    /// When it was last written.
    package let sequence: SequenceNumber

    init(
        id: DocumentID, libraryID: LibraryID, metadata: DocumentMetadata, chunks: [Chunk], createdAt: Timestamp, updatedAt: Timestamp,
        createdSequence: SequenceNumber, sequence: SequenceNumber
    ) {
        self.id = id
        self.libraryID = libraryID
        self.metadata = metadata
        self.chunks = chunks
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdSequence = createdSequence
        self.sequence = sequence
    }

    /// The same document with the vectors of its chunks in other rows.
    func moved(_ targets: [Row: Row]) -> Document {
        Document(
            id: id, libraryID: libraryID, metadata: metadata, chunks: chunks.map { $0.moved(to: targets[$0.row] ?? $0.row) },
            createdAt: createdAt, updatedAt: updatedAt, createdSequence: createdSequence, sequence: sequence)
    }

    convenience init(
        _ record: DocumentRecord, chunks: [Chunk], createdAt: Timestamp, createdSequence: SequenceNumber, sequence: SequenceNumber
    ) {
        self.init(
            id: record.id, libraryID: record.libraryID, metadata: record.metadata, chunks: chunks, createdAt: createdAt,
            updatedAt: record.writtenAt, createdSequence: createdSequence, sequence: sequence)
    }
}

/// A piece of a document's text. Its vector lies in the library's store, at `row`.
package struct Chunk: Sendable {
    package let id: ChunkID
    package let text: String
    private let page: Int32
    package let row: Row

    package var pageNumber: Int? { page < 0 ? nil : Int(page) }

    init(id: ChunkID, text: String, page: Int?, row: Row) {
        self.id = id
        self.text = text
        self.page = page.map(Int32.init) ?? -1
        self.row = row
    }

    func moved(to row: Row) -> Chunk { Chunk(id: id, text: text, page: pageNumber, row: row) }

    init(_ record: ChunkRecord, row: Row) {
        self.init(id: record.id, text: record.text, page: record.pageNumber, row: row)
    }
}
