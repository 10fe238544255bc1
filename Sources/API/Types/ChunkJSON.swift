import Database
import JSON
import Settings
import Storage

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

/// Where a list of a document's chunks goes on: behind the last chunk that is still there of those with which the page before ended, or
/// with the first one that is still there of those that came next. The order of chunks that stay never changes, so none is left out, and
/// none comes twice; should all that the cursor knows be gone, the list begins again.
struct ChunkCursor: CustomStringConvertible {
    /// The lower halves of the ids of these chunks, in the order of the document.
    private let ends: [UInt64]
    private let followers: [UInt64]

    /// Of each.
    private static let length = 4
    private static let digits = 16
    private static let border: Character = "-"

    /// - Parameter index: of the chunk to go on with, neither the first nor behind the last.
    init(before index: Int, in chunks: [Chunk]) {
        ends = chunks[..<index].suffix(Self.length).map(\.id.low)
        followers = chunks[index...].prefix(Self.length).map(\.id.low)
    }

    init?(_ text: String) {
        let parts = text.split(separator: Self.border, omittingEmptySubsequences: false).map { Self.numbers($0) }
        guard parts.count == 2, let ends = parts[0], let followers = parts[1] else { return nil }
        (self.ends, self.followers) = (ends, followers)
    }

    private static func numbers(_ text: Substring) -> [UInt64]? {
        let bytes = Array(text.utf8)
        guard bytes.count.isMultiple(of: digits), (1...length).contains(bytes.count / digits),
            bytes.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit })
        else { return nil }
        return stride(from: 0, to: bytes.count, by: digits).map {
            UInt64(String(decoding: bytes[$0..<$0 + digits], as: UTF8.self), radix: 16)!
        }
    }

    var description: String { [ends, followers].map { $0.map(\.hexadecimal).joined() }.joined(separator: String(Self.border)) }

    func start(in document: Document) -> Int {
        func index(_ low: UInt64) -> Int? { document.chunks.firstIndex { $0.id.low == low } }
        for end in ends.reversed() { if let index = index(end) { return index + 1 } }
        for follower in followers { if let index = index(follower) { return index } }
        return 0
    }
}
