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
}

extension Database {
    /// Adds a document whole or not at all.
    ///
    /// - Parameter documentLimit: how many documents the library may hold; 0: any number.
    package func putDocument(
        id: DocumentID?, in libraryID: LibraryID, metadata: DocumentMetadata, chunks: [ChunkRecord], onConflict: ConflictPolicy = .error,
        documentLimit: Int = 0
    ) throws(DatabaseError) -> Document {
        let record = DocumentRecord(id: id ?? .random(), libraryID: libraryID, metadata: metadata, chunks: chunks, writtenAt: .now())
        let outcome = try commit(.putDocument(record)) { state throws(DatabaseError) in
            if state.library(of: record.id) != nil {
                guard onConflict == .replace else { throw .documentExists(record.id) }
            } else if documentLimit > 0, state.documentCount(of: libraryID) >= documentLimit {
                throw .tooManyDocuments(limit: documentLimit)
            }
        }
        guard case .document(let document) = outcome else { preconditionFailure("putting a document makes a document") }
        return document
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
            if let embeddings { return DocumentView(document: document, embeddings: embeddings) }
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
