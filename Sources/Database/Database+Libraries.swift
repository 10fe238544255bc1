import Locks
package import Storage
package import TextSearch
package import VectorSearch

/// A library as it is at one moment.
package struct LibraryView: Sendable {
    package let record: LibraryRecord
    package let documentCount: Int
    package let chunkCount: Int
    package let updatedAt: Timestamp
    package let createdSequence: SequenceNumber
    /// The last change of the library or of anything in it.
    package let sequence: SequenceNumber

    /// Under the library's read lock.
    init(_ library: Library) {
        record = library.record
        documentCount = library.documents.count
        chunkCount = library.chunkCount
        updatedAt = library.updatedAt
        createdSequence = library.createdSequence
        sequence = library.sequence
    }
}

package struct LibraryStatistics: Sendable {
    package let library: LibraryView
    package let vectors: VectorStoreStatistics
    package let index: IndexStatus
}

/// How a library's index is.
package struct IndexStatus: Sendable {
    /// What the index that searches use was asked to be; the library's record says what it was asked to become.
    package let configuration: IndexConfiguration
    package let statistics: IndexedStatistics

    /// Under the library's read lock.
    init(_ library: Library) {
        configuration = library.indexInUse
        statistics = library.vectors.statistics
    }
}

/// A part of a list. `next` continues it and stays valid while the list changes.
package struct Page<Element: Sendable>: Sendable {
    package let elements: [Element]
    package let next: SequenceNumber?
}

extension Database {
    package func createLibrary(
        name: String, description: String?, metric: Metric, dimension: Int, model: String, fingerprint: [UInt8]? = nil,
        index: IndexConfiguration = IndexConfiguration(.auto), text: TextOptions = TextOptions(), minimumRecall: Double = 0
    ) throws(DatabaseError) -> LibraryView {
        precondition((1...Limits.maxDimension).contains(dimension), "checked by the caller")
        let record = LibraryRecord(
            id: .random(), name: name, description: description, metric: metric, dimension: dimension, model: model,
            fingerprint: fingerprint, index: index, text: text, minimumRecall: minimumRecall, createdAt: .now())
        return try commit(.createLibrary(record)).library
    }

    package func library(_ id: LibraryID) throws(DatabaseError) -> LibraryView {
        let library = try existingLibrary(id)
        return library.lock.withReadLock { LibraryView(library) }
    }

    /// Libraries in order of creation.
    ///
    /// - Parameter ids: if given, there are no others.
    package func libraries(after: SequenceNumber?, limit: Int, among ids: Set<LibraryID>? = nil) -> Page<LibraryView> {
        let (page, hasMore) = repository.libraries(after: after, limit: limit, among: ids)
        let views = page.map { library in library.lock.withReadLock { LibraryView(library) } }
        return Page(elements: views, next: hasMore ? page.last?.createdSequence : nil)
    }

    /// - Parameter expected: if given, the library's last change must be this one.
    package func updateLibrary(
        _ id: LibraryID, _ change: LibraryChange, expecting expected: SequenceNumber? = nil
    ) throws(DatabaseError) -> LibraryView {
        try commit(.updateLibrary(id, change, at: .now()), expecting: expected) { state throws(DatabaseError) in
            // What is being built would have to begin again.
            guard change.indexParameters.isEmpty || !state.isChangingIndex(of: id) else { throw .indexIsChanging(id) }
        }.library
    }

    /// Has the index built anew beside the one in use, which it replaces when it is complete.
    ///
    /// - Parameter old: what the caller made the new configuration of; somebody else may have changed it since.
    package func rebuildIndex(
        of id: LibraryID, as index: IndexConfiguration, insteadOf old: IndexConfiguration
    ) throws(DatabaseError) -> IndexStatus {
        let outcome = try commit(.rebuildIndex(id, index, at: .now())) { state throws(DatabaseError) in
            guard !state.isChangingIndex(of: id), state.index(of: id) == old else { throw .indexIsChanging(id) }
        }
        guard case .index(let status) = outcome else { preconditionFailure("rebuilding an index gives its status") }
        return status
    }

    package func indexStatus(of id: LibraryID) throws(DatabaseError) -> IndexStatus {
        let library = try existingLibrary(id)
        return library.lock.withReadLock { IndexStatus(library) }
    }

    /// Deletes the library with all its documents.
    package func deleteLibrary(_ id: LibraryID, expecting expected: SequenceNumber? = nil) throws(DatabaseError) {
        _ = try commit(.deleteLibrary(id), expecting: expected)
    }

    package func statistics(of id: LibraryID) throws(DatabaseError) -> LibraryStatistics {
        let library = try existingLibrary(id)
        return library.lock.withReadLock {
            LibraryStatistics(library: LibraryView(library), vectors: library.vectors.store.statistics, index: IndexStatus(library))
        }
    }

    /// Returns when the library's index has nothing left to take in, let go or build; at once if the database is closed.
    package func waitUntilIndexed(_ id: LibraryID) throws(DatabaseError) {
        builder.waitUntilClean(try existingLibrary(id))
    }

    func existingLibrary(_ id: LibraryID) throws(DatabaseError) -> Library {
        guard let library = repository.library(id) else { throw .libraryNotFound(id) }
        return library
    }
}

extension Repository.Outcome {
    fileprivate var library: LibraryView {
        guard case .library(let view) = self else { preconditionFailure("a change of a library makes a library") }
        return view
    }
}
