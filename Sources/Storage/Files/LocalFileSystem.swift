import Glibc

/// The file system of the machine. Files are for their owner alone (0600) and are not inherited by child processes.
package struct LocalFileSystem: FileSystem {
    package init() {}

    package func open(_ path: String, for access: FileAccess) throws(StorageError) -> any File {
        let flags =
            switch access {
            case .reading: O_RDONLY
            case .updating: O_RDWR
            // Root may write where another account could have laid a link to somebody else's file.
            case .creating: O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW
            }
        let descriptor = try posix("open", path) { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
        let file = LocalFile(path: path, descriptor: descriptor)
        // Also one that was there before, whoever might read it then.
        if access == .creating { try posix("fchmod", path) { fchmod(descriptor, 0o600) } }
        return file
    }

    package func makeDirectory(_ path: String) throws(StorageError) -> Bool {
        do {
            try posix("mkdir", path) { mkdir(path, 0o700) }
            return true
        } catch .ioFailed(_, _, EEXIST) {
            return false
        }
    }

    package func list(_ directory: String) throws(StorageError) -> [String] {
        guard let stream = opendir(directory) else { throw .ioFailed(operation: "opendir", path: directory, errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            // readdir tells the end from a failure by errno alone.
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw .ioFailed(operation: "readdir", path: directory, errno: errno) }
        return names
    }

    package func rename(_ source: String, to destination: String) throws(StorageError) {
        try posix("rename", source) { Glibc.rename(source, destination) }
    }

    package func remove(_ path: String) throws(StorageError) {
        try posix("unlink", path) { unlink(path) }
    }

    package func status(of path: String) throws(StorageError) -> FileStatus? {
        var information = stat()
        do {
            try posix("stat", path) { stat(path, &information) }
        } catch .ioFailed(_, _, ENOENT) {
            return nil
        }
        return FileStatus(information)
    }

    package func synchronizeDirectory(_ path: String) throws(StorageError) {
        let descriptor = try posix("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(descriptor) }
        try posix("fsync", path) { fsync(descriptor) }
    }

    package func freeBytes(_ directory: String) throws(StorageError) -> Int {
        var information = statvfs()
        try posix("statvfs", directory) { statvfs(directory, &information) }
        return Int(clamping: information.f_bavail.multipliedReportingOverflow(by: information.f_frsize).partialValue)
    }
}

/// An open descriptor, closed by `close` or with the object.
///
/// `@unchecked Sendable`: positioned reads and writes may run on any thread; `close` is the owner's last call.
private final class LocalFile: File, @unchecked Sendable {
    let path: String
    private var descriptor: Int32

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    func status() throws(StorageError) -> FileStatus {
        var information = stat()
        try posix("fstat", path) { fstat(descriptor, &information) }
        return FileStatus(information)
    }

    func give(to owner: FileStatus.Owner) throws(StorageError) {
        try posix("fchown", path) { fchown(descriptor, owner.user, owner.group) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try posix("pread", path) { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try posix("pwrite", path) { pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset)) }
    }

    func truncate(to size: UInt64) throws(StorageError) {
        try posix("ftruncate", path) { ftruncate(descriptor, off_t(size)) }
    }

    func synchronizeData() throws(StorageError) {
        try posix("fdatasync", path) { fdatasync(descriptor) }
    }

    func synchronize() throws(StorageError) {
        try posix("fsync", path) { fsync(descriptor) }
    }

    func close() throws(StorageError) {
        let open = descriptor
        // Linux gives the number back whatever close returns: a second close could hit another thread's file.
        descriptor = -1
        try posix("close", path) { Glibc.close(open) }
    }
}

/// Runs a call that returns -1 and sets errno when it fails.
@discardableResult
func posix<Result: FixedWidthInteger>(_ operation: String, _ path: String, _ call: () -> Result) throws(StorageError) -> Result {
    let result = call()
    guard result != -1 else { throw .ioFailed(operation: operation, path: path, errno: errno) }
    return result
}
