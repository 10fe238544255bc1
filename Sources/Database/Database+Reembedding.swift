import Locks
package import Storage
import VectorSearch

/// How far a library is on its way to vectors of another source.
package struct ReembeddingProgress: Sendable, Equatable {
    /// What makes the new vectors.
    package let source: EmbeddingSource
    /// That have new vectors, of
    package let documentsDone: Int
    /// all that the library has.
    package let documents: Int
}

/// A library gets vectors of another source in steps, each of which is durable: it gets a successor, this gets one document after another,
/// and takes the library's place when it has them all. The library is searched and changed as ever meanwhile. Who makes the vectors is
/// none of the database's business.
extension Database {
    /// - Throws: `libraryNotFound`, `reembeddingIsRunning`.
    package func beginReembedding(of id: LibraryID, as source: EmbeddingSource) throws(DatabaseError) {
        precondition((1...Limits.maxDimension).contains(source.dimension), "checked by the caller")
        _ = try commit(.beginReembedding(id, source))
    }

    /// The libraries that have a successor.
    package var reembeddedLibraries: [LibraryID] { repository.reembeddedLibraries }

    /// Nil if no vectors are being made for the library.
    package func reembeddingProgress(of id: LibraryID) throws(DatabaseError) -> ReembeddingProgress? {
        let library = try existingLibrary(id)
        guard let successor = repository.successor(of: id) else { return nil }
        return library.lock.withReadLock {
            successor.lock.withReadLock {
                ReembeddingProgress(
                    source: successor.source, documentsDone: successor.documents.count, documents: library.documents.count)
            }
        }
    }

    /// Documents that have no new vectors yet, in order of creation: so many that they have `chunkLimit` chunks together, or all.
    ///
    /// - Parameter after: those created before and then are left out.
    /// - Throws: `libraryNotFound`, `noReembedding`.
    package func unstagedDocuments(
        of id: LibraryID, after: SequenceNumber, chunkLimit: Int
    ) throws(DatabaseError) -> [Document] {
        let library = try existingLibrary(id)
        guard let successor = repository.successor(of: id) else { throw .noReembedding(id) }
        return library.lock.withReadLock {
            successor.lock.withReadLock {
                var staged = successor.documents[successor.position(after: after)...]
                var unstaged: [Document] = []
                var chunks = 0
                for document in library.documents[library.position(after: after)...] {
                    if staged.first?.createdSequence == document.createdSequence {
                        staged.removeFirst()
                        continue
                    }
                    unstaged.append(document)
                    chunks += document.chunks.count
                    if chunks >= chunkLimit { break }
                }
                return unstaged
            }
        }
    }

    /// Gives documents their new vectors, one for each chunk. Those that are gone or have changed since they were read are left out.
    ///
    /// - Parameter source: what made the vectors.
    /// - Throws: `noReembedding`, also if other vectors are wanted by now; `invalidVector`; and what keeps them from being stored.
    package func stage(
        _ documents: [(document: Document, embeddings: [[Float]])], by source: EmbeddingSource
    ) throws(DatabaseError) {
        let changes = documents.map { document, embeddings -> (mutation: Mutation, expected: SequenceNumber?) in
            let staged = StagedDocument(id: document.id, libraryID: document.libraryID, embeddings: embeddings)
            return (.stageDocument(staged), document.sequence)
        }
        let outcomes = commitEach(changes) { state, mutation throws(DatabaseError) in
            guard state.successorSource(of: mutation.libraryID) == source else { throw .noReembedding(mutation.libraryID) }
        }
        for outcome in outcomes {
            switch outcome {
            case .success, .failure(.changedSince), .failure(.documentNotFound): continue
            case .failure(let error): throw error
            }
        }
    }

    /// Puts the new vectors in the place of the old ones, all at one moment. False if not all documents have theirs, or one came or changed
    /// just now.
    ///
    /// - Throws: `libraryNotFound`, `noReembedding`.
    package func finishReembedding(of id: LibraryID) throws(DatabaseError) -> Bool {
        let library = try existingLibrary(id)
        guard let successor = repository.successor(of: id) else { throw .noReembedding(id) }
        let sequence = library.lock.withReadLock { library.sequence }
        do throws(DatabaseError) {
            _ = try commit(.finishReembedding(id, successor.source, at: .now()), expecting: sequence)
            return true
        } catch .changedSince, .reembeddingIncomplete {
            return false
        }
    }

    /// Gives up the new vectors; the library stays as it is.
    ///
    /// - Throws: `libraryNotFound`, `noReembedding`.
    package func cancelReembedding(of id: LibraryID) throws(DatabaseError) {
        _ = try existingLibrary(id)
        _ = try commit(.cancelReembedding(id))
    }

    /// Has changes of a library wait while `body` runs, but not for ever: so it can catch up with them.
    package func holdingChanges<Result>(of id: LibraryID, _ body: () throws -> Result) rethrows -> Result {
        changeGate.close(id)
        defer { changeGate.open(id) }
        return try body()
    }

    /// The share of the ten nearest chunks, by the vectors that there are, that are among the ten nearest by the new ones: the mean over
    /// chunks that both have, evenly spaced in order of creation. Nil if there are not two.
    ///
    /// - Throws: `libraryNotFound`, `noReembedding`.
    package func overlapOfReembedding(of id: LibraryID, sample: Int) throws(DatabaseError) -> Double? {
        let library = try existingLibrary(id)
        guard let successor = repository.successor(of: id) else { throw .noReembedding(id) }
        let staged = successor.lock.withReadLock { successor.documents }
        var overlaps: [Double] = []
        for number in 0..<min(sample, staged.count) {
            // One at a time: nobody waits for long.
            let overlap = library.lock.withReadLock {
                successor.lock.withReadLock { Self.overlap(around: staged[number * staged.count / sample], library, successor) }
            }
            if let overlap { overlaps.append(overlap) }
        }
        return overlaps.isEmpty ? nil : overlaps.reduce(0, +) / Double(overlaps.count)
    }

    private static func overlap(around document: Document, _ library: Library, _ successor: Library) -> Double? {
        guard successor.contains(document), let original = library.stagedVersion(of: document), let old = original.chunks.first,
            let new = document.chunks.first
        else { return nil }
        let before = neighbors(of: old, in: library)
        let after = neighbors(of: new, in: successor)
        let count = min(before.count, after.count)
        return count == 0 ? nil : Double(before.intersection(after).count) / Double(count)
    }

    private static func neighbors(of chunk: Chunk, in library: Library) -> Set<ChunkID> {
        var search = LibrarySearch(
            library, SearchQuery(vector: library.vectors.store.copyVector(chunk.row), count: 11), eligible: nil)
        return Set(search.run().hits.map(\.chunk.id).filter { $0 != chunk.id }.prefix(10))
    }
}
