import Glibc

/// The key ring on disk. `quire keys` writes it, the server reads it; a ring that is not there is one without keys.
///
/// The file is replaced by renaming, so a reader has the ring before a change or the one after it. Those who change it take turns, by a
/// lock on a file beside it.
package struct KeyRingFile: Sendable {
    package let path: String

    private static let largestSize = 16 << 20

    package init(_ path: String) {
        self.path = path
    }

    package func read() throws(KeysError) -> KeyRing { try readStamped().ring }

    /// Changes the ring on disk. When this throws, it is as it was, unless all that failed was the last sync of its directory.
    package func update<Result>(_ change: (inout KeyRing) throws(KeysError) -> Result) throws(KeysError) -> Result {
        try makeDirectories()
        let lock = try takeLock()
        // Closing gives it back.
        defer { close(lock) }
        var ring = try read()
        let result = try change(&ring)
        try write(ring.encoded())
        return result
    }

    // MARK: Reading

    /// What tells one state of the file from another.
    struct Stamp: Equatable {
        let device: dev_t
        let inode: ino_t
        let size: off_t
        /// Nanoseconds since 1970, by the clock of the file system.
        let changed: Int

        init(_ status: stat) {
            device = status.st_dev
            inode = status.st_ino
            size = status.st_size
            changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
        }
    }

    /// `nil` when there is no file.
    func stamp() throws(KeysError) -> Stamp? {
        var status = stat()
        if stat(path, &status) == 0 { return Stamp(status) }
        guard errno == ENOENT else { throw failure("stat") }
        return nil
    }

    /// The ring with the state of the file that it was read from.
    func readStamped() throws(KeysError) -> (ring: KeyRing, stamp: Stamp?) {
        // Not blocking: a pipe would be waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw failure("open") }
            return (KeyRing(), nil)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("fstat") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .damaged(path: path, reason: "it is no file") }
        guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else { throw .exposed(path: path) }
        guard status.st_size <= Self.largestSize else { throw .damaged(path: path, reason: "it is larger than any") }
        let bytes = try contents(of: descriptor, size: Int(status.st_size))
        do {
            return (try KeyRing(decoding: bytes), Stamp(status))
        } catch {
            throw .damaged(path: path, reason: error.reason)
        }
    }

    private func contents(of descriptor: Int32, size: Int) throws(KeysError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        var done = 0
        while done < size {
            let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress! + done, size - done, off_t(done)) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read") }
            guard count > 0 else { throw .damaged(path: path, reason: "it was cut while it was read") }
            done += count
        }
        return bytes
    }

    // MARK: Writing

    private var directory: String {
        let slash = path.lastIndex(of: "/")
        return slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// The directory and what is missing above it, for their owner alone: keys may be made before the server has ever run.
    private func makeDirectories() throws(KeysError) {
        var made = directory.hasPrefix("/") ? "" : "."
        for name in directory.split(separator: "/") where name != "." {
            made += "/\(name)"
            guard mkdir(made, 0o700) == 0 || errno == EEXIST else { throw failure("mkdir", of: made) }
        }
    }

    private func takeLock() throws(KeysError) -> Int32 {
        let lockPath = path + ".lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("open", of: lockPath) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let failure = failure("flock", of: lockPath)
                close(descriptor)
                throw failure
            }
        }
        return descriptor
    }

    /// Puts a new file in the place of the old one, whole or not at all.
    private func write(_ bytes: [UInt8]) throws(KeysError) {
        let temporary = path + ".new"
        // One that a kill has left behind. Whoever holds the lock is the only one to make one.
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("open", of: temporary) }
        do throws(KeysError) {
            defer { close(descriptor) }
            // Whatever the umask is.
            guard fchmod(descriptor, 0o600) == 0 else { throw failure("fchmod", of: temporary) }
            try giveToOwner(descriptor)
            try write(bytes, to: descriptor, temporary)
            guard fsync(descriptor) == 0 else { throw failure("fsync", of: temporary) }
            guard rename(temporary, path) == 0 else { throw failure("rename") }
        } catch {
            unlink(temporary)
            throw error
        }
        try synchronizeDirectory()
    }

    /// What root writes is for the account that the server runs under: the owner of the ring before, else of the directory.
    private func giveToOwner(_ descriptor: Int32) throws(KeysError) {
        guard geteuid() == 0 else { return }
        var status = stat()
        guard stat(path, &status) == 0 || stat(directory, &status) == 0 else { throw failure("stat", of: directory) }
        guard fchown(descriptor, status.st_uid, status.st_gid) == 0 else { throw failure("fchown") }
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(KeysError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure("write", of: path) }
            rest = rest.dropFirst(written)
        }
    }

    private func synchronizeDirectory() throws(KeysError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", of: directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", of: directory) }
    }

    /// What the last failed call of this thread was.
    private func failure(_ operation: String, of path: String? = nil) -> KeysError {
        .ioFailed(operation: operation, path: path ?? self.path, errno: errno)
    }
}
