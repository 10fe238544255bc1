import Locks
import Storage
import VectorSearch

/// Everything in memory: the libraries, and where each document and chunk is. Changed only by `apply`, one change at a time.
///
/// Lock order: a library's lock, then `lock`.
// Sound as Sendable: the maps are read and written under `lock`.
final class Repository: @unchecked Sendable {
    /// Guards the maps, for the length of a look-up; what is in a library is guarded by the library's own lock.
    private let lock = ReadWriteLock()
    private var libraries: [LibraryID: Library] = [:]
    /// In order of creation.
    private var libraryOrder: [Library] = []
    private var documents: [DocumentID: Document] = [:]
    private var documentCounts: [LibraryID: Int] = [:]
    /// Libraries that are made anew for vectors of another source; their documents are not in the maps.
    private var successors: [LibraryID: Library] = [:]
    private var chunks: [ChunkID: Document] = [:]
    /// Is told of every change that may be work for it.
    private let builder: IndexBuilder

    init(builder: IndexBuilder) {
        self.builder = builder
    }

    // MARK: Look-ups

    func library(_ id: LibraryID) -> Library? {
        lock.withReadLock { libraries[id] }
    }

    func successor(of id: LibraryID) -> Library? {
        lock.withReadLock { successors[id] }
    }

    /// The libraries that have one.
    var reembeddedLibraries: [LibraryID] { lock.withReadLock { Array(successors.keys) } }

    func document(_ id: DocumentID) -> Document? {
        lock.withReadLock { documents[id] }
    }

    /// As the library has it, without waiting for its searches.
    func documentCount(of id: LibraryID) -> Int {
        lock.withReadLock { documentCounts[id, default: 0] }
    }

    func documentHolding(_ id: ChunkID) -> Document? {
        lock.withReadLock { chunks[id] }
    }

    /// Up to `limit` libraries created after `sequence`, and whether there are more.
    ///
    /// - Parameter ids: if given, there are no others.
    func libraries(
        after sequence: SequenceNumber?, limit: Int, among ids: Set<LibraryID>? = nil
    ) -> (page: [Library], hasMore: Bool) {
        if let ids {
            let rest = lock.withReadLock { ids.compactMap { libraries[$0] } }
                .filter { library in sequence.map { library.createdSequence > $0 } ?? true }
                .sorted { $0.createdSequence < $1.createdSequence }
            return (Array(rest.prefix(limit)), rest.count > limit)
        }
        return lock.withReadLock {
            let start = sequence.map { sequence in libraryOrder.firstPosition { $0.createdSequence > sequence } } ?? 0
            let end = min(libraryOrder.count, start + limit)
            return (Array(libraryOrder[start..<end]), end < libraryOrder.count)
        }
    }

    /// In order of creation.
    var allLibraries: [Library] { lock.withReadLock { libraryOrder } }

    /// Libraries in order of creation, then those that are to succeed some of them.
    var librariesAndSuccessors: (libraries: [Library], successors: [Library]) {
        lock.withReadLock { (libraryOrder, Array(successors.values)) }
    }

    // MARK: Changes

    /// What a change made, for the reply to the one who asked for it.
    enum Outcome {
        case library(LibraryView)
        case document(Document)
        case index(IndexStatus)
        case none
    }

    /// Makes a valid change. It cannot fail: what can fail was checked before the change was written to the log.
    func apply(_ mutation: Mutation, at sequence: SequenceNumber) -> Outcome {
        switch mutation {
        case .createLibrary(let record):
            let library = Library(record, at: sequence)
            lock.withWriteLock {
                libraries[record.id] = library
                libraryOrder.append(library)
            }
            return .library(library.lock.withReadLock { LibraryView(library) })

        case .updateLibrary(let id, let change, let time):
            let library = existing(id)
            defer { if !change.indexParameters.isEmpty { builder.mark(library) } }
            changeSuccessor(of: id) { successor in
                var change = change
                change.fingerprint = nil
                successor.change(change, at: time, sequence)
            }
            return .library(
                library.lock.withWriteLock {
                    library.change(change, at: time, sequence)
                    return LibraryView(library)
                })

        case .deleteLibrary(let id):
            let library = existing(id)
            library.lock.withWriteLock {
                lock.withWriteLock {
                    for document in library.documents { forget(document) }
                    documentCounts[id] = nil
                    libraries[id] = nil
                    libraryOrder.remove(at: libraryOrder.firstPosition { $0.createdSequence >= library.createdSequence })
                }
            }
            builder.forget(library)
            forgetSuccessor(of: id)
            return .none

        case .putDocument(let record):
            let library = existing(record.libraryID)
            let old = document(record.id)
            defer { builder.mark(library) }
            if let old { changeSuccessor(of: record.libraryID) { $0.unstage(old) } }
            return .document(
                library.lock.withWriteLock {
                    let document = library.put(record, replacing: old, at: sequence)
                    lock.withWriteLock {
                        if let old { forget(old) }
                        remember(document)
                        documentCounts[document.libraryID] = library.documents.count
                    }
                    return document
                })

        case .updateDocument(let update):
            let library = existing(update.libraryID)
            guard let old = document(update.id) else { preconditionFailure("a document that does not exist was changed") }
            defer { builder.mark(library) }
            changeSuccessor(of: update.libraryID) { $0.follow(old, update, at: sequence) }
            return .document(
                library.lock.withWriteLock {
                    let document = library.update(old, update, at: sequence)
                    lock.withWriteLock {
                        forget(old)
                        remember(document)
                    }
                    return document
                })

        case .deleteDocument(let id, let libraryID, let time):
            let library = existing(libraryID)
            guard let document = document(id) else { preconditionFailure("a document that does not exist was deleted") }
            changeSuccessor(of: libraryID) { $0.unstage(document) }
            library.lock.withWriteLock {
                library.remove(document, at: time, sequence)
                lock.withWriteLock {
                    forget(document)
                    documentCounts[libraryID] = library.documents.count
                }
            }
            builder.mark(library)
            return .none

        case .rebuildIndex(let id, let index, let time):
            let library = existing(id)
            defer { builder.mark(library) }
            changeSuccessor(of: id) { $0.rebuildIndex(index, at: time, sequence) }
            return .index(
                library.lock.withWriteLock {
                    library.rebuildIndex(index, at: time, sequence)
                    return IndexStatus(library)
                })

        case .beginReembedding(let id, let source):
            let library = existing(id)
            let successor = library.lock.withReadLock { library.makeSuccessor(of: source) }
            lock.withWriteLock { successors[id] = successor }
            return .none

        case .stageDocument(let staged):
            guard let document = document(staged.id) else { preconditionFailure("a document that does not exist was staged") }
            changeSuccessor(of: staged.libraryID) { $0.stage(document, staged.embeddings) }
            return .none

        case .finishReembedding(let id, _, let time):
            let library = existing(id)
            guard let successor = successor(of: id) else { preconditionFailure("a library without a successor was succeeded") }
            // Searches of the library that are under way end before, those that had begun to look for it find it as it was.
            library.lock.withWriteLock {
                successor.lock.withWriteLock {
                    successor.succeed(at: time, sequence)
                    lock.withWriteLock {
                        for document in successor.documents { remember(document) }
                        libraries[id] = successor
                        libraryOrder[libraryOrder.firstPosition { $0.createdSequence >= library.createdSequence }] = successor
                        successors[id] = nil
                    }
                }
            }
            builder.forget(library)
            builder.mark(successor)
            return .library(successor.lock.withReadLock { LibraryView(successor) })

        case .cancelReembedding(let id):
            forgetSuccessor(of: id)
            return .none
        }
    }

    private func forgetSuccessor(of id: LibraryID) {
        if let successor = lock.withWriteLock({ successors.removeValue(forKey: id) }) { builder.forget(successor) }
    }

    private func changeSuccessor(of id: LibraryID, _ change: (Library) -> Void) {
        guard let successor = successor(of: id) else { return }
        successor.lock.withWriteLock { change(successor) }
        builder.mark(successor)
    }

    // MARK: Compaction

    /// Moves some of a library's vectors together. Returns how many documents it changed, and whether there may be more to move; nil
    /// if the library is gone. Nothing is applied meanwhile.
    func compact(_ library: Library, limit: Int) -> (documents: Int, hasMore: Bool)? {
        library.lock.withWriteLock {
            guard self.library(library.id) === library else { return nil }
            let (moved, hasMore) = library.compact(limit: limit)
            lock.withWriteLock {
                for document in moved { remember(document) }
            }
            return (moved.count, hasMore)
        }
    }

    // MARK: Memory

    /// Bytes that indexes will take for the rows they do not have yet.
    var memoryOfIndexesToCome: Int {
        let libraries = lock.withReadLock { libraryOrder + successors.values }
        return libraries.reduce(0) { bytes, library in bytes + library.lock.withReadLock { library.vectors.bytesToCome } }
    }

    /// Bytes that a change takes besides its own: another index that it asks for, less the rows that its library has free.
    func memory(besides mutation: Mutation) -> Int {
        guard let library = library(mutation.libraryID) else { return 0 }
        return library.lock.withReadLock {
            if case .rebuildIndex = mutation { return library.vectors.bytesOfIndex }
            return -library.vectors.store.bytesOfFreeRows
        }
    }

    // MARK: Snapshots

    /// All libraries, in order of creation, each followed by its successor, as they are now; nothing is applied meanwhile. Each is to be
    /// ended.
    func images() -> [LibraryImage] {
        allLibraries.flatMap { library in
            [library, successor(of: library.id)].compactMap(\.self).map { library in
                library.lock.withWriteLock { LibraryImage(library, isSuccessor: self.library(library.id) !== library) }
            }
        }
    }

    /// Takes in the successor of the library that came last.
    ///
    /// - Throws: `malformedPayload` if it is not that, or has a document that the library has not.
    func restore(successor: Library) throws(StorageError) {
        guard let library = allLibraries.last, library.id == successor.id, self.successor(of: library.id) == nil,
            successor.documents.allSatisfy({ document in
                library.stagedVersion(of: document).map { original in
                    original.id == document.id && original.sequence == document.sequence
                        && original.chunks.map(\.id) == document.chunks.map(\.id)
                } ?? false
            })
        else { throw .malformedPayload(offset: 0, reason: "a successor of another library than the one before it") }
        lock.withWriteLock { successors[library.id] = successor }
        builder.mark(successor)
    }

    /// Takes in a library that was created after all that are here, with its documents.
    ///
    /// - Throws: `malformedPayload` if an id is taken or the order is wrong.
    func restore(_ library: Library) throws(StorageError) {
        try lock.withWriteLock { () throws(StorageError) in
            guard libraries[library.id] == nil, libraryOrder.last.map({ $0.createdSequence < library.createdSequence }) ?? true else {
                throw .malformedPayload(offset: 0, reason: "library \(library.id) comes twice, or too late")
            }
            libraries[library.id] = library
            libraryOrder.append(library)
            documentCounts[library.id] = library.documents.count
            documents.reserveCapacity(documents.count + library.documents.count)
            chunks.reserveCapacity(chunks.count + library.chunkCount)
            for document in library.documents {
                guard documents.updateValue(document, forKey: document.id) == nil else {
                    throw .malformedPayload(offset: 0, reason: "document \(document.id) comes twice")
                }
                for chunk in document.chunks {
                    guard chunks.updateValue(document, forKey: chunk.id) == nil else {
                        throw .malformedPayload(offset: 0, reason: "chunk \(chunk.id) comes twice")
                    }
                }
            }
        }
        builder.mark(library)
    }

    private func existing(_ id: LibraryID) -> Library {
        guard let library = library(id) else { preconditionFailure("a library that does not exist was changed") }
        return library
    }

    private func remember(_ document: Document) {
        documents[document.id] = document
        for chunk in document.chunks { chunks[chunk.id] = document }
    }

    private func forget(_ document: Document) {
        documents[document.id] = nil
        for chunk in document.chunks { chunks[chunk.id] = nil }
    }
}
