import Locks
package import Storage

/// What `quire verify` and `POST /v1/admin/verify` found: every file of the data directory, and what is or would be in memory.
package struct Verification: Sendable {
    package private(set) var components: [CheckedComponent] = []

    package var isIntact: Bool { components.allSatisfy { $0.damaged == 0 } }

    /// Reads every file of a directory that nobody uses, and loads what a start would load. Changes nothing. Hold a `DirectoryLock`.
    ///
    /// Files that cannot be read are damaged, whatever the reason: it is among their problems.
    ///
    /// - Throws: what kept the directory from being listed.
    package static func ofDirectory(_ directory: String, fileSystem: any FileSystem = LocalFileSystem()) throws(StorageError)
        -> Verification
    {
        var verification = Verification()
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        verification.components.append(try snapshots.checkCurrent())
        for name in try snapshots.names() {
            verification.components.append(Snapshots.check(name, Result { () throws(StorageError) in try snapshots.open(name) }))
        }
        let log = LogFiles(directory: directory, fileSystem: fileSystem)
        let segments = try log.segments()
        var end: LogFiles.End?
        for name in segments {
            verification.components.append(log.check(name, isLast: name == segments.last, after: &end))
        }
        verification.loadState(directory, fileSystem)
        return verification
    }

    private mutating func loadState(_ directory: String, _ fileSystem: any FileSystem) {
        var component = CheckedComponent("state", .state)
        do throws(StorageError) {
            let state = try StoredState(directory: directory, fileSystem: fileSystem)
            component.count(.records, state.recovery.recordsReplayed)
            component.count(.tornBytes, Int(state.recovery.truncatedBytes))
            for _ in 0..<state.loaded.rebuiltIndexes {
                component.report("an index is damaged, or of another version; a start builds it again")
            }
            for _ in 0..<state.loaded.rebuiltTextIndexes {
                component.report("an index of texts is damaged, or of another version; a start makes it again from the texts")
            }
            components += state.repository.check(as: component)
        } catch {
            component.report("a start would be refused: \(error)")
            components.append(component)
        }
    }
}

extension Database {
    /// Checks the finished files, and that what is in memory agrees with itself, beside searches and changes: these wait for no longer
    /// than it takes to check about a mebibyte of vectors.
    ///
    /// The segment that the log is writing is not read. What a snapshot or a rotation removes meanwhile is left out.
    ///
    /// - Throws: what kept the directory from being listed.
    package func verify() throws(DatabaseError) -> Verification {
        try storing { () throws(StorageError) in
            try Verification(
                components: snapshotComponents() + log.checkFinishedSegments() + repository.check(as: CheckedComponent("state", .state)))
        }
    }

    /// Files are opened while none is removed, and read afterwards: what is open stays readable.
    private func snapshotComponents() throws(StorageError) -> [CheckedComponent] {
        let (current, readers) = try snapshotLock.withLock { () throws(StorageError) in
            let readers = try snapshots.names().map { name in
                (name, Result { () throws(StorageError) in try snapshots.open(name) })
            }
            return (try snapshots.checkCurrent(), readers)
        }
        return [current] + readers.map { Snapshots.check($0, $1) }
    }
}

extension Repository {
    /// Checks every library; their sums are added to `state`, which comes first.
    fileprivate func check(as state: CheckedComponent) -> [CheckedComponent] {
        var state = state
        let libraries = allLibraries
        let checks = libraries.flatMap { LibraryCheck($0, in: self).run() }
        state.count(.libraries, libraries.count)
        for figure in [CheckedComponent.Figure.documents, .chunks, .vectors] {
            state.count(figure, checks.reduce(0) { $0 + ($1.kind == .library ? $1.figure(figure) : 0) })
        }
        return [state] + checks
    }
}
