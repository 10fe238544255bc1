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

    package func chunk(_ id: ChunkID) -> Chunk? { chunks.first { $0.id == id } }

    /// The same document with other metadata or chunks.
    func changed(
        _ metadata: DocumentMetadata?, chunks: [Chunk], at time: Timestamp, _ sequence: SequenceNumber
    ) -> Document {
        Document(
            id: id, libraryID: libraryID, metadata: metadata ?? self.metadata, chunks: chunks, createdAt: createdAt, updatedAt: time,
            createdSequence: createdSequence, sequence: sequence)
    }

    /// The same version of the document with the vectors of its chunks in other rows.
    func moved(_ targets: [Row: Row]) -> Document {
        with(chunks.map { $0.moved(to: targets[$0.row] ?? $0.row, slot: $0.slot) })
    }

    /// The same version of the document with its chunks in other places.
    func with(_ chunks: [Chunk]) -> Document {
        Document(
            id: id, libraryID: libraryID, metadata: metadata, chunks: chunks, createdAt: createdAt, updatedAt: updatedAt,
            createdSequence: createdSequence, sequence: sequence)
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
    package let custom: CustomFields
    package let createdAt: Timestamp
    package let row: Row
    package let slot: Slot
    // Numbers of 32 bits, where -1 is none: there are many chunks.
    private let page: Int32
    private let start: Int32
    private let end: Int32

    package var pageNumber: Int? { page < 0 ? nil : Int(page) }

    /// Where the text stood in the one that the server cut into chunks, in Unicode scalars, if it did.
    package var offsets: Range<Int>? { start < 0 ? nil : Int(start)..<Int(end) }

    init(
        id: ChunkID, text: String, page: Int?, offsets: Range<Int>?, custom: CustomFields, createdAt: Timestamp, row: Row, slot: Slot
    ) {
        self.id = id
        self.text = text
        self.custom = custom
        self.createdAt = createdAt
        self.row = row
        self.slot = slot
        self.page = page.map(Int32.init) ?? -1
        start = offsets.map { Int32($0.lowerBound) } ?? -1
        end = offsets.map { Int32($0.upperBound) } ?? -1
    }

    func moved(to row: Row, slot: Slot) -> Chunk {
        Chunk(id: id, text: text, page: pageNumber, offsets: offsets, custom: custom, createdAt: createdAt, row: row, slot: slot)
    }

    init(_ record: ChunkRecord, createdAt: Timestamp, row: Row, slot: Slot) {
        self.init(
            id: record.id, text: record.text, page: record.pageNumber, offsets: record.offsets, custom: record.custom,
            createdAt: createdAt, row: row, slot: slot)
    }
}
