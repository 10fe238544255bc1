import Locks
package import Storage

extension Database {
    /// What a start loaded besides the log.
    package struct Loaded: Sendable {
        /// The snapshot that the log's records were applied to; nil: there was none, and the log has everything.
        package var snapshot: String?
        /// Snapshots that are not as they were written, renamed to `*.damaged`.
        package var refused: [StorageError] = []
        /// How many libraries build their index again, because the one in the snapshot was damaged or of another version.
        package var rebuiltIndexes = 0
        /// How many libraries made the index of their texts again, for the same reasons.
        package var rebuiltTextIndexes = 0
        /// Of `snapshot`.
        var snapshotInfo: Snapshots.Info?
    }

    /// Writes down everything as it is now, beside searches and changes; only what builds indexes rests meanwhile. Then the log gives up
    /// what no snapshot needs any more. When this returns, the next start loads it.
    ///
    /// One at a time: whoever comes while one is being made waits, and gets another. Without a change since the last, that is the
    /// answer. Changes wait for as long as it takes to note which documents there are and to copy the indexes of texts; cost
    /// besides: one pass over all vectors.
    ///
    /// - Throws: `storage(insufficientSpace)` and `storage(readOnly)` without a trace, and what poisoned the log.
    package func takeSnapshot() throws(DatabaseError) -> Snapshots.Info {
        try withSnapshots { () throws(StorageError) in try writeSnapshot() }
    }

    /// The snapshots that there are, oldest first.
    package func listSnapshots() throws(DatabaseError) -> [Snapshots.Info] {
        try withSnapshots { () throws(StorageError) in try snapshots.list() }
    }

    /// Removes a snapshot that is not the newest. Should the newest be damaged then, there is nothing to stand in for it.
    ///
    /// - Throws: `snapshotNotFound`, `snapshotInUse`.
    package func deleteSnapshot(_ name: String) throws(DatabaseError) {
        let refusal: DatabaseError? = try withSnapshots { () throws(StorageError) in
            let names = try snapshots.list().map(\.name)
            guard names.contains(name) else { return .snapshotNotFound(name: name) }
            guard name != names.last else { return .snapshotInUse(name: name) }
            try snapshots.remove(name)
            return nil
        }
        if let refusal { throw refusal }
    }

    /// The files of a directory with this snapshot and nothing else, to be read at any time.
    ///
    /// - Throws: `snapshotNotFound`.
    package func copySnapshot(_ name: String) throws(DatabaseError) -> SnapshotCopy {
        let copy: SnapshotCopy? = try withSnapshots { () throws(StorageError) in
            guard try snapshots.list().contains(where: { $0.name == name }) else { return nil }
            return try snapshots.copy(of: name)
        }
        guard let copy else { throw .snapshotNotFound(name: name) }
        return copy
    }

    /// Runs `body` while nobody else has to do with snapshots. A sync that fails here stops the log too: the names in the directory are
    /// synced together, and its own may be among those that are lost.
    func withSnapshots<Result>(_ body: () throws(StorageError) -> Result) throws(DatabaseError) -> Result {
        do {
            return try snapshotLock.withLock { () throws(StorageError) in try body() }
        } catch {
            if error.isFailedSync { log.poison(error) }
            throw .storage(error)
        }
    }

    func writeSnapshot() throws(StorageError) -> Snapshots.Info {
        try snapshotMeter.measuring { () throws(StorageError) in try writeSnapshotIfNeeded() }
    }

    /// The snapshot, and whether it was there already.
    private func writeSnapshotIfNeeded() throws(StorageError) -> (info: Snapshots.Info, isNew: Bool) {
        if let last = try snapshots.list().last, last.sequence == applyLock.withLock({ appliedSequence }), last.sequence > .zero {
            return (last, false)
        }
        builder.pause()
        defer { builder.resume() }
        let (sequence, images) = applyLock.withLock {
            growth.snapshotBegins()
            return (appliedSequence, repository.images())
        }
        defer { for image in images { image.end() } }
        // Ends the segment, so that it can go one day; and what is in it is on disk then, which a start relies on.
        try log.rotate()
        let info = try snapshots.write(sequence, of: log.databaseID, madeAt: Timestamp.now().milliseconds) {
            (writer) throws(StorageError) in
            for image in images { try SnapshotCoding.write(image, to: &writer) }
        }
        if let oldest = try snapshots.removeOld() { _ = try log.removeSegments(through: oldest) }
        return (info, true)
    }

    /// The first of `candidates` that is as it was written, loaded; the others that were tried are in `loaded`.
    static func loadSnapshot(
        _ snapshots: Snapshots, _ candidates: [String], _ builder: IndexBuilder, _ loaded: inout Loaded
    ) throws(StorageError) -> (repository: Repository, sequence: SequenceNumber, databaseID: DatabaseID)? {
        for name in candidates {
            let repository = Repository(builder: builder)
            do throws(StorageError) {
                let reader = try snapshots.open(name)
                var loader = SnapshotLoader(reader, into: repository)
                try loader.load()
                loaded.snapshot = name
                loaded.snapshotInfo = Snapshots.Info(
                    name: name, sequence: reader.sequence, bytes: reader.size, madeAt: reader.madeAt)
                loaded.rebuiltIndexes = loader.rebuiltIndexes
                loaded.rebuiltTextIndexes = loader.rebuiltTextIndexes
                return (repository, reader.sequence, reader.databaseID)
            } catch .damagedSnapshot(let file, let offset, let reason) {
                // The one before it and the log say the same, if both are there: the log will tell.
                loaded.refused.append(.damagedSnapshot(file: file, offset: offset, reason: reason))
                builder.forgetAll()
            }
        }
        return nil
    }
}
