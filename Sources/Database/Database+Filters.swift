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
            return MatchCount(
                documents: library.documents(holdingAny: slots, after: nil).reduce(0) { count, _ in count + 1 }, chunks: slots.count)
        }
    }

    /// Documents of which a chunk passes the filter, in order of creation. Cost: the filter, and a look at every document up to the last
    /// one given.
    package func documents(
        in id: LibraryID, passing filter: Filter, after: SequenceNumber?, limit: Int
    ) throws(DatabaseError) -> Page<Document> {
        let library = try existingLibrary(id)
        return library.lock.withReadLock {
            var found = library.documents(holdingAny: slots(passing: filter, in: library), after: after).makeIterator()
            var page: [Document] = []
            while page.count < limit, let document = found.next() { page.append(document) }
            return Page(elements: page, next: found.next() == nil ? nil : page.last?.createdSequence)
        }
    }

    /// Deletes the documents of which a chunk passes the filter now. Each goes whole; one that is changed meanwhile, so that it may not
    /// pass any more, stays.
    ///
    /// - Returns: how many went.
    package func deleteDocuments(in id: LibraryID, passing filter: Filter) throws(DatabaseError) -> Int {
        let library = try existingLibrary(id)
        let found = library.lock.withReadLock {
            library.documents(holdingAny: slots(passing: filter, in: library), after: nil).map { ($0.id, $0.sequence) }
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
    /// The documents of which a chunk has one of the slots, in order of creation.
    fileprivate func documents(holdingAny slots: SlotSet, after: SequenceNumber?) -> some Sequence<Document> {
        let start = after.map { position(after: $0) } ?? 0
        return documents[start...].lazy.filter { document in document.chunks.contains { slots.contains($0.slot.rawValue) } }
    }
}
