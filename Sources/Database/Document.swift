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
        _ record: DocumentRecord, chunks: [Chunk], createdAt: Timestamp, createdSequence: SequenceNumber, sequence: SequenceNumber
    ) {
        self.id = record.id
        self.libraryID = record.libraryID
        self.metadata = record.metadata
        self.chunks = chunks
        self.createdAt = createdAt
        self.updatedAt = record.writtenAt
        self.createdSequence = createdSequence
        self.sequence = sequence
    }
}

/// A piece of a document's text. Its vector lies in the library's store, at `row`.
package struct Chunk: Sendable {
    package let id: ChunkID
    package let text: String
    private let page: Int32
    package let row: Row

    package var pageNumber: Int? { page < 0 ? nil : Int(page) }

    init(_ record: ChunkRecord, row: Row) {
        id = record.id
        text = record.text
        page = record.pageNumber.map(Int32.init) ?? -1
        self.row = row
    }
}
