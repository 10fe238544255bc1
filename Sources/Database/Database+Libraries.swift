import Locks
package import Storage
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
    package let index: IndexStatistics
}

/// A part of a list. `next` continues it and stays valid while the list changes.
package struct Page<Element: Sendable>: Sendable {
    package let elements: [Element]
    package let next: SequenceNumber?
}

extension Database {
    package func createLibrary(
        name: String, description: String?, metric: Metric, dimension: Int, model: String, indexKind: IndexKind
    ) throws(DatabaseError) -> LibraryView {
        precondition((1...Limits.maxDimension).contains(dimension), "checked by the caller")
        let record = LibraryRecord(
            id: .random(), name: name, description: description, metric: metric, dimension: dimension, model: model,
            indexKind: indexKind, createdAt: .now())
        return try commit(.createLibrary(record)).library
    }

    package func library(_ id: LibraryID) throws(DatabaseError) -> LibraryView {
        let library = try existingLibrary(id)
        return library.lock.withReadLock { LibraryView(library) }
    }

    /// Libraries in order of creation.
    package func libraries(after: SequenceNumber?, limit: Int) -> Page<LibraryView> {
        let (page, hasMore) = repository.libraries(after: after, limit: limit)
        let views = page.map { library in library.lock.withReadLock { LibraryView(library) } }
        return Page(elements: views, next: hasMore ? page.last?.createdSequence : nil)
    }

    /// - Parameter expected: if given, the library's last change must be this one.
    package func updateLibrary(
        _ id: LibraryID, _ change: LibraryChange, expecting expected: SequenceNumber? = nil
    ) throws(DatabaseError) -> LibraryView {
        try commit(.updateLibrary(id, change, at: .now()), expecting: expected).library
    }

    /// Deletes the library with all its documents.
    package func deleteLibrary(_ id: LibraryID, expecting expected: SequenceNumber? = nil) throws(DatabaseError) {
        _ = try commit(.deleteLibrary(id), expecting: expected)
    }

    package func statistics(of id: LibraryID) throws(DatabaseError) -> LibraryStatistics {
        let library = try existingLibrary(id)
        return library.lock.withReadLock {
            LibraryStatistics(library: LibraryView(library), vectors: library.vectors.statistics, index: library.index.statistics)
        }
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
