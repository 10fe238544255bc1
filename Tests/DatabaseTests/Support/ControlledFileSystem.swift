import Glibc
import Locks
import Storage
import TestSupport

/// The machine's files with a hand on them: syncs can be held, so that changes are certainly pending, and calls can be made to fail.
/// What the log does unasked, seals after a pause and zeros ahead, is left alone, so that no test depends on when it does it.
final class ControlledFileSystem: FileSystem {
    enum Syncs {
        /// Reach the disk.
        case real
        /// Do nothing: for tests that make many changes and lose no power.
        case none
        /// Take the time in which other threads queue their changes, and do nothing: as on a disk, many changes are on their way at once.
        case slow
    }

    fileprivate struct State {
        var isHolding = false
        /// Syncs that pass although they are held.
        var passes = 0
        var waitingSyncs = 0
        var writeError: Int32?
        /// Whether more than one write fails.
        var keepsFailing = false
        var syncError: Int32?
        var directorySyncError: (errno: Int32, after: Int)?
        var syncedDirectories: [String] = []
        var freeBytes = Int.max
    }

    /// A change that should have been refused waits for the sync that its own test holds: then the hold ends, and the test fails. No test
    /// that does not run for a while may take so long.
    fileprivate static let longestHold = Duration.seconds(300)

    fileprivate let state = Shared(State())
    fileprivate let syncs: Syncs
    private let base = LocalFileSystem()

    init(syncs: Syncs = .none) { self.syncs = syncs }

    // MARK: The hand

    /// From here on a sync of records does not return until `releaseSyncs`.
    func holdSyncs() { state.update { $0.isHolding = true } }

    func releaseSyncs() { state.update { $0.isHolding = false } }

    /// Lets one sync pass, the one that is being held or the next.
    func passOneSync() { state.update { $0.passes += 1 } }

    /// Returns when a sync is being held, so a batch of records is in the file and not yet durable.
    func waitUntilSyncIsHeld() { state.wait { !$0.isHolding || $0.waitingSyncs > 0 && $0.passes == 0 } }

    /// The next write of records fails, and no later one.
    func failNextWrite(_ errno: Int32) { state.update { $0.writeError = errno } }

    /// All writes of records fail until `repair`.
    func failWrites(_ errno: Int32) {
        state.update { state in
            state.writeError = errno
            state.keepsFailing = true
        }
    }

    func repair() {
        state.update { state in
            state.writeError = nil
            state.keepsFailing = false
        }
    }

    /// The next sync of records fails, and no later one.
    func failNextSync(_ errno: Int32) { state.update { $0.syncError = errno } }

    /// One sync of a directory fails, after others that do not.
    func failDirectorySync(_ errno: Int32, after passes: Int) { state.update { $0.directorySyncError = (errno, passes) } }

    /// The directories that were synced while no sync was to fail.
    var syncedDirectories: [String] { state.current.syncedDirectories }

    /// What is said to be free on the disk.
    func setFreeBytes(_ bytes: Int) { state.update { $0.freeBytes = bytes } }

    // MARK: FileSystem

    func open(_ path: String, for access: FileAccess) throws(StorageError) -> any File {
        ControlledFile(base: try base.open(path, for: access), fileSystem: self)
    }

    func makeDirectory(_ path: String) throws(StorageError) -> Bool { try base.makeDirectory(path) }
    func list(_ directory: String) throws(StorageError) -> [String] { try base.list(directory) }
    func rename(_ source: String, to destination: String) throws(StorageError) { try base.rename(source, to: destination) }
    func remove(_ path: String) throws(StorageError) { try base.remove(path) }
    func status(of path: String) throws(StorageError) -> FileStatus? { try base.status(of: path) }
    func freeBytes(_ directory: String) throws(StorageError) -> Int { state.current.freeBytes }
    func synchronizeDirectory(_ path: String) throws(StorageError) {
        let planned: Int32? = state.update { state in
            guard let (errno, passes) = state.directorySyncError else {
                state.syncedDirectories.append(path)
                return nil
            }
            state.directorySyncError = passes == 0 ? nil : (errno, passes - 1)
            return passes == 0 ? errno : nil
        }
        if let planned { throw .ioFailed(operation: "fsync", path: path, errno: planned) }
        if syncs == .real { try base.synchronizeDirectory(path) }
    }
}

// Sound as Sendable: the log writes and syncs on one thread.
private final class ControlledFile: File, @unchecked Sendable {
    private let base: any File
    private let fileSystem: ControlledFileSystem
    private var lastWriteIsOfRecords = false

    init(base: any File, fileSystem: ControlledFileSystem) {
        self.base = base
        self.fileSystem = fileSystem
    }

    var path: String { base.path }
    func status() throws(StorageError) -> FileStatus { try base.status() }
    func give(to owner: FileStatus.Owner) throws(StorageError) { try base.give(to: owner) }
    func truncate(to size: UInt64) throws(StorageError) { try base.truncate(to: size) }
    func close() throws(StorageError) { try base.close() }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try base.read(into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        // Byte 8 of a record is its type; 0 is a seal.
        lastWriteIsOfRecords = bytes.count > 8 && bytes[8] != 0
        let planned: Int32? = fileSystem.state.update { state in
            guard lastWriteIsOfRecords else { return nil }
            defer { if !state.keepsFailing { state.writeError = nil } }
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
        if lastWriteIsOfRecords { try passHand() }
        switch fileSystem.syncs {
        case .real: try base.synchronizeData()
        case .none: break
        case .slow: for _ in 0..<20 { yieldThread() }
        }
    }

    private func passHand() throws(StorageError) {
        fileSystem.state.update { $0.waitingSyncs += 1 }
        let planned = fileSystem.state.wait(atMost: ControlledFileSystem.longestHold) {
            !$0.isHolding || $0.passes > 0
        } then: { state in
            state.waitingSyncs -= 1
            if state.passes > 0 { state.passes -= 1 } else { state.isHolding = false }
            defer { state.syncError = nil }
            return state.syncError
        }
        if let planned { throw .ioFailed(operation: "fdatasync", path: path, errno: planned) }
    }

    func synchronize() throws(StorageError) {
        if fileSystem.syncs == .real { try base.synchronize() }
    }
}
