import Glibc
import Locks
import Storage

/// The real file system, with a switch for what goes wrong. No power is lost, so nothing is synced: a disk that others use may take
/// seconds for it, of which a server would speak as an issue.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class Disk: FileSystem, @unchecked Sendable {
    enum Trouble {
        case none
        /// Writes fail for want of space.
        case full
        /// Writes fail, nobody knows why.
        case broken
    }

    private let lock = Lock()
    private var trouble = Trouble.none
    /// What is said to be free, if not the truth; nil: nobody knows.
    private var freeBytes: Int? = .max
    private var saysFreeBytes = false
    private let files = LocalFileSystem()

    func become(_ trouble: Trouble) { lock.withLock { self.trouble = trouble } }

    /// - Parameter bytes: nil: it cannot be asked any more.
    func setFreeBytes(_ bytes: Int?) {
        lock.withLock { (freeBytes, saysFreeBytes) = (bytes, true) }
    }

    fileprivate func check(_ path: String) throws(StorageError) {
        switch lock.withLock({ trouble }) {
        case .none: return
        case .full: throw .ioFailed(operation: "write", path: path, errno: ENOSPC)
        case .broken: throw .ioFailed(operation: "write", path: path, errno: EIO)
        }
    }

    func open(_ path: String, for access: FileAccess) throws(StorageError) -> any File {
        DiskFile(file: try files.open(path, for: access), disk: self)
    }

    func makeDirectory(_ path: String) throws(StorageError) -> Bool { try files.makeDirectory(path) }
    func list(_ directory: String) throws(StorageError) -> [String] { try files.list(directory) }
    func rename(_ source: String, to destination: String) throws(StorageError) { try files.rename(source, to: destination) }
    func remove(_ path: String) throws(StorageError) { try files.remove(path) }
    func status(of path: String) throws(StorageError) -> FileStatus? { try files.status(of: path) }
    func synchronizeDirectory(_ path: String) throws(StorageError) {}
    func freeBytes(_ directory: String) throws(StorageError) -> Int {
        let (said, isSaid) = lock.withLock { (freeBytes, saysFreeBytes) }
        guard isSaid else { return try files.freeBytes(directory) }
        guard let said else { throw .ioFailed(operation: "statvfs", path: directory, errno: EIO) }
        return said
    }
}

private final class DiskFile: File {
    let file: any File
    let disk: Disk

    init(file: any File, disk: Disk) {
        self.file = file
        self.disk = disk
    }

    var path: String { file.path }
    func status() throws(StorageError) -> FileStatus { try file.status() }
    func give(to owner: FileStatus.Owner) throws(StorageError) { try file.give(to: owner) }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try file.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try disk.check(path)
        return try file.write(bytes, at: offset)
    }
    func truncate(to size: UInt64) throws(StorageError) { try file.truncate(to: size) }
    func synchronizeData() throws(StorageError) {}
    func synchronize() throws(StorageError) {}
    func close() throws(StorageError) { try file.close() }
}
