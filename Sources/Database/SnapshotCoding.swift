import Storage
import VectorSearch

/// How the state of a database is written as sections of a snapshot: for each library in order of creation, itself, its documents, the
/// index of their texts, the vectors of its rows, and its index. docs/file-formats.md has the fields as tables.
///
/// A document names the rows of its chunks, so the index finds its rows again as it left them; what the rows are counted by, hashes,
/// norms and columns are made anew. The index of texts knows chunks by their place among all of the library, which is the slot that a
/// start gives them.
enum SnapshotCoding {
    enum SectionType: UInt16 {
        /// Begins a library as versions up to 1.0 wrote it.
        case plainLibrary = 1
        /// Documents without custom fields, as versions up to 1.0 wrote them.
        case plainDocuments = 2
        case vectors = 3
        /// Derived from the vectors: without it the index is built again.
        case index = 4
        case documents = 5
        /// Begins a library without a fingerprint.
        case unmarkedLibrary = 6
        /// Begins a library without a minimum of recall, and the successor of one.
        case unguardedLibrary = 8
        case unguardedSuccessor = 9
        /// Begins a library: all sections up to the next one are its own.
        case library = 10
        /// Begins the successor of the library before it.
        case successor = 11

        /// The index of texts, made anew from these without it. Before the vectors, so that it is decoded while they are read.
        case texts = 7

        var isSkippable: Bool { self == .index || self == .texts }

        var beginsLibrary: Bool { libraryVersion != nil }

        var beginsSuccessor: Bool { self == .unguardedSuccessor || self == .successor }

        /// Of the record "create library" whose fields such a section has; nil: it begins none.
        fileprivate var libraryVersion: UInt8? {
            switch self {
            case .plainLibrary: 2
            case .unmarkedLibrary: 3
            case .unguardedLibrary, .unguardedSuccessor: 4
            case .library, .successor: 5
            case .plainDocuments, .documents, .texts, .vectors, .index: nil
            }
        }
    }

    /// A section of documents ends with the one that passes this size.
    private static let documentBytes = 1 << 20
    private static let vectorBytes = 4 << 20

    static func write(_ image: LibraryImage, to writer: inout SnapshotWriter) throws(StorageError) {
        var head = BinaryWriter()
        head.write(image.record)
        head.write(image.createdSequence)
        head.write(image.sequence)
        head.write(image.updatedAt.milliseconds)
        head.write(UInt32(image.documents.count))
        head.write(UInt32(image.rowCount))
        try writer.write(type: (image.isSuccessor ? SectionType.successor : .library).rawValue, head.bytes)

        var documents = BinaryWriter()
        for document in image.documents {
            documents.write(document)
            guard documents.bytes.count >= documentBytes else { continue }
            try writer.write(type: SectionType.documents.rawValue, documents.bytes)
            documents = BinaryWriter(capacity: documentBytes)
        }
        if !documents.bytes.isEmpty { try writer.write(type: SectionType.documents.rawValue, documents.bytes) }

        if let texts = image.textBytes() {
            try writer.writeAll(type: SectionType.texts.rawValue, isSkippable: SectionType.texts.isSkippable, texts)
        }

        let step = max(1, vectorBytes / (image.record.dimension * MemoryLayout<Float>.stride))
        for start in stride(from: 0, to: image.rowCount, by: step) {
            let rows = start..<min(image.rowCount, start + step)
            try writer.write(type: SectionType.vectors.rawValue, image.vectorBytes(of: rows))
        }
        if let index = image.index {
            try writer.writeAll(
                type: SectionType.index.rawValue, isSkippable: SectionType.index.isSkippable, index.encoded())
        }
    }
}

extension BinaryWriter {
    fileprivate mutating func write(_ sequence: SequenceNumber) {
        write(Int64(bitPattern: sequence.rawValue))
    }

    fileprivate mutating func write(_ document: Document) {
        write(document.id)
        write(document.metadata)
        write(document.createdAt.milliseconds)
        write(document.updatedAt.milliseconds)
        write(document.createdSequence)
        write(document.sequence)
        write(UInt32(document.chunks.count))
        for chunk in document.chunks {
            write(chunk.id)
            write(chunk.text)
            write(Int64(chunk.pageNumber ?? -1))
            write(offsets: chunk.offsets)
            write(chunk.custom)
            write(chunk.createdAt.milliseconds)
            write(chunk.row.rawValue)
        }
    }
}

extension SnapshotCoding {
    /// What the section with which a library begins says.
    struct LibraryHead {
        let record: LibraryRecord
        let created: SequenceNumber
        let changed: SequenceNumber
        let updatedAt: Timestamp
        let documentCount: Int
        let rowCount: Int
    }

    /// - Throws: `malformedPayload`.
    static func readLibrary(_ payload: [UInt8], _ type: SectionType) throws(StorageError) -> LibraryHead {
        var reader = BinaryReader(payload)
        let head = LibraryHead(
            record: try reader.readLibrary(version: type.libraryVersion!), created: try reader.readSequence(),
            changed: try reader.readSequence(), updatedAt: try reader.readTimestamp(), documentCount: Int(try reader.readUInt32()),
            rowCount: Int(try reader.readUInt32()))
        try reader.finish()
        return head
    }
}

/// Makes libraries of the sections of a snapshot.
struct SnapshotLoader {
    /// A library of which not all sections were read yet.
    private struct Pending {
        let library: Library
        let isSuccessor: Bool
        let documentCount: Int
        let rowCount: Int
        /// How many chunks have each row.
        var references: [UInt32]
        var documents = 0
        var rows = 0
        var index: [UInt8] = []
        var isIndexIntact = true
        /// What the index of texts wrote; nil: it was damaged.
        var texts: [UInt8]? = []
        /// Their index, being decoded or made beside the reading of the vectors.
        var textIndexing: TextIndexing?
    }

    private let reader: SnapshotReader
    private let repository: Repository
    private var pending: Pending?
    /// How many libraries have an index that was damaged or of another version, and build it again.
    private(set) var rebuiltIndexes = 0
    /// How many have an index of texts that was damaged or of another version, and made it again.
    private(set) var rebuiltTextIndexes = 0

    /// - Parameter repository: an empty one; not to be used if `load` throws.
    init(_ reader: SnapshotReader, into repository: Repository) {
        self.reader = reader
        self.repository = repository
    }

    /// Reads the snapshot to its end. Cost: one pass over the file, and the norm and hash of each vector.
    ///
    /// - Throws: `damagedSnapshot` if anything but indexes is not as it was written, `unsupportedFormat`, `ioFailed`.
    mutating func load() throws(StorageError) {
        while let section = try reader.next() {
            guard let type = SnapshotCoding.SectionType(rawValue: section.type) else {
                if section.isSkippable { continue }
                throw reader.damaged(section, "this version knows no section of type \(section.type)")
            }
            guard section.isIntact || type.isSkippable else {
                throw reader.damaged(section, "the section does not match its checksum")
            }
            do {
                try take(type, section)
            } catch .malformedPayload(_, let reason) {
                throw reader.damaged(section, reason)
            }
        }
        do {
            try finishLibrary()
        } catch .malformedPayload(_, let reason) {
            throw reader.damaged(reason)
        }
    }

    private mutating func take(_ type: SnapshotCoding.SectionType, _ section: SnapshotSection) throws(StorageError) {
        if type.beginsLibrary {
            try finishLibrary()
            pending = try beginLibrary(section.payload, type)
            return
        }
        guard pending != nil else { throw malformed("a section before the first library") }
        switch type {
        case .plainLibrary, .unmarkedLibrary, .unguardedLibrary, .unguardedSuccessor, .library, .successor: break
        case .documents, .plainDocuments: try takeDocuments(section.payload, type)
        case .vectors: try takeVectors(section.payload)
        case .index:
            if section.isIntact { pending!.index += section.payload } else { pending!.isIndexIntact = false }
        case .texts:
            guard pending!.textIndexing == nil else { throw malformed("an index of texts behind the vectors") }
            pending!.texts = section.isIntact ? pending!.texts.map { $0 + section.payload } : nil
        }
    }

    private func beginLibrary(_ payload: [UInt8], _ type: SnapshotCoding.SectionType) throws(StorageError) -> Pending {
        let head = try SnapshotCoding.readLibrary(payload, type)
        // The vectors follow, so rows that the file has no room for are never given memory.
        let vectorBytes = head.rowCount * head.record.dimension * MemoryLayout<Float>.stride
        guard head.rowCount <= VectorStore.maxRows, vectorBytes <= reader.size,
            type.beginsSuccessor || repository.library(head.record.id) == nil
        else {
            throw malformed("an impossible library")
        }
        try check(head.created, head.changed)
        return Pending(
            library: Library(head.record, createdAt: head.created, changedAt: head.changed, head.updatedAt),
            isSuccessor: type.beginsSuccessor, documentCount: head.documentCount, rowCount: head.rowCount,
            references: Array(repeating: 0, count: head.rowCount))
    }

    private mutating func takeDocuments(_ payload: [UInt8], _ type: SnapshotCoding.SectionType) throws(StorageError) {
        let library = pending!.library
        var reader = BinaryReader(payload)
        while !reader.isAtEnd {
            let document = try reader.readDocument(of: library.id, rowCount: pending!.rowCount, type, slot: library.takeSlot)
            guard pending!.library.documents.last.map({ $0.createdSequence < document.createdSequence }) ?? true else {
                throw malformed("documents are not in order")
            }
            try check(document.createdSequence, document.sequence)
            for chunk in document.chunks { pending!.references[Int(chunk.row.rawValue)] += 1 }
            pending!.library.restore(document)
            pending!.documents += 1
        }
    }

    private mutating func takeVectors(_ payload: [UInt8]) throws(StorageError) {
        let library = pending!.library
        let size = library.dimension * MemoryLayout<Float>.stride
        let count = payload.count / size
        guard pending!.documents == pending!.documentCount, payload.count % size == 0, pending!.rows + count <= pending!.rowCount else {
            throw malformed("vectors for other rows than there are")
        }
        if pending!.rows == 0 {
            library.vectors.reserve(pending!.rowCount)
            pending!.textIndexing = TextIndexing(library.documents, library.record.text, pending!.texts)
            pending!.texts = []
        }
        var reader = BinaryReader(payload)
        let floats = try reader.readFloats(count: count * library.dimension)
        do throws(VectorProblem) {
            try library.vectors.restore(floats.span, references: pending!.references[pending!.rows..<pending!.rows + count])
        } catch {
            throw malformed("a vector that was never accepted: \(error)")
        }
        pending!.rows += count
    }

    private mutating func finishLibrary() throws(StorageError) {
        guard let pending else { return }
        guard pending.documents == pending.documentCount, pending.rows == pending.rowCount else {
            throw malformed("a library of \(pending.documents) documents and \(pending.rows) rows")
        }
        let vectors = pending.library.vectors
        if !pending.isIndexIntact {
            rebuiltIndexes += 1
        } else if !pending.index.isEmpty {
            do throws(IndexDecodingError) { try vectors.restoreIndex(pending.index) } catch { rebuiltIndexes += 1 }
        }
        vectors.finishRestoring()
        if let texts = pending.textIndexing?.finish() {
            pending.library.restore(texts.index)
            if texts.isRebuilt { rebuiltTextIndexes += 1 }
        }
        if pending.isSuccessor { try repository.restore(successor: pending.library) } else { try repository.restore(pending.library) }
        self.pending = nil
    }

    /// What comes behind the snapshot gets the numbers after its own, so nothing in it may have one of those.
    private func check(_ created: SequenceNumber, _ changed: SequenceNumber) throws(StorageError) {
        guard created <= changed, changed <= reader.sequence else { throw malformed("created at \(created), changed at \(changed)") }
    }

    private func malformed(_ reason: String) -> StorageError { .malformedPayload(offset: 0, reason: reason) }
}

extension BinaryReader {
    mutating func readSequence() throws(StorageError) -> SequenceNumber {
        SequenceNumber(rawValue: UInt64(bitPattern: try readInt64()))
    }

    /// - Parameters:
    ///   - type: of the section that it is in.
    ///   - slot: gives a slot to a chunk.
    mutating func readDocument(
        of library: LibraryID, rowCount: Int, _ type: SnapshotCoding.SectionType, slot: () -> Slot
    ) throws(StorageError) -> Document {
        let hasCustom = type == .documents
        let id: DocumentID = try readID()
        let metadata = try readMetadata(hasCustom: hasCustom)
        let createdAt = try readTimestamp()
        let updatedAt = try readTimestamp()
        let created = try readSequence()
        let sequence = try readSequence()
        var chunks: [Chunk] = []
        for _ in 0..<(try readUInt32()) {
            let id: ChunkID = try readID()
            let text = try readString()
            let page = try readPage()
            let offsets = hasCustom ? try readOffsets() : nil
            let custom = hasCustom ? try readCustom() : CustomFields()
            let chunkCreatedAt = hasCustom ? try readTimestamp() : updatedAt
            let row = Row(try readUInt32())
            guard row.rawValue < rowCount else { throw .malformedPayload(offset: 0, reason: "row \(row.rawValue)") }
            chunks.append(
                Chunk(
                    id: id, text: text, page: page, offsets: offsets, custom: custom, createdAt: chunkCreatedAt, row: row, slot: slot()))
        }
        return Document(
            id: id, libraryID: library, metadata: metadata, chunks: chunks, createdAt: createdAt, updatedAt: updatedAt,
            createdSequence: created, sequence: sequence)
    }
}
