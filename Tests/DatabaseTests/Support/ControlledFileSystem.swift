import Glibc
import Locks
import Storage

/// The machine's files with a hand on them: syncs can be held, so that changes are certainly pending, and calls can be made to fail.
final class ControlledFileSystem: FileSystem {
    enum Syncs {
        /// Reach the disk.
        case real
        /// Do nothing: for tests that make many changes and lose no power.
        case none
    }

    fileprivate struct State {
        var isHolding = false
        var waitingSyncs = 0
        var writeError: Int32?
        var syncError: Int32?
    }

    fileprivate let state = Shared(State())
    fileprivate let syncs: Syncs
    private let base = LocalFileSystem()

    init(syncs: Syncs = .none) { self.syncs = syncs }

    // MARK: The hand

    /// From here on a sync of data does not return until `releaseSyncs`.
    func holdSyncs() { state.update { $0.isHolding = true } }

    func releaseSyncs() { state.update { $0.isHolding = false } }

    /// Returns when a sync is being held, so a batch of records is in the file and not yet durable.
    func waitUntilSyncIsHeld() { state.wait { $0.waitingSyncs > 0 } }

    /// The next write to a file fails, and no later one.
    func failNextWrite(_ errno: Int32) { state.update { $0.writeError = errno } }

    /// The next sync of data fails, and no later one.
    func failNextSync(_ errno: Int32) { state.update { $0.syncError = errno } }

    // MARK: FileSystem

    func open(_ path: String, for access: FileAccess) throws(StorageError) -> any File {
        ControlledFile(base: try base.open(path, for: access), fileSystem: self)
    }

    func makeDirectory(_ path: String) throws(StorageError) { try base.makeDirectory(path) }
    func list(_ directory: String) throws(StorageError) -> [String] { try base.list(directory) }
    func rename(_ source: String, to destination: String) throws(StorageError) { try base.rename(source, to: destination) }
    func remove(_ path: String) throws(StorageError) { try base.remove(path) }
    func synchronizeDirectory(_ path: String) throws(StorageError) {
        if syncs == .real { try base.synchronizeDirectory(path) }
    }
}

private final class ControlledFile: File {
    private let base: any File
    private let fileSystem: ControlledFileSystem

    init(base: any File, fileSystem: ControlledFileSystem) {
        self.base = base
        self.fileSystem = fileSystem
    }

    var path: String { base.path }
    func size() throws(StorageError) -> UInt64 { try base.size() }
    func truncate(to size: UInt64) throws(StorageError) { try base.truncate(to: size) }
    func close() throws(StorageError) { try base.close() }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try base.read(into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        let planned = fileSystem.state.update { state in
            defer { state.writeError = nil }
            return state.writeError
        }
        if let planned {
            // As a full disk does: a part is written before the call that fails.
            _ = try base.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2)), at: offset)
            throw .ioFailed(operation: "pwrite", path: path, errno: planned)
        }
        return try base.write(bytes, at: offset)
    }

    func synchronizeData() throws(StorageError) {
        fileSystem.state.update { $0.waitingSyncs += 1 }
        let planned = fileSystem.state.wait(until: { !$0.isHolding }) { state in
            state.waitingSyncs -= 1
            defer { state.syncError = nil }
            return state.syncError
        }
        if let planned { throw .ioFailed(operation: "fdatasync", path: path, errno: planned) }
        if fileSystem.syncs == .real { try base.synchronizeData() }
    }

    func synchronize() throws(StorageError) {
        if fileSystem.syncs == .real { try base.synchronize() }
    }
}
