import Locks
import Storage
import VectorSearch

/// What a change is validated against: the state as it is, or as it will be.
protocol ValidationState {
    func hasLibrary(_ id: LibraryID) -> Bool
    func library(of id: DocumentID) -> LibraryID?
    func document(holding id: ChunkID) -> DocumentID?
    /// What makes a library's vectors.
    func source(of id: LibraryID) -> EmbeddingSource?
    /// What makes the vectors of its successor, if there is one.
    func successorSource(of id: LibraryID) -> EmbeddingSource?
    /// Whether the library's successor has all of its documents.
    func isFullyStaged(_ id: LibraryID) -> Bool
    func chunkCount(of id: DocumentID) -> Int?
    /// What the index of a library was asked to be.
    func index(of id: LibraryID) -> IndexConfiguration?
}

extension Mutation {
    /// Checks the vectors, which concern nothing but the library they are for. That it has other ones by the time of the change is found
    /// by `validate`.
    func validateVectors(in repository: Repository) throws(DatabaseError) {
        if case .stageDocument(let staged) = self {
            guard let successor = repository.successor(of: staged.libraryID) else { throw .noReembedding(staged.libraryID) }
            for (index, embedding) in staged.embeddings.enumerated() {
                if let problem = VectorStore.validate(embedding.span, metric: successor.metric, dimension: successor.dimension) {
                    throw .invalidVector(problem, chunk: index)
                }
            }
        }
        let chunks = newChunks
        guard !chunks.isEmpty else { return }
        guard let library = repository.library(libraryID) else { throw .libraryNotFound(libraryID) }
        for (index, chunk) in chunks.enumerated() {
            if let problem = VectorStore.validate(chunk.embedding.span, metric: library.metric, dimension: library.dimension) {
                throw .invalidVector(problem, chunk: index)
            }
        }
    }

    /// Checks everything else that could make the change impossible, so that applying it cannot fail.
    func validate(against state: some ValidationState) throws(DatabaseError) {
        switch self {
        case .createLibrary(let record):
            guard !state.hasLibrary(record.id) else { throw .libraryExists(record.id) }
        case .updateLibrary(let id, let change, _):
            guard state.hasLibrary(id) else { throw .libraryNotFound(id) }
            guard !change.indexParameters.isEmpty else { return }
            guard let kind = state.index(of: id)?.kind else { throw .libraryNotFound(id) }
            for parameter in IndexParameter.allCases where change.indexParameters[parameter] != nil {
                guard kind.parameters.contains(parameter) else { throw .unknownIndexParameter(parameter, of: kind) }
            }
        case .deleteLibrary(let id), .rebuildIndex(let id, _, _):
            guard state.hasLibrary(id) else { throw .libraryNotFound(id) }
        case .putDocument(let record):
            try record.validate(against: state)
        case .updateDocument(let update):
            try update.validate(against: state)
        case .deleteDocument(let id, let libraryID, _):
            guard state.library(of: id) == libraryID else { throw .documentNotFound(id) }
        case .beginReembedding(let id, _):
            guard state.hasLibrary(id) else { throw .libraryNotFound(id) }
            guard state.successorSource(of: id) == nil else { throw .reembeddingIsRunning(id) }
        case .stageDocument(let staged):
            guard state.library(of: staged.id) == staged.libraryID else { throw .documentNotFound(staged.id) }
            guard let source = state.successorSource(of: staged.libraryID),
                staged.embeddings.allSatisfy({ $0.count == source.dimension }), state.chunkCount(of: staged.id) == staged.embeddings.count
            else { throw .noReembedding(staged.libraryID) }
        case .finishReembedding(let id, let source, _):
            guard state.hasLibrary(id) else { throw .libraryNotFound(id) }
            guard state.successorSource(of: id) == source else { throw .noReembedding(id) }
            guard state.isFullyStaged(id) else { throw .reembeddingIncomplete(id) }
        case .cancelReembedding(let id):
            guard state.successorSource(of: id) != nil else { throw .noReembedding(id) }
        }
    }
}

extension DocumentRecord {
    fileprivate func validate(against state: some ValidationState) throws(DatabaseError) {
        guard state.hasLibrary(libraryID) else { throw .libraryNotFound(libraryID) }
        if let owner = state.library(of: id), owner != libraryID { throw .documentExists(id) }
        // A chunk of the version that is replaced may keep its id.
        try chunks.validate(in: id, of: libraryID, against: state)
    }
}

extension DocumentUpdate {
    fileprivate func validate(against state: some ValidationState) throws(DatabaseError) {
        guard state.library(of: id) == libraryID else { throw .documentNotFound(id) }
        try put.validate(in: id, of: libraryID, against: state)
        var seen = Set(put.map(\.id))
        for chunk in removed {
            guard seen.insert(chunk).inserted else { throw .repeatedChunk(chunk) }
            guard state.document(holding: chunk) == id else { throw .chunkNotFound(chunk) }
        }
    }
}

extension [ChunkRecord] {
    /// Their ids are their own, and those of no other document, and their vectors are still such as the library has.
    fileprivate func validate(
        in document: DocumentID, of library: LibraryID, against state: some ValidationState
    ) throws(DatabaseError) {
        guard let dimension = state.source(of: library)?.dimension else { throw .libraryNotFound(library) }
        if let index = firstIndex(where: { $0.embedding.count != dimension }) {
            throw .invalidVector(.dimensionMismatch(expected: dimension, actual: self[index].embedding.count), chunk: index)
        }
        var seen: Set<ChunkID> = []
        seen.reserveCapacity(count)
        for chunk in self {
            guard seen.insert(chunk.id).inserted else { throw .repeatedChunk(chunk.id) }
            if let holder = state.document(holding: chunk.id), holder != document { throw .chunkExists(chunk.id) }
        }
    }
}

/// The state with all that is applied and nothing else: what replay validates against.
struct CurrentState: ValidationState {
    let repository: Repository

    func hasLibrary(_ id: LibraryID) -> Bool { repository.library(id) != nil }

    func library(of id: DocumentID) -> LibraryID? { repository.document(id)?.libraryID }

    func document(holding id: ChunkID) -> DocumentID? { repository.documentHolding(id)?.id }

    func source(of id: LibraryID) -> EmbeddingSource? { repository.library(id)?.source }

    func successorSource(of id: LibraryID) -> EmbeddingSource? { repository.successor(of: id)?.source }

    func isFullyStaged(_ id: LibraryID) -> Bool {
        repository.successor(of: id).map { successor in
            successor.lock.withReadLock { successor.documents.count } == repository.documentCount(of: id)
        } ?? false
    }

    func chunkCount(of id: DocumentID) -> Int? { repository.document(id)?.chunks.count }

    func index(of id: LibraryID) -> IndexConfiguration? {
        repository.library(id).map { library in library.lock.withReadLock { library.record.index } }
    }
}

/// The state as it will be when everything in flight is applied: what new changes are validated against.
struct StateToCome: ValidationState {
    let repository: Repository
    let pending: PendingChanges

    private var current: CurrentState { CurrentState(repository: repository) }

    func hasLibrary(_ id: LibraryID) -> Bool {
        if let entry = pending.libraries[id] { entry.value != nil } else { current.hasLibrary(id) }
    }

    func library(of id: DocumentID) -> LibraryID? {
        let owner = if let entry = pending.documents[id] { entry.value } else { current.library(of: id) }
        // Documents go with their library.
        guard let owner, hasLibrary(owner) else { return nil }
        return owner
    }

    func document(holding id: ChunkID) -> DocumentID? {
        if let entry = pending.chunks[id] {
            // Only while the version that brought the chunk is the last word on its document.
            guard let document = entry.value, pending.documents[document]?.sequence == entry.sequence else { return nil }
            return library(of: document) == nil ? nil : document
        }
        guard let document = current.document(holding: id), pending.documents[document]?.keepsChunks ?? true else { return nil }
        return library(of: document) == nil ? nil : document
    }

    func source(of id: LibraryID) -> EmbeddingSource? { pending.sources[id]?.value ?? current.source(of: id) }

    func successorSource(of id: LibraryID) -> EmbeddingSource? {
        if let entry = pending.successors[id] { entry.value } else { current.successorSource(of: id) }
    }

    /// Not before all that is in flight is applied, which concerns the library.
    func isFullyStaged(_ id: LibraryID) -> Bool { pending.lastChanges[id] == nil && current.isFullyStaged(id) }

    /// Of the version that there is: who speaks of its chunks names it.
    func chunkCount(of id: DocumentID) -> Int? { current.chunkCount(of: id) }

    /// As it is: who changes it asks first whether it is changing.
    func index(of id: LibraryID) -> IndexConfiguration? { current.index(of: id) }

    /// Whether a change of the library's index is in flight, or an index that was asked for is not yet built.
    func isChangingIndex(of id: LibraryID) -> Bool {
        if pending.indexChanges[id] != nil { return true }
        return repository.library(id).map { library in library.lock.withReadLock { library.vectors.isRebuilding } } ?? false
    }

    func documentCount(of id: LibraryID) -> Int { pending.documentCounts[id] ?? repository.documentCount(of: id) }

    /// The last change of the object that a mutation changes; `nil` if there is no such object.
    func lastChange(of mutation: Mutation) -> SequenceNumber? {
        switch mutation {
        case .createLibrary:
            return nil
        case .putDocument(let record):
            return lastChange(of: record.id)
        case .updateDocument(let update):
            return lastChange(of: update.id)
        case .updateLibrary(let id, _, _), .deleteLibrary(let id), .rebuildIndex(let id, _, _), .beginReembedding(let id, _),
            .finishReembedding(let id, _, _), .cancelReembedding(let id):
            guard hasLibrary(id) else { return nil }
            if let sequence = pending.lastChanges[id] { return sequence }
            return repository.library(id).map { library in library.lock.withReadLock { library.sequence } }
        case .deleteDocument(let id, _, _):
            return lastChange(of: id)
        case .stageDocument(let staged):
            return lastChange(of: staged.id)
        }
    }

    private func lastChange(of id: DocumentID) -> SequenceNumber? {
        guard library(of: id) != nil else { return nil }
        return pending.documents[id]?.sequence ?? repository.document(id)?.sequence
    }
}
