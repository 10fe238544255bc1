package import Storage

/// Makes a data directory that a start refuses one that opens, and says exactly what is given up for it.
///
/// Planned first, which changes nothing, and carried out then. Hold a `DirectoryLock` over both.
package struct Repair {
    /// Why a start is refused.
    package let refusal: StorageError
    /// The snapshot that everything is built upon; nil: there is none that is whole.
    package let snapshot: String?
    /// How many records behind the snapshot could be applied.
    package let applied: Int
    /// The state after this record is what will be there. The numbers of records that are given up are not given again.
    package let lastSequence: SequenceNumber
    package let libraries: Int
    package let documents: Int
    /// What is lost, in the order of the log.
    package let givenUp: [GivenUp]

    private let salvage: Salvage
    private let directory: String
    private let fileSystem: any FileSystem

    /// Nil if a start would open the directory: then there is nothing to repair.
    ///
    /// - Throws: `unsupportedFormat` and `unsupportedRecord`, for what a later version wrote is not damaged; `ioFailed`.
    package init?(directory: String, fileSystem: any FileSystem = LocalFileSystem()) throws(StorageError) {
        do {
            _ = try StoredState(directory: directory, fileSystem: fileSystem)
            return nil
        } catch {
            guard error.category == .dataRefused else { throw error }
            if case .unsupportedFormat = error { throw error }
            refusal = error
        }
        let salvage = try Salvage(directory: directory, fileSystem: fileSystem)
        self.salvage = salvage
        self.directory = directory
        self.fileSystem = fileSystem
        snapshot = salvage.snapshot
        applied = salvage.applied
        givenUp = salvage.givenUp
        // A log begins with record 1; where nothing is left, it counts as given.
        lastSequence = max(salvage.lastSequence, SequenceNumber.zero.next)
        let all = salvage.repository.allLibraries
        libraries = all.count
        documents = all.reduce(0) { $0 + salvage.repository.documentCount(of: $1.id) }
    }

    /// Copies the directory to `backup`, which must not exist, then writes what was salvaged: a snapshot, and a new segment of the log
    /// that follows it. The damaged files are removed at last.
    ///
    /// A crash at any point leaves a directory that is refused as before, or one that opens with what was salvaged; the repair can be
    /// made again either way.
    ///
    /// - Returns: the names of what is no file and was not copied, such as directories; they stay where they are.
    /// - Throws: `ioFailed`, `insufficientSpace`; before the copy is complete nothing is changed.
    package func carryOut(backup: String) throws(StorageError) -> [String] {
        let left = try fileSystem.copyDirectory(directory, to: backup)
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        let log = LogFiles(directory: directory, fileSystem: fileSystem)
        let databaseID = salvage.databaseID ?? .random()
        let oldSegments = try log.segments()

        // With the snapshot alone, a start is refused as long as it needs a segment that is damaged; it needs none with the segment.
        let written = try snapshots.write(lastSequence, of: databaseID, madeAt: Timestamp.now().milliseconds) {
            (writer) throws(StorageError) in
            let images = salvage.repository.images()
            defer { for image in images { image.end() } }
            for image in images { try SnapshotCoding.write(image, to: &writer) }
        }
        try log.beginAnew(after: lastSequence, of: databaseID)

        // All of it is in the backup, and nothing that a start looks at any more.
        let oldSnapshots = try snapshots.names().filter { $0 != written.name }
        for name in oldSegments + oldSnapshots { try fileSystem.remove("\(directory)/\(name)") }
        try fileSystem.synchronizeDirectory(directory)
        return left
    }
}
