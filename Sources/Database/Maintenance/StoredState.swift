import Storage

/// What a start would load, without one: no file is changed and nothing is built. Hold a `DirectoryLock`.
struct StoredState {
    let repository: Repository
    let loaded: Database.Loaded
    let recovery: RecoveryReport

    /// - Throws: what a start would be refused with.
    init(directory: String, fileSystem: any FileSystem) throws(StorageError) {
        let builder = IndexBuilder(threads: 0)
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        var loaded = Database.Loaded()
        let snapshot = try Database.loadSnapshot(snapshots, snapshots.candidates(), builder, &loaded)
        let repository = snapshot?.repository ?? Repository(builder: builder)
        do {
            recovery = try LogFiles(directory: directory, fileSystem: fileSystem).read(
                after: snapshot?.sequence ?? .zero, expectedDatabaseID: snapshot?.databaseID
            ) { try Database.replay($0, into: repository) }
        } catch {
            guard let error = error as? StorageError else { preconditionFailure("storage fails with its own errors: \(error)") }
            // As in a start: without the snapshots that were refused the log alone has to have everything.
            throw error.category == .dataRefused ? loaded.refused.first ?? error : error
        }
        self.repository = repository
        self.loaded = loaded
    }
}
