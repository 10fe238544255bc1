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
                return library
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
            if case .updateLibrary(_, let change, _) = mutation {
                let kind = library.record.index.kind
                let unknown = IndexParameter.allCases.first { change.indexParameters[$0] != nil && !kind.parameters.contains($0) }
                if let unknown { return .unknownIndexParameter(unknown, of: kind) }
            }
            return expected.flatMap { $0 == library.sequence ? nil : .changedSince(library.sequence) }
        case .deleteDocument(let id, _, _):
            guard let document = document(id) else { return .documentNotFound(id) }
            return expected.flatMap { $0 == document.sequence ? nil : .changedSince(document.sequence) }
        case .putDocument(let record):
            guard let library = library(record.libraryID) else { return .libraryNotFound(record.libraryID) }
            let old = document(record.id)
            for (index, chunk) in record.chunks.enumerated() {
                let dimension = library.record.dimension
                if chunk.embedding.count != dimension {
                    return .invalidVector(.dimensionMismatch(expected: dimension, actual: chunk.embedding.count), chunk: index)
                }
            }
            if let old, old.libraryID != record.libraryID { return .documentExists(record.id) }
            for (index, chunk) in record.chunks.enumerated() {
                if record.chunks[..<index].contains(where: { $0.id == chunk.id }) { return .repeatedChunk(chunk.id) }
                if let holder = holder(of: chunk.id), holder.id != record.id { return .chunkExists(chunk.id) }
            }
            if old != nil { return policy == .error ? .documentExists(record.id) : nil }
            return limit > 0 && library.documents.count >= limit ? .tooManyDocuments(limit: limit) : nil
        }
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
                let chunks = record.chunks.map {
                    DumpedChunk(id: $0.id, text: $0.text, pageNumber: $0.pageNumber, embedding: $0.embedding.map(\.bitPattern))
                }
                let document = DumpedDocument(
                    id: record.id, libraryID: record.libraryID, metadata: record.metadata, chunks: chunks,
                    createdAt: old?.createdAt ?? record.writtenAt, updatedAt: record.writtenAt,
                    createdSequence: old?.createdSequence ?? sequence, sequence: sequence)
                if let place { library.documents[place] = document } else { library.documents.append(document) }
            }
        case .deleteDocument(let id, let libraryID, let time):
            touch(libraryID, time) { $0.documents.removeAll { $0.id == id } }
        }
    }

    private mutating func touch(_ id: LibraryID, _ time: Timestamp, _ change: (inout DumpedLibrary) -> Void) {
        guard let place = libraries.firstIndex(where: { $0.record.id == id }) else { return }
        change(&libraries[place])
        libraries[place].updatedAt = time
        libraries[place].sequence = sequence
    }
}
