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

/// Where a list of a document's chunks goes on: behind the last chunk that is still there of those with which the page before ended. The
/// order of chunks that stay never changes, so none is left out; should all of them be gone, the list begins again.
struct ChunkCursor: CustomStringConvertible {
    /// The lower halves of the ids of these chunks, in the order of the document.
    private let ends: [UInt64]

    private static let length = 4
    private static let digits = 16

    /// - Parameter page: not empty.
    init(after page: some BidirectionalCollection<Chunk>) {
        ends = page.suffix(Self.length).map(\.id.low)
    }

    init?(_ text: String) {
        guard (1...Self.length).contains(text.utf8.count / Self.digits), text.utf8.count.isMultiple(of: Self.digits),
            text.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit })
        else { return nil }
        let digits = Array(text)
        ends = stride(from: 0, to: digits.count, by: Self.digits).map { UInt64(String(digits[$0..<$0 + Self.digits]), radix: 16)! }
    }

    var description: String {
        ends.map { end in
            let digits = String(end, radix: 16)
            return String(repeating: "0", count: Self.digits - digits.count) + digits
        }.joined()
    }

    func start(in document: Document) -> Int {
        for end in ends.reversed() {
            if let index = document.chunks.firstIndex(where: { $0.id.low == end }) { return index + 1 }
        }
        return 0
    }
}
