import Locks
package import Storage
import TextSearch

/// How much of a library a filter lets through.
package struct MatchCount: Sendable, Equatable {
    /// Those of which a chunk passes.
    package let documents: Int
    package let chunks: Int
}

extension Database {
    package func count(in id: LibraryID, passing filter: Filter?) throws(DatabaseError) -> MatchCount {
        let library = try existingLibrary(id)
        return library.lock.withReadLock {
            guard let filter else { return MatchCount(documents: library.documents.count, chunks: library.chunkCount) }
            let slots = slots(passing: filter, in: library)
            return MatchCount(documents: library.chunkTable.documentCount(of: slots), chunks: slots.count)
        }
    }

    /// Documents of which a chunk passes the filter, in order of creation. Cost: the filter, and a look at the chunks that pass, or at
    /// every document up to the last one given.
    package func documents(
        in id: LibraryID, passing filter: Filter, after: SequenceNumber?, limit: Int
    ) throws(DatabaseError) -> Page<Document> {
        let library = try existingLibrary(id)
        return library.lock.withReadLock {
            let found = library.documents(holdingAny: slots(passing: filter, in: library), after: after, limit: limit + 1)
            let page = Array(found.prefix(limit))
            return Page(elements: page, next: found.count > limit ? page.last?.createdSequence : nil)
        }
    }

    /// Deletes the documents of which a chunk passes the filter now. Each goes whole; one that is changed meanwhile, so that it may not
    /// pass any more, stays.
    ///
    /// - Returns: how many went.
    package func deleteDocuments(in id: LibraryID, passing filter: Filter) throws(DatabaseError) -> Int {
        let library = try existingLibrary(id)
        let found = library.lock.withReadLock {
            library.documents(holdingAny: slots(passing: filter, in: library), after: nil, limit: .max).map { ($0.id, $0.sequence) }
        }
        return try deleteDocuments(found, in: id)
    }

    /// Deletes those of the documents that are in the library.
    ///
    /// - Returns: how many went.
    package func deleteDocuments(_ ids: [DocumentID], in id: LibraryID) throws(DatabaseError) -> Int {
        _ = try existingLibrary(id)
        return try deleteDocuments(ids.map { ($0, nil) }, in: id)
    }

    private func deleteDocuments(_ documents: [(DocumentID, SequenceNumber?)], in id: LibraryID) throws(DatabaseError) -> Int {
        var deleted = 0
        var rest = documents[...]
        while !rest.isEmpty {
            let changes = rest.prefix(Self.deletionsAtOnce).map { document, sequence in
                (mutation: Mutation.deleteDocument(document, in: id, at: .now()), expected: sequence)
            }
            rest = rest.dropFirst(changes.count)
            for result in commitEach(changes) {
                switch result {
                case .success: deleted += 1
                case .failure(.documentNotFound), .failure(.changedSince): break
                case .failure(let error): throw error
                }
            }
        }
        return deleted
    }

    /// So many wait for the log together.
    private static let deletionsAtOnce = 512

    /// Under the library's read lock.
    func slots(passing filter: Filter, in library: Library) -> SlotSet {
        library.slots(passing: filter) { repository.document($0) }
    }
}

extension Library {
    /// The first documents of which a chunk has one of the slots, in order of creation.
    fileprivate func documents(holdingAny slots: SlotSet, after: SequenceNumber?, limit: Int) -> [Document] {
        let start = after.map { position(after: $0) } ?? 0
        // Few are found by their chunks and put in order, many by going through all.
        guard slots.count < (documents.count - start) / Self.fewSlots else {
            let found = documents[start...].lazy.filter { document in document.chunks.contains { slots.contains($0.slot.rawValue) } }
            return Array(found.prefix(limit))
        }
        var found: [ObjectIdentifier: Document] = [:]
        slots.forEach { slot in
            let document = chunkTable.holder(of: Slot(slot)).document
            if document.createdSequence > after ?? .zero { found[ObjectIdentifier(document)] = document }
        }
        return Array(found.values.sorted { $0.createdSequence < $1.createdSequence }.prefix(limit))
    }

    private static let fewSlots = 8
}
