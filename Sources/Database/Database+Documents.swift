import Locks
package import Storage
import VectorSearch

/// What happens when a new document's id is taken.
package enum ConflictPolicy: String, CaseIterable, Sendable {
    case error
    /// The new one takes the place of the old one of the same library.
    case replace
}

/// A document, with the vectors of its chunks if they were asked for.
package struct DocumentView: Sendable {
    package let document: Document
    /// One per chunk, as they were sent.
    package let embeddings: [[Float]]?
    /// What made them.
    var model: String?
}

/// A chunk in its document, with its vector if that was asked for.
package struct ChunkView: Sendable {
    package let document: Document
    package let index: Int
    package let embedding: [Float]?
}

/// What is to be different of a document; what is not here stays.
package struct DocumentEdit: Sendable {
    package var metadata: DocumentMetadata?
    package var removed: [ChunkID] = []
    /// A chunk whose id the document has takes the place of that one, others come behind the last.
    package var put: [ChunkRecord] = []

    package init(metadata: DocumentMetadata? = nil, removed: [ChunkID] = [], put: [ChunkRecord] = []) {
        self.metadata = metadata
        self.removed = removed
        self.put = put
    }
}

extension Database {
    /// Adds a document whole or not at all.
    ///
    /// - Parameters:
    ///   - model: the one that made the vectors, which must be the library's still; nil: the client brought them.
    ///   - documentLimit: how many documents the library may hold; 0: any number.
    package func putDocument(
        id: DocumentID?, in libraryID: LibraryID, metadata: DocumentMetadata, chunks: [ChunkRecord], by model: String? = nil,
        onConflict: ConflictPolicy = .error, documentLimit: Int = 0
    ) throws(DatabaseError) -> Document {
        let record = DocumentRecord(id: id ?? .random(), libraryID: libraryID, metadata: metadata, chunks: chunks, writtenAt: .now())
        do throws(DatabaseError) {
            return try commit(.putDocument(record)) { state throws(DatabaseError) in
                try state.check(model, of: libraryID)
                try state.check(record, onConflict, documentLimit)
            }.document
        } catch {
            throw error.whenMade(by: model, for: libraryID)
        }
    }

    /// Adds documents, each whole or not at all and each for itself, in their order; the log takes them together.
    ///
    /// - Parameters:
    ///   - model: the one that made vectors, which must be the library's still; nil: the clients brought them all.
    ///   - documentLimit: how many documents the library may hold; 0: any number.
    /// - Returns: what became of each.
    package func putDocuments(
        _ records: [DocumentRecord], by model: String? = nil, onConflict: ConflictPolicy = .error, documentLimit: Int = 0
    ) -> [Result<Document, DatabaseError>] {
        let outcomes = commitEach(records.map { (.putDocument($0), nil) }) { state, mutation throws(DatabaseError) in
            guard case .putDocument(let record) = mutation else { preconditionFailure("documents are put, nothing else") }
            try state.check(model, of: record.libraryID)
            try state.check(record, onConflict, documentLimit)
        }
        return zip(records, outcomes).map { record, outcome in
            outcome.map(\.document).mapError { $0.whenMade(by: model, for: record.libraryID) }
        }
    }

    /// Asks whether the disk has room for a file that is no change: it counts as if it were one.
    ///
    /// - Throws: `memoryBudgetReached`, `diskReserveReached`, `storage`.
    package func admitFile(bytes: Int) throws(DatabaseError) {
        try admission.admit(bytes: bytes, indexes: { repository.memoryOfIndexesToCome }, besides: { 0 })
    }

    /// Puts another document in the place of one, which keeps its id, its library and the time it was made.
    ///
    /// - Parameters:
    ///   - model: the one that made vectors, which must be the library's still; nil: the client brought them.
    ///   - expected: if given, the document's last change must be this one.
    package func replaceDocument(
        _ id: DocumentID, metadata: DocumentMetadata, chunks: [ChunkRecord], by model: String? = nil,
        expecting expected: SequenceNumber? = nil
    ) throws(DatabaseError) -> Document {
        guard let old = repository.document(id) else { throw .documentNotFound(id) }
        let record = DocumentRecord(id: id, libraryID: old.libraryID, metadata: metadata, chunks: chunks, writtenAt: .now())
        do throws(DatabaseError) {
            return try commit(.putDocument(record), expecting: expected) { state throws(DatabaseError) in
                guard state.library(of: id) != nil else { throw .documentNotFound(id) }
                try state.check(model, of: old.libraryID)
            }.document
        } catch {
            throw error.whenMade(by: model, for: old.libraryID)
        }
    }

    /// Changes parts of a document, atomically.
    ///
    /// - Parameters:
    ///   - expected: if given, the document's last change must be this one. If not, and somebody else changes the document meanwhile,
    ///     `edit` is asked again.
    ///   - model: the one that made vectors, which must be the library's still; nil: the client brought them.
    ///   - withEmbeddings: whether `edit` needs the vectors that there are.
    ///   - edit: what is to be different of this version of the document.
    package func updateDocument(
        _ id: DocumentID, by model: String? = nil, expecting expected: SequenceNumber? = nil, withEmbeddings: Bool = false,
        _ edit: (DocumentView) throws(DatabaseError) -> DocumentEdit
    ) throws(DatabaseError) -> Document {
        while true {
            let view = try document(id, withEmbeddings: withEmbeddings)
            if let expected, expected != view.document.sequence { throw .changedSince(view.document.sequence) }
            let edit = try edit(view)
            if let last = edit.removed.last, edit.removed.count == view.document.chunks.count, edit.put.isEmpty {
                throw .lastChunk(last, of: id)
            }
            let update = DocumentUpdate(
                id: id, libraryID: view.document.libraryID, metadata: edit.metadata, removed: edit.removed, put: edit.put, writtenAt: .now()
            )
            do throws(DatabaseError) {
                return try commit(.updateDocument(update), expecting: view.document.sequence) { state throws(DatabaseError) in
                    try state.check(model ?? view.model, of: update.libraryID)
                }.document
            } catch {
                switch error.whenMade(by: model ?? view.model, for: update.libraryID) {
                case .changedSince where expected == nil: continue
                // They were read here, and can be read again.
                case .modelChanged where model == nil: continue
                case let error: throw error
                }
            }
        }
    }

    package func view(of id: ChunkID, withEmbedding: Bool = false) throws(DatabaseError) -> ChunkView {
        while true {
            guard let document = repository.documentHolding(id), let index = document.chunks.firstIndex(where: { $0.id == id }) else {
                throw .chunkNotFound(id)
            }
            guard withEmbedding else { return ChunkView(document: document, index: index, embedding: nil) }
            guard let library = repository.library(document.libraryID) else { throw .chunkNotFound(id) }
            let embedding = library.lock.withReadLock {
                library.contains(document) ? library.vectors.store.copyVector(document.chunks[index].row) : nil
            }
            if let embedding { return ChunkView(document: document, index: index, embedding: embedding) }
        }
    }

    package func document(_ id: DocumentID, withEmbeddings: Bool = false) throws(DatabaseError) -> DocumentView {
        while true {
            guard let document = repository.document(id) else { throw .documentNotFound(id) }
            guard withEmbeddings else { return DocumentView(document: document, embeddings: nil) }
            guard let library = repository.library(document.libraryID) else { throw .documentNotFound(id) }
            let embeddings = library.lock.withReadLock {
                // The rows are the document's only while this version of it is in the library.
                library.contains(document) ? document.chunks.map { library.vectors.store.copyVector($0.row) } : nil
            }
            if let embeddings { return DocumentView(document: document, embeddings: embeddings, model: library.source.model) }
        }
    }

    /// Documents in order of creation.
    package func documents(in id: LibraryID, after: SequenceNumber?, limit: Int) throws(DatabaseError) -> Page<Document> {
        let library = try existingLibrary(id)
        return library.lock.withReadLock {
            let start = after.map { library.position(after: $0) } ?? 0
            let page = Array(library.documents[start...].prefix(limit))
            return Page(elements: page, next: start + page.count < library.documents.count ? page.last?.createdSequence : nil)
        }
    }

    /// - Parameter expected: if given, the document's last change must be this one.
    package func deleteDocument(_ id: DocumentID, expecting expected: SequenceNumber? = nil) throws(DatabaseError) {
        guard let document = repository.document(id) else { throw .documentNotFound(id) }
        _ = try commit(.deleteDocument(id, in: document.libraryID, at: .now()), expecting: expected)
    }
}

extension DatabaseError {
    /// Vectors that a model made for the library have the wrong dimension only if it has another model by now.
    fileprivate func whenMade(by model: String?, for library: LibraryID) -> DatabaseError {
        if case .invalidVector(.dimensionMismatch, _) = self, model != nil { .modelChanged(library) } else { self }
    }
}

extension StateToCome {
    /// Whether a library still is of the model that made vectors for it.
    fileprivate func check(_ model: String?, of library: LibraryID) throws(DatabaseError) {
        if let model, source(of: library)?.model != model { throw .modelChanged(library) }
    }

    /// Whether there is room for a document, its id taken or not.
    fileprivate func check(_ record: DocumentRecord, _ onConflict: ConflictPolicy, _ documentLimit: Int) throws(DatabaseError) {
        if library(of: record.id) != nil {
            guard onConflict == .replace else { throw .documentExists(record.id) }
        } else if documentLimit > 0, documentCount(of: record.libraryID) >= documentLimit {
            throw .tooManyDocuments(limit: documentLimit)
        }
    }
}

extension Repository.Outcome {
    fileprivate var document: Document {
        guard case .document(let document) = self else { preconditionFailure("a change of a document makes a document") }
        return document
    }
}
