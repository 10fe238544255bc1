import Database
import Embedding
import Settings
import Storage

extension Service {
    /// Chunks as they are stored: those without a vector get one. With the name of the model, if it made any.
    func records(of chunks: [NewChunk], for library: LibraryRecord) throws -> (chunks: [ChunkRecord], model: String?) {
        let texts = chunks.filter { $0.embedding == nil }.map(\.text)
        guard !texts.isEmpty else { return (chunks.map { $0.record($0.embedding!) }, nil) }
        // No lock is held while the provider works.
        let embeddings = try embed(texts, as: .document, for: library)
        var next = 0
        let records = chunks.map { chunk in
            if let embedding = chunk.embedding { return chunk.record(embedding) }
            defer { next += 1 }
            return chunk.record(Array(embeddings[next]))
        }
        return (records, library.model)
    }

    /// Adds documents, each whole or not at all and each for itself. Their texts are embedded together, and written together; where
    /// they cannot be embedded, the documents that need no embedding are stored all the same.
    ///
    /// - Parameter documents: what was read; what is wrong already stays so.
    /// - Throws: 503 while there is no database.
    func put(
        _ documents: [Result<NewDocument, APIError>], in library: LibraryRecord, onConflict: ConflictPolicy
    ) throws -> [Result<AddedDocument, APIError>] {
        let database = try database
        let records = records(of: documents, for: library)
        var added = database.putDocuments(
            records.compactMap { try? $0.get() }, by: documents.contains { (try? $0.get())?.needsEmbedding ?? false } ? library.model : nil,
            onConflict: onConflict, documentLimit: settings.maxDocumentsPerLibrary
        )[...]
        return records.map { record in
            record.flatMap { _ in
                added.removeFirst().map { AddedDocument(id: $0.id, chunkCount: $0.chunks.count) }.mapError { APIError($0) }
            }
        }
    }

    private func records(
        of documents: [Result<NewDocument, APIError>], for library: LibraryRecord
    ) -> [Result<DocumentRecord, APIError>] {
        let withoutVectors = documents.compactMap { try? $0.get() }.filter(\.needsEmbedding)
        let embedded = Result { try records(of: withoutVectors.flatMap(\.chunks), for: library).chunks }.mapError { APIError($0) }
        var next = 0
        return documents.map { document in
            document.flatMap { document in
                let chunks: Result<[ChunkRecord], APIError>
                if document.needsEmbedding {
                    let place = next..<next + document.chunks.count
                    next = place.upperBound
                    chunks = embedded.map { Array($0[place]) }
                } else {
                    chunks = .success(document.chunks.map { $0.record($0.embedding!) })
                }
                return chunks.map { chunks in
                    DocumentRecord(
                        id: document.id ?? .random(), libraryID: library.id, metadata: document.metadata, chunks: chunks, writtenAt: .now())
                }
            }
        }
    }
}

/// A document that was added.
struct AddedDocument {
    let id: DocumentID
    let chunkCount: Int
}

extension NewDocument {
    fileprivate var needsEmbedding: Bool { chunks.contains { $0.embedding == nil } }
}
