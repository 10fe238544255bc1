import DatabaseTestSupport
import Locks
import Storage
import TextSearch
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
    /// The index of texts, its slots numbered in the order of the documents: equal for equal texts, whatever came before.
    var words: [UInt8] = []
    /// The chunks that each of `probes` finds in the columns, in that order.
    var columns: [[ChunkID]] = []
    /// Where documents, table of chunks, vectors and index of texts do not agree with each other.
    var flaws: [String] = []
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
            guard let held = repository.library(library.record.id) else { throw .libraryNotFound(library.record.id) }
            libraries[libraries.count - 1].take(held, flaws: LibraryCheck(held, in: repository).run().flatMap(\.problems))
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

extension DumpedLibrary {
    /// Takes in what only a search uses.
    fileprivate mutating func take(_ library: Library, flaws: [String]) {
        let probes = probes
        (words, columns) = library.lock.withReadLock { (library.words, probes.map { library.chunks(passing: $0) }) }
        self.flaws = flaws
    }

    /// What `words` and `columns` must be: the first of an index made anew, the second by the definition of a filter.
    func withExpectedSearch() -> DumpedLibrary {
        var library = self
        let index = TextIndex(record.text)
        let chunks = documents.flatMap { document in document.chunks.indices.map { (document, $0) } }
        for (slot, chunk) in chunks.enumerated() { index.insert(chunk.0.chunks[chunk.1].text, at: UInt32(slot)) }
        library.words = index.encoded(slotOrdinals: chunks.indices.map(UInt32.init))
        library.columns = probes.map { probe in
            chunks.filter { probe.admits($0.0.chunks[$0.1], at: $0.1, of: $0.0) }.map { $0.0.chunks[$0.1].id }.sorted()
        }
        library.flaws = []
        return library
    }

    /// Filters that together look at all of every column: for each value that is somewhere, and for each kind of value.
    private var probes: [Filter] {
        let facts = documents.flatMap { document in document.chunks.indices.map { document.facts($0) } }
        let custom = documents.flatMap { document in
            document.metadata.custom.fields.map(\.name) + document.chunks.flatMap { $0.custom.fields.map(\.name) }
        }
        let named: [FilterField] = [.title, .author, .documentType, .sourceURL, .tags, .createdAt, .pageNumber, .chunkIndex]
        return (named + Set(custom).sorted().map { FilterField.custom($0) }).flatMap { field in
            var seen: Set<FilterValue> = []
            let values = facts.flatMap { $0.value(of: field)?.elements ?? [] }.filter { seen.insert($0).inserted }
            let kinds: [Filter.Condition] = [
                .exists, .isAny(of: [.null]), .isAny(of: [.bool(false)]), .isAny(of: [.bool(true)]),
                .isWithin(FilterRange(.numbers(lower: nil, upper: nil))), .isWithin(FilterRange(.strings(lower: nil, upper: nil))),
                .contains(.string(ExactText(""))),
            ]
            return (kinds + values.map { Filter.Condition.isAny(of: [$0]) }).map { Filter.condition(field, $0) }
        }
    }
}

extension Library {
    /// Whether the index of texts is that of the texts of its chunks. Under the read lock, or when nobody writes.
    var findsItsTexts: Bool {
        let index = TextIndex(record.text)
        for (slot, chunk) in documents.flatMap(\.chunks).enumerated() { index.insert(chunk.text, at: UInt32(slot)) }
        return words == index.encoded(slotOrdinals: (0..<UInt32(index.count)).map { $0 }) && texts.count == index.count
    }

    fileprivate var words: [UInt8] {
        var ordinals = [UInt32](repeating: .max, count: chunkTable.capacity)
        for (ordinal, chunk) in documents.flatMap(\.chunks).enumerated() { ordinals[Int(chunk.slot.rawValue)] = UInt32(ordinal) }
        return texts.encoded(slotOrdinals: ordinals)
    }

    fileprivate func chunks(passing filter: Filter) -> [ChunkID] {
        var chunks: [ChunkID] = []
        fields.slots(passing: filter, among: chunkTable.live) { _ in [] }.forEach { slot in
            chunks.append(chunkTable.live.contains(slot) ? chunkTable.holder(of: Slot(slot)).chunk.id : .number(1 << 40))
        }
        return chunks.sorted()
    }
}

extension DumpedDocument {
    fileprivate func facts(_ index: Int) -> ChunkFacts {
        ChunkFacts(
            documentID: id, metadata: metadata, createdAt: createdAt, index: index, pageNumber: chunks[index].pageNumber,
            custom: chunks[index].custom)
    }
}

extension Filter {
    func admits(_ chunk: DumpedChunk, at index: Int, of document: DumpedDocument) -> Bool { admits(document.facts(index)) }
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
