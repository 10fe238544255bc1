import Locks
import Storage
import TextSearch
import VectorSearch

/// A library in memory: its documents in order of creation, their vectors, and the index over them.
///
/// Readers together or one writer hold `lock`; only `Repository.apply` writes.
// Sound as Sendable: all mutable state is read and written under `lock`; metric and source never change.
package final class Library: @unchecked Sendable {
    package let id: LibraryID
    let createdSequence: SequenceNumber
    let lock = ReadWriteLock()

    let metric: Metric
    /// What makes its vectors. The record may have a fingerprint that came later.
    let source: EmbeddingSource
    private(set) var record: LibraryRecord
    private(set) var updatedAt: Timestamp
    /// The last change of the library or of anything in it.
    private(set) var sequence: SequenceNumber
    private(set) var documents: [Document] = []
    private(set) var chunkCount = 0
    /// Bytes of memory of the documents, and of the texts of their chunks.
    private(set) var documentBytes = 0
    private(set) var textBytes = 0
    let vectors: IndexedVectors
    /// What the index in use was asked to be, while another one is being built.
    private var formerIndex: IndexConfiguration?
    private(set) var chunkTable = ChunkTable()
    private(set) var fields = FieldIndex()
    private(set) var texts: TextIndex
    let recall = RecallHistory()

    convenience init(_ record: LibraryRecord, at sequence: SequenceNumber) {
        self.init(record, createdAt: sequence, changedAt: sequence, record.createdAt)
    }

    init(_ record: LibraryRecord, createdAt created: SequenceNumber, changedAt sequence: SequenceNumber, _ updatedAt: Timestamp) {
        self.id = record.id
        self.metric = record.metric
        self.source = record.source
        self.record = record
        self.updatedAt = updatedAt
        self.createdSequence = created
        self.sequence = sequence
        self.texts = TextIndex(record.text)
        self.vectors = IndexedVectors(dimension: record.dimension, metric: record.metric, configuration: record.index)
    }

    var dimension: Int { source.dimension }

    // MARK: Changes, under the write lock

    func change(_ change: LibraryChange, at time: Timestamp, _ sequence: SequenceNumber) {
        if let name = change.name { record.name = name }
        if let description = change.description { record.description = description }
        if let k1 = change.k1 { record.text.k1 = k1 }
        if let b = change.b { record.text.b = b }
        if let fingerprint = change.fingerprint { record.source.fingerprint = fingerprint }
        if let minimum = change.minimumRecall, minimum != record.minimumRecall {
            record.minimumRecall = minimum
            recall.forget()
        }
        if !change.indexParameters.isEmpty {
            record.index = record.index.with(change.indexParameters)
            vectors.reconfigure(record.index)
            recall.forget()
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
        // Until the new index takes its place, searches use the old one, of which all this was found out.
        if !vectors.isRebuilding { recall.forget() }
        touch(time, sequence)
    }

    /// What is asked of the vectors; without an `ef`, as much as the guard of recall has come to.
    func vectorRequest(count: Int, ef: Int?, isExact: Bool = false, filter: RowSet? = nil) -> SearchRequest {
        var request = SearchRequest(count: count, ef: ef, isExact: isExact, filter: filter)
        guard ef == nil else { return request }
        switch recall.effort {
        case .configured: break
        case .ef(let ef): request.ef = ef
        case .exact: request.isExact = true
        }
        return request
    }

    /// What a builder should do next; nil: nothing.
    func beginIndexWork() -> IndexWork? {
        let wasRebuilding = vectors.isRebuilding
        let work = vectors.beginWork()
        if !vectors.isRebuilding {
            formerIndex = nil
            if wasRebuilding { recall.forget() }
        }
        return work
    }

    /// Puts a document in its place in the order of creation: at the end, or where `old` stands.
    func put(_ record: DocumentRecord, replacing old: Document?, at sequence: SequenceNumber) -> Document {
        // New vectors first: a vector that stays keeps its row.
        let chunks = record.chunks.map { makeChunk($0, createdAt: record.writtenAt) }
        let document = Document(
            record, chunks: chunks, createdAt: old?.createdAt ?? record.writtenAt,
            createdSequence: old?.createdSequence ?? sequence, sequence: sequence)
        if let old {
            replace(old, by: document)
        } else {
            documents.append(document)
            hold(document)
            for chunk in document.chunks { texts.insert(chunk.text, at: chunk.slot.rawValue) }
        }
        touch(record.writtenAt, sequence)
        return document
    }

    /// Changes what the update says of a document.
    func update(_ old: Document, _ update: DocumentUpdate, at sequence: SequenceNumber) -> Document {
        let removed = Set(update.removed)
        var put = Dictionary(uniqueKeysWithValues: update.put.map { ($0.id, $0) })
        var chunks = old.chunks.compactMap { chunk -> Chunk? in
            guard let record = put.removeValue(forKey: chunk.id) else { return removed.contains(chunk.id) ? nil : chunk }
            return makeChunk(record, createdAt: chunk.createdAt)
        }
        for record in update.put where put[record.id] != nil { chunks.append(makeChunk(record, createdAt: update.writtenAt)) }
        let document = old.changed(update.metadata, chunks: chunks, at: update.writtenAt, sequence)
        replace(old, by: document)
        touch(update.writtenAt, sequence)
        return document
    }

    private func makeChunk(_ record: ChunkRecord, createdAt: Timestamp) -> Chunk {
        Chunk(record, createdAt: createdAt, row: vectors.insert(record.embedding.span), slot: chunkTable.take())
    }

    /// Appends a document as it was, whose rows the vectors get, and whose texts another call brings.
    func restore(_ document: Document) {
        documents.append(document)
        hold(document)
    }

    /// The index of the texts of all that was restored.
    func restore(_ texts: TextIndex) { self.texts = texts }

    /// A slot for a chunk of a document to be restored.
    func takeSlot() -> Slot { chunkTable.take() }

    func remove(_ document: Document, at time: Timestamp, _ sequence: SequenceNumber) {
        drop(document)
        touch(time, sequence)
    }

    private func drop(_ document: Document) {
        documents.remove(at: position(after: document.createdSequence) - 1)
        for index in document.chunks.indices { fields.remove(document, chunkIndex: index, capacity: chunkTable.capacity) }
        for chunk in document.chunks { release(chunk) }
        documentBytes -= document.sizeInBytes
        textBytes -= document.textBytes
    }

    private func hold(_ document: Document) {
        chunkTable.point(to: document)
        for (index, chunk) in document.chunks.enumerated() {
            chunkTable.link(chunk)
            fields.insert(document, chunkIndex: index, capacity: chunkTable.capacity)
        }
        chunkCount += document.chunks.count
        documentBytes += document.sizeInBytes
        textBytes += document.textBytes
    }

    private func release(_ chunk: Chunk) {
        texts.remove(chunk.text, at: chunk.slot.rawValue)
        chunkTable.unlink(chunk)
        chunkTable.release(chunk.slot)
        vectors.release(chunk.row)
        chunkCount -= 1
    }

    /// Puts another version of a document in its place. A chunk that both have, slot and all, is the same.
    private func replace(_ old: Document, by document: Document) {
        let (oldSlots, newSlots) = (Set(old.chunks.map(\.slot)), Set(document.chunks.map(\.slot)))
        for index in old.chunks.indices { fields.remove(old, chunkIndex: index, capacity: chunkTable.capacity) }
        chunkTable.point(to: document)
        for chunk in document.chunks where !oldSlots.contains(chunk.slot) {
            chunkTable.link(chunk)
            texts.insert(chunk.text, at: chunk.slot.rawValue)
            chunkCount += 1
        }
        for index in document.chunks.indices { fields.insert(document, chunkIndex: index, capacity: chunkTable.capacity) }
        for chunk in old.chunks where !newSlots.contains(chunk.slot) { release(chunk) }
        documents[position(after: old.createdSequence) - 1] = document
        documentBytes += document.sizeInBytes - old.sizeInBytes
        textBytes += document.textBytes - old.textBytes
    }

    /// Moves vectors together, at most `limit` of them. Returns the documents that name other rows now, and whether there may be more
    /// to move.
    func compact(limit: Int) -> (moved: [Document], hasMore: Bool) {
        var targets: [Row: Row] = [:]
        let hasMore = vectors.compact(limit: limit) { row, target in targets[row] = target }
        var documents: [DocumentID: Document] = [:]
        for row in targets.keys {
            for slot in chunkTable.slots(of: row) {
                let document = chunkTable.holder(of: slot).document
                documents[document.id] = document
            }
        }
        let moved = documents.values.map { document in
            let moved = document.moved(targets)
            for chunk in document.chunks { chunkTable.unlink(chunk) }
            chunkTable.point(to: moved)
            for chunk in moved.chunks { chunkTable.link(chunk) }
            self.documents[position(after: document.createdSequence) - 1] = moved
            return moved
        }
        return (moved, hasMore)
    }

    // MARK: Succession, under the write lock of the successor

    /// This library without documents, for vectors of another source. Under the read lock of this one.
    func makeSuccessor(of source: EmbeddingSource) -> Library {
        var record = record
        record.source = source
        return Library(record, createdAt: createdSequence, changedAt: sequence, updatedAt)
    }

    /// Takes in a document of the library that this one is to succeed, with vectors of its own; or its newer version.
    func stage(_ document: Document, _ embeddings: [[Float]]) {
        unstage(document)
        let chunks = zip(document.chunks, embeddings).map { chunk, embedding in
            chunk.moved(to: vectors.insert(embedding.span), slot: chunkTable.take())
        }
        let staged = document.with(chunks)
        documents.insert(staged, at: position(after: document.createdSequence))
        hold(staged)
        for chunk in chunks { texts.insert(chunk.text, at: chunk.slot.rawValue) }
    }

    /// Lets go of a document that is gone or has changed.
    func unstage(_ document: Document) {
        if let staged = stagedVersion(of: document) { drop(staged) }
    }

    /// Makes the same change of a document as the library that this one is to succeed. One that brings vectors makes the document one that
    /// is still to be staged.
    func follow(_ old: Document, _ change: DocumentUpdate, at sequence: SequenceNumber) {
        guard change.put.isEmpty, let staged = stagedVersion(of: old) else { return unstage(old) }
        _ = update(staged, change, at: sequence)
    }

    func succeed(at time: Timestamp, _ sequence: SequenceNumber) { touch(time, sequence) }

    private func touch(_ time: Timestamp, _ sequence: SequenceNumber) {
        updatedAt = time
        self.sequence = sequence
    }

    // MARK: Reading, under the read lock

    /// The slots of the chunks that pass a filter.
    ///
    /// - Parameter document: the document of an id, wherever it is.
    func slots(passing filter: Filter, document: (DocumentID) -> Document?) -> SlotSet {
        fields.slots(passing: filter, among: chunkTable.live) { id in
            guard let document = document(id), contains(document) else { return [] }
            return document.chunks.map(\.slot)
        }
    }

    /// What the index that searches use was asked to be: not yet what it was asked to become.
    var indexInUse: IndexConfiguration { formerIndex ?? record.index }

    /// Whether this very version of the document is in the library.
    func contains(_ document: Document) -> Bool {
        let position = position(after: document.createdSequence) - 1
        return position >= 0 && documents[position] === document
    }

    /// The document of this library that stands for one of the library that it is to succeed, or of the library that is to succeed it.
    func stagedVersion(of document: Document) -> Document? {
        let position = position(after: document.createdSequence) - 1
        return position >= 0 && documents[position].createdSequence == document.createdSequence ? documents[position] : nil
    }

    /// The number of documents created up to and including `sequence`. Cost: a binary search.
    func position(after sequence: SequenceNumber) -> Int {
        documents.firstPosition { $0.createdSequence > sequence }
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index at which `predicate` holds, in a collection where it holds for a suffix.
    func firstPosition(where predicate: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
