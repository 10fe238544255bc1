import Database
import JSON
import Settings

/// What a client changes of a chunk. A field that is absent or null stays as it is; of the custom fields those that are named change,
/// and those that are null go.
struct ChunkChange {
    let text: String?
    let embedding: [Float]?
    private let pageNumber: Int?
    private let custom: CustomFields?

    /// The body of `PATCH /v1/chunks/{id}`.
    static func read(_ reader: JSONReader, _ settings: Settings, for library: LibraryRecord) throws -> ChunkChange {
        var change: ChunkChange?
        reader.readObject { object in
            change = ChunkChange(
                text: object.optional("text") { $0.text(maxLength: settings.maxChunkLength) },
                embedding: object.optional("embedding") { $0.embedding(for: library) },
                pageNumber: object.optional("page_number") { $0.pageNumber() }, custom: object.optional("custom") { $0.customFields() })
        }
        try reader.finish()
        return change!
    }

    /// The chunk as it will be.
    ///
    /// - Parameter vector: the one that it will have.
    /// - Throws: `tooManyCustomFields`.
    func applied(to old: Chunk, _ vector: [Float]) throws(DatabaseError) -> ChunkRecord {
        // Another text stands nowhere in what the document was cut from.
        ChunkRecord(
            id: old.id, text: text ?? old.text, pageNumber: pageNumber ?? old.pageNumber, offsets: text == nil ? old.offsets : nil,
            custom: try old.custom.changed(by: custom), embedding: vector)
    }
}

/// Where a list of a document's chunks goes on: behind the chunk with the id, or, should that be gone, at its place.
struct ChunkCursor: CustomStringConvertible {
    let index: Int
    let chunk: ChunkID

    init(index: Int, chunk: ChunkID) {
        self.index = index
        self.chunk = chunk
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), index >= 0, let chunk = ChunkID(String(parts[1])) else { return nil }
        self.init(index: index, chunk: chunk)
    }

    var description: String { "\(index).\(chunk)" }

    func start(in document: Document) -> Int {
        document.chunks.firstIndex { $0.id == chunk }.map { $0 + 1 } ?? min(max(index - 1, 0), document.chunks.count)
    }
}
