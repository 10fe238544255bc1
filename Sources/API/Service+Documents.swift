import Database
import Embedding
import Settings
import Storage

extension Service {
    /// Chunks as they are stored: those without a vector get one. With the name of the model, if it made any.
    func records(
        of chunks: [NewChunk], for library: LibraryRecord, _ waiting: Waiting? = nil
    ) throws -> (chunks: [ChunkRecord], model: String?) {
        let texts = chunks.filter { $0.embedding == nil }.map(\.text)
        guard !texts.isEmpty else { return (chunks.map { $0.record($0.embedding!) }, nil) }
        // No lock is held while the provider works.
        let embeddings = try embed(texts, as: .document, for: library, waiting)
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
        _ documents: [Result<NewDocument, APIError>], in library: LibraryRecord, onConflict: ConflictPolicy, _ waiting: Waiting? = nil
    ) throws -> [Result<AddedDocument, APIError>] {
        let database = try database
        // It may have got another model since a stream began. One that is gone is an error of each document.
        let library = (try? database.library(library.id).record) ?? library
        let records = records(of: documents, for: library, waiting ?? briefly)
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
        of documents: [Result<NewDocument, APIError>], for library: LibraryRecord, _ waiting: Waiting
    ) -> [Result<DocumentRecord, APIError>] {
        let withoutVectors = documents.compactMap { try? $0.get() }.filter(\.needsEmbedding)
        var embedded = embeddedChunks(of: withoutVectors[...], for: library, waiting)[...]
        return documents.map { document in
            document.flatMap { document in
                let chunks = document.needsEmbedding ? embedded.removeFirst() : .success(document.chunks.map { $0.record($0.embedding!) })
                return chunks.map { chunks in
                    DocumentRecord(
                        id: document.id ?? .random(), libraryID: library.id, metadata: document.metadata, chunks: chunks, writtenAt: .now())
                }
            }
        }
    }

    /// The chunks of each document, embedded together. Where the model refuses one of the texts, half of the documents at a time, so
    /// that in the end only those fail which have such a text.
    private func embeddedChunks(
        of documents: ArraySlice<NewDocument>, for library: LibraryRecord, _ waiting: Waiting
    ) -> [Result<[ChunkRecord], APIError>] {
        do {
            var records = try records(of: documents.flatMap(\.chunks), for: library, waiting).chunks[...]
            return documents.map { document in
                defer { records.removeFirst(document.chunks.count) }
                return .success(Array(records.prefix(document.chunks.count)))
            }
        } catch {
            guard documents.count > 1, let error = error as? EmbeddingError, error.isAboutTexts else {
                return documents.map { _ in .failure(APIError(error)) }
            }
            let middle = documents.startIndex + documents.count / 2
            return embeddedChunks(of: documents[..<middle], for: library, waiting)
                + embeddedChunks(of: documents[middle...], for: library, waiting)
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
