import Storage
import VectorSearch

@testable import Database

/// A database as simple as can be: arrays, and a search that compares everything. What `Database` must agree with.
struct Model {
    private(set) var libraries: [DumpedLibrary] = []
    private(set) var sequence = SequenceNumber.zero

    func library(_ id: LibraryID) -> DumpedLibrary? { libraries.first { $0.record.id == id } }

    func document(_ id: DocumentID) -> DumpedDocument? {
        libraries.lazy.flatMap(\.documents).first { $0.id == id }
    }

    func holder(of id: ChunkID) -> DumpedDocument? {
        libraries.lazy.flatMap(\.documents).first { $0.chunks.contains { $0.id == id } }
    }

    /// The nearest chunks, equal distances by id.
    func search(in library: DumpedLibrary, _ query: [Float], count: Int, threshold: Float = .infinity) -> [(Float, ChunkID)] {
        let all = library.documents.flatMap(\.chunks).map { chunk in
            (distance(library.record.metric, query, chunk.embedding.map(Float.init(bitPattern:))), chunk.id)
        }
        return Array(all.filter { $0.0 <= threshold }.sorted { $0 < $1 }.prefix(count))
    }

    /// What the database's own dump must be.
    func dump() -> Dump {
        Dump(
            lastSequence: sequence,
            libraries: libraries.map { library in
                var library = library
                let chunks = library.documents.flatMap(\.chunks)
                library.uniqueVectors = Set(chunks.map(\.embedding)).count
                library.indexedRows = library.uniqueVectors
                library.totalReferences = chunks.count
                library.found = search(in: library, [1, 0, 0, 0], count: 10_000).map(\.1)
                return library.withExpectedSearch()
            })
    }

    // MARK: Changes

    /// Why a change must be refused.
    func refusal(of mutation: Mutation, _ policy: ConflictPolicy, limit: Int, expecting expected: SequenceNumber?) -> DatabaseError? {
        switch mutation {
        case .createLibrary:
            return nil
        case .updateLibrary(let id, _, _), .deleteLibrary(let id), .rebuildIndex(let id, _, _):
            guard let library = library(id) else { return .libraryNotFound(id) }
            if let expected, expected != library.sequence { return .changedSince(library.sequence) }
            if case .updateLibrary(_, let change, _) = mutation {
                let kind = library.record.index.kind
                let unknown = IndexParameter.allCases.first { change.indexParameters[$0] != nil && !kind.parameters.contains($0) }
                if let unknown { return .unknownIndexParameter(unknown, of: kind) }
            }
            return nil
        case .beginReembedding(let id, _):
            guard let library = library(id) else { return .libraryNotFound(id) }
            return library.successor == nil ? nil : .reembeddingIsRunning(id)
        case .stageDocument(let staged):
            return library(staged.libraryID)?.successor == nil ? .noReembedding(staged.libraryID) : nil
        case .finishReembedding(let id, _, _):
            guard let library = library(id) else { return .libraryNotFound(id) }
            guard let successor = library.successor else { return .noReembedding(id) }
            return successor.documents.count == library.documents.count ? nil : .reembeddingIncomplete(id)
        case .cancelReembedding(let id):
            guard let library = library(id) else { return .libraryNotFound(id) }
            return library.successor == nil ? .noReembedding(id) : nil
        case .deleteDocument(let id, _, _):
            guard let document = document(id) else { return .documentNotFound(id) }
            return expected.flatMap { $0 == document.sequence ? nil : .changedSince(document.sequence) }
        case .updateDocument(let update):
            guard let document = document(update.id) else { return .documentNotFound(update.id) }
            if let expected, expected != document.sequence { return .changedSince(document.sequence) }
            if let refusal = refusal(of: update.put, in: update.id) { return refusal }
            for (index, id) in update.removed.enumerated() {
                if update.removed[..<index].contains(id) || update.put.contains(where: { $0.id == id }) { return .repeatedChunk(id) }
                if holder(of: id)?.id != update.id { return .chunkNotFound(id) }
            }
            return nil
        case .putDocument(let record):
            guard let library = library(record.libraryID) else { return .libraryNotFound(record.libraryID) }
            let old = document(record.id)
            for (index, chunk) in record.chunks.enumerated() {
                let dimension = library.record.dimension
                if chunk.embedding.count != dimension {
                    return .invalidVector(.dimensionMismatch(expected: dimension, actual: chunk.embedding.count), chunk: index)
                }
            }
            if let old, let expected, expected != old.sequence { return .changedSince(old.sequence) }
            if let old, old.libraryID != record.libraryID { return .documentExists(record.id) }
            if let refusal = refusal(of: record.chunks, in: record.id) { return refusal }
            if old != nil { return policy == .error ? .documentExists(record.id) : nil }
            return limit > 0 && library.documents.count >= limit ? .tooManyDocuments(limit: limit) : nil
        }
    }

    private func refusal(of chunks: [ChunkRecord], in document: DocumentID) -> DatabaseError? {
        for (index, chunk) in chunks.enumerated() {
            if chunks[..<index].contains(where: { $0.id == chunk.id }) { return .repeatedChunk(chunk.id) }
            if let holder = holder(of: chunk.id), holder.id != document { return .chunkExists(chunk.id) }
        }
        return nil
    }

    /// Gives a number to a change that is not made.
    mutating func skip() { sequence = sequence.next }

    /// Makes a change that nothing refuses.
    mutating func apply(_ mutation: Mutation) {
        sequence = sequence.next
        switch mutation {
        case .createLibrary(let record):
            libraries.append(
                DumpedLibrary(
                    record: record, updatedAt: record.createdAt, createdSequence: sequence, sequence: sequence, documents: [],
                    uniqueVectors: 0, totalReferences: 0, indexedRows: 0, found: []))
        case .updateLibrary(let id, let change, let time):
            touch(id, time) { library in
                if let name = change.name { library.record.name = name }
                if let description = change.description { library.record.description = description }
                library.record.index = library.record.index.with(change.indexParameters)
                library.record.minimumRecall = change.minimumRecall ?? library.record.minimumRecall
            }
        case .rebuildIndex(let id, let index, let time):
            touch(id, time) { $0.record.index = index }
        case .deleteLibrary(let id):
            libraries.removeAll { $0.record.id == id }
        case .putDocument(let record):
            let sequence = sequence
            touch(record.libraryID, record.writtenAt) { library in
                let place = library.documents.firstIndex { $0.id == record.id }
                let old = place.map { library.documents[$0] }
                let chunks = record.chunks.map { DumpedChunk($0, createdAt: record.writtenAt) }
                let document = DumpedDocument(
                    id: record.id, libraryID: record.libraryID, metadata: record.metadata, chunks: chunks,
                    createdAt: old?.createdAt ?? record.writtenAt, updatedAt: record.writtenAt,
                    createdSequence: old?.createdSequence ?? sequence, sequence: sequence)
                if let place { library.documents[place] = document } else { library.documents.append(document) }
                library.successor?.documents[record.id] = nil
            }
        case .updateDocument(let update):
            let sequence = sequence
            touch(update.libraryID, update.writtenAt) { library in
                let place = library.documents.firstIndex { $0.id == update.id }!
                var document = library.documents[place]
                if let staged = library.successor?.documents[update.id] {
                    // Vectors stay with chunks that stay as they are.
                    let kept = zip(document.chunks, staged).filter { !update.removed.contains($0.0.id) }.map(\.1)
                    library.successor!.documents[update.id] = update.put.isEmpty ? kept : nil
                }
                document.metadata = update.metadata ?? document.metadata
                for record in update.put {
                    if let place = document.chunks.firstIndex(where: { $0.id == record.id }) {
                        document.chunks[place] = DumpedChunk(record, createdAt: document.chunks[place].createdAt)
                    } else {
                        document.chunks.append(DumpedChunk(record, createdAt: update.writtenAt))
                    }
                }
                document.chunks.removeAll { update.removed.contains($0.id) }
                (document.updatedAt, document.sequence) = (update.writtenAt, sequence)
                library.documents[place] = document
            }
        case .deleteDocument(let id, let libraryID, let time):
            touch(libraryID, time) { library in
                library.documents.removeAll { $0.id == id }
                library.successor?.documents[id] = nil
            }
        case .beginReembedding(let id, let source):
            change(id) { $0.successor = DumpedSuccessor(source: source) }
        case .stageDocument(let staged):
            change(staged.libraryID) { $0.successor!.documents[staged.id] = staged.embeddings.map { $0.map(\.bitPattern) } }
        case .finishReembedding(let id, let source, let time):
            touch(id, time) { library in
                for place in library.documents.indices {
                    for (index, bits) in library.successor!.documents[library.documents[place].id]!.enumerated() {
                        library.documents[place].chunks[index].embedding = bits
                    }
                }
                library.record.source = source
                library.successor = nil
            }
        case .cancelReembedding(let id):
            change(id) { $0.successor = nil }
        }
    }

    private mutating func change(_ id: LibraryID, _ change: (inout DumpedLibrary) -> Void) {
        if let place = libraries.firstIndex(where: { $0.record.id == id }) { change(&libraries[place]) }
    }

    private mutating func touch(_ id: LibraryID, _ time: Timestamp, _ change: (inout DumpedLibrary) -> Void) {
        guard let place = libraries.firstIndex(where: { $0.record.id == id }) else { return }
        change(&libraries[place])
        libraries[place].updatedAt = time
        libraries[place].sequence = sequence
    }
}
