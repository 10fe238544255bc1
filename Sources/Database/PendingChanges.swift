import DequeModule
import Storage

/// Changes that are in the log's queue and not yet applied. A new change is validated against the state as it will be after them.
///
/// Guarded by the database's write lock.
struct PendingChanges {
    /// A change on its way. Its waiter reads `outcome` after the log said that the change is committed.
    // Sound as Sendable: written once, on the log's thread, before the waiter is woken.
    final class Change: @unchecked Sendable {
        let mutation: Mutation
        let sequence: SequenceNumber
        var outcome = Repository.Outcome.none

        fileprivate init(_ mutation: Mutation, at sequence: SequenceNumber) {
            self.mutation = mutation
            self.sequence = sequence
        }
    }

    /// What an id will stand for; `nil`: nothing.
    struct Entry<Value> {
        let value: Value?
        let sequence: SequenceNumber
        /// Of a document: whether the chunks that it has stay its own, but for those that have entries.
        var keepsChunks = false
    }

    private var queue = Deque<Change>()
    private(set) var libraries: [LibraryID: Entry<Void>] = [:]
    private(set) var documents: [DocumentID: Entry<LibraryID>] = [:]
    private(set) var chunks: [ChunkID: Entry<DocumentID>] = [:]
    /// What will make the vectors of libraries whose successors take their places.
    private(set) var sources: [LibraryID: Entry<EmbeddingSource>] = [:]
    /// What will make those of successors.
    private(set) var successors: [LibraryID: Entry<EmbeddingSource>] = [:]
    /// The last change of a library's index.
    private(set) var indexChanges: [LibraryID: SequenceNumber] = [:]
    private(set) var lastChanges: [LibraryID: SequenceNumber] = [:]
    /// How many documents a library with pending changes will have.
    private(set) var documentCounts: [LibraryID: Int] = [:]

    /// - Parameter documentCount: how many documents the library will have after the change.
    mutating func append(_ mutation: Mutation, at sequence: SequenceNumber, documentCount: Int) -> Change {
        switch mutation {
        case .createLibrary(let record):
            libraries[record.id] = Entry(value: (), sequence: sequence)
        case .updateLibrary(let id, let change, _):
            if !change.indexParameters.isEmpty { indexChanges[id] = sequence }
        case .deleteLibrary(let id):
            libraries[id] = Entry(value: nil, sequence: sequence)
        case .putDocument(let record):
            documents[record.id] = Entry(value: record.libraryID, sequence: sequence)
            for chunk in record.chunks { chunks[chunk.id] = Entry(value: record.id, sequence: sequence) }
        case .updateDocument(let update):
            documents[update.id] = Entry(value: update.libraryID, sequence: sequence, keepsChunks: true)
            for id in update.removed { chunks[id] = Entry(value: nil, sequence: sequence) }
            for chunk in update.put { chunks[chunk.id] = Entry(value: update.id, sequence: sequence) }
        case .deleteDocument(let id, _, _):
            documents[id] = Entry(value: nil, sequence: sequence)
        case .rebuildIndex(let id, _, _):
            indexChanges[id] = sequence
        case .beginReembedding(let id, let source):
            successors[id] = Entry(value: source, sequence: sequence)
        case .stageDocument:
            break
        case .finishReembedding(let id, let source, _):
            successors[id] = Entry(value: nil, sequence: sequence)
            sources[id] = Entry(value: source, sequence: sequence)
        case .cancelReembedding(let id):
            successors[id] = Entry(value: nil, sequence: sequence)
        }
        if mutation.isVisible {
            documentCounts[mutation.libraryID] = documentCount
            lastChanges[mutation.libraryID] = sequence
        }
        let change = Change(mutation, at: sequence)
        queue.append(change)
        return change
    }

    var isEmpty: Bool { queue.isEmpty }

    /// The oldest change, if the log has committed it.
    func first(through sequence: SequenceNumber) -> Change? {
        queue.first.flatMap { $0.sequence <= sequence ? $0 : nil }
    }

    /// Forgets the oldest change, which is applied now. An id that a later change speaks of keeps its entry.
    mutating func removeFirst() {
        let change = queue.removeFirst()
        let library = change.mutation.libraryID
        switch change.mutation {
        case .createLibrary, .deleteLibrary: Self.drop(library, from: &libraries, at: change.sequence)
        case .updateLibrary, .rebuildIndex: if indexChanges[library] == change.sequence { indexChanges[library] = nil }
        case .putDocument(let record):
            Self.drop(record.id, from: &documents, at: change.sequence)
            for chunk in record.chunks { Self.drop(chunk.id, from: &chunks, at: change.sequence) }
        case .updateDocument(let update):
            Self.drop(update.id, from: &documents, at: change.sequence)
            for id in update.removed { Self.drop(id, from: &chunks, at: change.sequence) }
            for chunk in update.put { Self.drop(chunk.id, from: &chunks, at: change.sequence) }
        case .deleteDocument(let id, _, _): Self.drop(id, from: &documents, at: change.sequence)
        case .stageDocument: break
        case .beginReembedding, .finishReembedding, .cancelReembedding:
            Self.drop(library, from: &successors, at: change.sequence)
            Self.drop(library, from: &sources, at: change.sequence)
        }
        if lastChanges[library] == change.sequence {
            lastChanges[library] = nil
            documentCounts[library] = nil
        }
    }

    /// Forgets everything: the log could not write it.
    mutating func removeAll() {
        self = PendingChanges()
    }

    private static func drop<ID: Hashable, Value>(_ id: ID, from entries: inout [ID: Entry<Value>], at sequence: SequenceNumber) {
        if entries[id]?.sequence == sequence { entries[id] = nil }
    }
}
