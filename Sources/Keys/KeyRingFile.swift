import Glibc
package import Storage

/// The key ring on disk. `quire keys` writes it, the server reads it; a ring that is not there is one without keys.
///
/// The file is replaced by renaming, so a reader has the ring before a change or the one after it. Those who change it take turns, by a
/// lock on a file beside it.
package struct KeyRingFile: Sendable {
    package let path: String
    private let files: any FileSystem

    private static let largestSize = 16 << 20

    package init(_ path: String, on files: any FileSystem = LocalFileSystem()) {
        (self.path, self.files) = (path, files)
    }

    package func read() throws(KeysError) -> KeyRing { try readWithStatus().ring }

    /// Changes the ring on disk. When this throws, it is as it was, unless all that failed was the last sync of its directory.
    package func update<Result>(_ change: (inout KeyRing) throws(KeysError) -> Result) throws(KeysError) -> Result {
        try stored { () throws(StorageError) in try makeDirectories() }
        let lock = try stored { () throws(StorageError) in try takeLock() }
        // Closing gives it back.
        defer { close(lock) }
        var ring = try read()
        let result = try change(&ring)
        let bytes = ring.encoded()
        try stored { () throws(StorageError) in try write(bytes) }
        return result
    }

    // MARK: Reading

    /// `nil` when there is no file.
    func status() throws(KeysError) -> FileStatus? {
        try stored { () throws(StorageError) in try files.status(of: path) }
    }

    /// The ring with the state of the file that it was read from.
    func readWithStatus() throws(KeysError) -> (ring: KeyRing, status: FileStatus?) {
        // Asked first, because a pipe would be waited for.
        if let status = try status(), status.kind != .file { throw .damaged(path: path, reason: "it is no file") }
        guard let file = try stored({ () throws(StorageError) in try openIfThere() }) else { return (KeyRing(), nil) }
        let status = try stored { () throws(StorageError) in try file.status() }
        guard status.permissions & UInt32(S_IWGRP | S_IWOTH) == 0 else { throw .exposed(path: path) }
        guard status.size <= Self.largestSize else { throw .damaged(path: path, reason: "it is larger than any") }
        let bytes = try stored { () throws(StorageError) in
            let bytes = try file.read(Int(status.size), at: 0)
            try file.close()
            return bytes
        }
        do {
            return (try KeyRing(decoding: bytes), status)
        } catch {
            throw .damaged(path: path, reason: error.reason)
        }
    }

    private func openIfThere() throws(StorageError) -> (any File)? {
        do {
            return try files.open(path, for: .reading)
        } catch .ioFailed(_, _, ENOENT) {
            return nil
        }
    }

    // MARK: Writing

    private var directory: String {
        let slash = path.lastIndex(of: "/")
        return slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Keys may be made before the server has ever run.
    private func makeDirectories() throws(StorageError) {
        try files.makeDirectories(directory) { () throws(StorageError) in try files.status(of: path) != nil }
    }

    /// On the machine's own file system, as a database's lock: it guards a file and is none.
    private func takeLock() throws(StorageError) -> Int32 {
        let lockPath = path + ".lock"
        func failed(_ operation: String) -> StorageError { .ioFailed(operation: operation, path: lockPath, errno: errno) }
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failed("open") }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let failure = failed("flock")
                close(descriptor)
                throw failure
            }
        }
        return descriptor
    }

    /// Puts a new file in the place of the old one, whole or not at all.
    private func write(_ bytes: [UInt8]) throws(StorageError) {
        let owner = try nextOwner()
        try files.createWhole(name, in: directory) { (file) throws(StorageError) in
            if let owner { try file.give(to: owner) }
            try file.writeFully(bytes[...], at: 0)
        }
    }

    /// What root writes is for the account that the server runs under: the owner of the ring before, else of the directory.
    private func nextOwner() throws(StorageError) -> FileStatus.Owner? {
        guard geteuid() == 0 else { return nil }
        if let status = try files.status(of: path) { return status.owner }
        return try files.status(of: directory)?.owner
    }

    private func stored<Result>(_ body: () throws(StorageError) -> Result) throws(KeysError) -> Result {
        do throws(StorageError) {
            return try body()
        } catch {
            throw .storage(error)
        }
    }
}
