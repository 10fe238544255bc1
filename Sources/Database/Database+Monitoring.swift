import Locks
package import Storage
import TextSearch
package import VectorSearch

/// A library for whoever watches many of them.
package struct LibraryFigures: Sendable {
    package let id: LibraryID
    package let model: String
    package let documents: Int
    package let chunks: Int
    /// What its index was asked to be, and is.
    package let index: IndexedStatistics
    /// Rows that deletions left and that new vectors will take.
    package let freeRows: Int
    /// Bytes of memory.
    package let vectorBytes: Int
    package let textIndexBytes: Int
    /// Of documents and chunks with their fields, but for texts and vectors.
    package let documentBytes: Int
    package let textBytes: Int
    /// What filters look into.
    package let columnBytes: Int
    /// How long the index has been at work without a break; nil: it has nothing to do.
    package let busyFor: Duration?
    /// How many of the nearest its searches find; nil: all, or nobody has searched enough to say.
    package let recall: RecallEstimate?
    /// What its searches are to find at least, and what they do for that; 0: whatever they find.
    package let minimumRecall: Double
    package let effort: SearchEffort
    /// How often they were made to do more.
    package let effortRaises: Int
}

/// All libraries at about one moment.
package struct LibrariesFigures: Sendable {
    /// In order of creation.
    package let libraries: [LibraryFigures]
    /// Those that are made anew for another model, and that nobody sees yet.
    package let successors: [LibraryFigures]

    /// Those and these: for sums of memory.
    package var all: [LibraryFigures] { libraries + successors }
}

extension Database {
    /// A look at every library, each under its read lock for some microseconds: not for every request.
    package func figures() -> LibrariesFigures {
        let (libraries, successors) = repository.librariesAndSuccessors
        let busySince = builder.busySince
        let now = ContinuousClock.now
        func figures(_ library: Library) -> LibraryFigures {
            library.lock.withReadLock {
                let store = library.vectors.store.statistics
                let guarding = library.recall.guarding
                return LibraryFigures(
                    id: library.id, model: library.record.model, documents: library.documents.count, chunks: library.chunkCount,
                    index: library.vectors.statistics, freeRows: store.freeRows, vectorBytes: store.bytes,
                    textIndexBytes: library.texts.sizeInBytes,
                    documentBytes: library.documentBytes + library.chunkTable.sizeInBytes, textBytes: library.textBytes,
                    columnBytes: library.fields.sizeInBytes,
                    busyFor: busySince[ObjectIdentifier(library)].map { max(.zero, now - $0) }, recall: library.recall.estimate,
                    minimumRecall: library.record.minimumRecall, effort: guarding.effort, effortRaises: guarding.raises)
            }
        }
        return LibrariesFigures(libraries: libraries.map(figures), successors: successors.map(figures))
    }

    /// How many libraries have an index at work. Cheap.
    package var librariesWithIndexWork: Int { builder.busyCount }

    package var logStatistics: LogStatistics { log.statistics }

    package var snapshotStatistics: SnapshotStatistics {
        var statistics = snapshotMeter.statistics
        (statistics.growth, statistics.growthLimit) = growth.state
        return statistics
    }

    /// What there is of memory and disk. Cost: two calls of the system.
    ///
    /// - Throws: `storage`, where the disk cannot be asked.
    package func resources() throws(DatabaseError) -> Resources { try admission.resources() }
}
