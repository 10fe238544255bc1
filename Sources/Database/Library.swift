import Locks
import Storage
import VectorSearch

/// A library in memory: its documents in order of creation, their vectors, and the index over them.
///
/// Readers together or one writer hold `lock`; only `Repository.apply` writes.
// Sound as Sendable: all mutable state is read and written under `lock`; metric and dimension never change.
package final class Library: @unchecked Sendable {
    package let id: LibraryID
    let createdSequence: SequenceNumber
    let lock = ReadWriteLock()

    let metric: Metric
    let dimension: Int
    private(set) var record: LibraryRecord
    private(set) var updatedAt: Timestamp
    /// The last change of the library or of anything in it.
    private(set) var sequence: SequenceNumber
    private(set) var documents: [Document] = []
    private(set) var chunkCount = 0
    let vectors: IndexedVectors
    /// What the index in use was asked to be, while another one is being built.
    private var formerIndex: IndexConfiguration?
    private var holders = RowHolders()

    convenience init(_ record: LibraryRecord, at sequence: SequenceNumber) {
        self.init(record, createdAt: sequence, changedAt: sequence, record.createdAt)
    }

    init(_ record: LibraryRecord, createdAt created: SequenceNumber, changedAt sequence: SequenceNumber, _ updatedAt: Timestamp) {
        self.id = record.id
        self.metric = record.metric
        self.dimension = record.dimension
        self.record = record
        self.updatedAt = updatedAt
        self.createdSequence = created
        self.sequence = sequence
        self.vectors = IndexedVectors(dimension: record.dimension, metric: record.metric, configuration: record.index)
    }

    // MARK: Changes, under the write lock

    func change(_ change: LibraryChange, at time: Timestamp, _ sequence: SequenceNumber) {
        if let name = change.name { record.name = name }
        if let description = change.description { record.description = description }
        if !change.indexParameters.isEmpty {
            record.index = record.index.with(change.indexParameters)
            vectors.reconfigure(record.index)
        }
        touch(time, sequence)
    }

    func rebuildIndex(_ index: IndexConfiguration, at time: Timestamp, _ sequence: SequenceNumber) {
        let old = record.index
        record.index = index
        if index != old { vectors.reconfigure(index) }
        // What is not yet in an index need not be built anew; so a replayed log builds what it ends with, and once.
        if old.servesAs(index), vectors.statistics.indexed > 0 { vectors.rebuild() }
        formerIndex = vectors.isRebuilding ? old : nil
        touch(time, sequence)
    }

    /// What a builder should do next; nil: nothing.
    func beginIndexWork() -> IndexWork? {
        let work = vectors.beginWork()
        if !vectors.isRebuilding { formerIndex = nil }
        return work
    }

    /// Puts a document in its place in the order of creation: at the end, or where `old` stands.
    func put(_ record: DocumentRecord, replacing old: Document?, at sequence: SequenceNumber) -> Document {
        // New vectors first: a vector that stays keeps its row.
        let rows = record.chunks.map { vectors.insert($0.embedding.span) }
        let chunks = zip(record.chunks, rows).map { Chunk($0, row: $1) }
        let document = Document(
            record, chunks: chunks, createdAt: old?.createdAt ?? record.writtenAt,
            createdSequence: old?.createdSequence ?? sequence, sequence: sequence)
        hold(document)
        if let old {
            documents[position(after: old.createdSequence) - 1] = document
            releaseChunks(of: old)
        } else {
            documents.append(document)
        }
        touch(record.writtenAt, sequence)
        return document
    }

    /// Appends a document as it was, whose rows the vectors get.
    func restore(_ document: Document) {
        hold(document)
        documents.append(document)
    }

    private func hold(_ document: Document) {
        holders.add(document)
        chunkCount += document.chunks.count
    }

    func remove(_ document: Document, at time: Timestamp, _ sequence: SequenceNumber) {
        documents.remove(at: position(after: document.createdSequence) - 1)
        releaseChunks(of: document)
        touch(time, sequence)
    }

    private func releaseChunks(of document: Document) {
        holders.remove(document)
        for chunk in document.chunks { vectors.release(chunk.row) }
        chunkCount -= document.chunks.count
    }

    /// Moves vectors together, at most `limit` of them. Returns the documents that name other rows now, and whether there may be more
    /// to move.
    func compact(limit: Int) -> (moved: [Document], hasMore: Bool) {
        var targets: [Row: Row] = [:]
        let hasMore = vectors.compact(limit: limit) { row, target in targets[row] = target }
        var documents: [DocumentID: Document] = [:]
        for row in targets.keys {
            for holder in holders.holders(of: row, limit: .max) { documents[holder.document.id] = holder.document }
        }
        let moved = documents.values.map { document in
            let moved = document.moved(targets)
            holders.remove(document)
            holders.add(moved)
            self.documents[position(after: document.createdSequence) - 1] = moved
            return moved
        }
        return (moved, hasMore)
    }

    private func touch(_ time: Timestamp, _ sequence: SequenceNumber) {
        updatedAt = time
        self.sequence = sequence
    }

    // MARK: Reading, under the read lock

    /// Up to `limit` of the chunks that hold a row, by id.
    func holders(of row: Row, limit: Int) -> ArraySlice<RowHolders.Holder> { holders.holders(of: row, limit: limit) }

    func holderCount(of row: Row) -> Int { holders.count(of: row) }

    /// Whether a chunk of this very version of the document is known to hold its row.
    func isHolder(_ document: Document, _ chunk: Chunk) -> Bool { holders.contains(document, chunk: chunk) }

    /// What the index that searches use was asked to be: not yet what it was asked to become.
    var indexInUse: IndexConfiguration { formerIndex ?? record.index }

    /// Whether this very version of the document is in the library.
    func contains(_ document: Document) -> Bool {
        let position = position(after: document.createdSequence) - 1
        return position >= 0 && documents[position] === document
    }

    /// The number of documents created up to and including `sequence`. Cost: a binary search.
    func position(after sequence: SequenceNumber) -> Int {
        documents.firstPosition { $0.createdSequence > sequence }
    }
}

extension Array {
    /// The first index at which `predicate` holds, in an array where it holds for a suffix.
    func firstPosition(where predicate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
