import Glibc

/// Keeps other processes out of a data directory for as long as the object lives, or the process: the kernel drops the lock with
/// the descriptor, so nothing is left behind by a kill.
///
/// Take it before reading anything in the directory. Works on the machine's own file system: it guards files, it is none of them.
package final class DirectoryLock: Sendable {
    package static let fileName = "LOCK"

    private let descriptor: Int32

    /// Takes `LOCK` in `directory`, which exists, and writes this process's id into it.
    /// Throws `locked` when it is taken, at once, else `ioFailed`.
    package init(directory: String) throws(StorageError) {
        let path = "\(directory)/\(Self.fileName)"
        // Close-on-exec: a child process that outlives us must not keep the directory locked.
        let descriptor = try posix("open", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        do {
            try Self.lock(descriptor, path)
            try posix("ftruncate", path) { ftruncate(descriptor, 0) }
            let line = Array("\(getpid())\n".utf8)
            try posix("pwrite", path) { pwrite(descriptor, line, line.count, 0) }
        } catch {
            _ = close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit {
        // Unlocked, not only closed: a child process that is just being started has our descriptors until it runs its program.
        _ = flock(descriptor, LOCK_UN)
        _ = close(descriptor)
    }

    private static func lock(_ descriptor: Int32, _ path: String) throws(StorageError) {
        do {
            try posix("flock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
        } catch .ioFailed(_, _, EWOULDBLOCK) {
            throw .locked(path: path, pid: holder(descriptor))
        }
    }

    /// The process id in the file; nil when there is none, as between its holder's lock and its write.
    private static func holder(_ descriptor: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &text, text.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}
