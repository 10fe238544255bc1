import Glibc

/// Everything storage asks of the operating system, so that tests can put a file system in its place that fails, tears writes and
/// loses what was not synced. No code that persists anything goes around it.
///
/// Every method throws `StorageError.ioFailed` with the operation, the path and the errno.
package protocol FileSystem: Sendable {
    func open(_ path: String, for access: FileAccess) throws(StorageError) -> any File
    /// Creates `path`, for its owner alone, and returns true; one that exists is left as it is.
    func makeDirectory(_ path: String) throws(StorageError) -> Bool
    /// The names in a directory, without `.` and `..`, in no particular order.
    func list(_ directory: String) throws(StorageError) -> [String]
    func rename(_ source: String, to destination: String) throws(StorageError)
    func remove(_ path: String) throws(StorageError)
    /// Of what a name leads to, through symbolic links; nil when there is no such name.
    func status(of path: String) throws(StorageError) -> FileStatus?
    /// Makes the creations, renames and removals in a directory durable.
    func synchronizeDirectory(_ path: String) throws(StorageError)
    /// Bytes that a file in the directory could still take.
    func freeBytes(_ directory: String) throws(StorageError) -> Int
}

/// What a file is opened for.
package enum FileAccess: Sendable {
    /// Reading one that exists.
    case reading
    /// Reading and writing one that exists.
    case updating
    /// Reading and writing one that is empty at first, created or emptied; a symbolic link of the name is refused.
    case creating
}

/// An open file. Offsets are explicit, so there is no position to share.
package protocol File: AnyObject, Sendable {
    var path: String { get }
    func status() throws(StorageError) -> FileStatus
    /// Makes it another account's. Only root may.
    func give(to owner: FileStatus.Owner) throws(StorageError)
    /// Reads up to `buffer.count` bytes; fewer only by the end of the file or an interruption.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int
    /// Writes `bytes` or a part of them from the front; returns how many.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int
    func truncate(to size: UInt64) throws(StorageError)
    /// fdatasync: the bytes and what is needed to read them back.
    func synchronizeData() throws(StorageError)
    /// fsync: everything about the file.
    func synchronize() throws(StorageError)
    func close() throws(StorageError)
}

extension File {
    package func size() throws(StorageError) -> UInt64 { try status().size }

    /// Fills `buffer` from `offset`, taking up interrupted and short reads. A file that ends before is an error: its size was known.
    package func readFully(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try repeatingInterrupted { () throws(StorageError) in try read(into: rest, at: offset + UInt64(done)) }
            guard count > 0 else { throw .ioFailed(operation: "read", path: path, errno: EIO) }
            done += count
        }
    }

    /// `count` bytes from `offset`. A file that ends before is an error.
    package func read(_ count: Int, at offset: UInt64) throws(StorageError) -> [UInt8] {
        // All empty arrays are one, and its count would be written while other threads read it.
        guard count > 0 else { return [] }
        var failure: StorageError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(StorageError) {
                try readFully(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
                initialized = count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all of `bytes` at `offset`, taking up interrupted and short writes. When it fails, a part may be written.
    package func writeFully(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(StorageError) {
        try bytes.span.withUnsafeBytes { (bytes) throws(StorageError) in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = try repeatingInterrupted { () throws(StorageError) in try write(rest, at: offset + UInt64(done)) }
                // A write that takes nothing and names no error would be repeated for ever.
                guard count > 0 else { throw .ioFailed(operation: "write", path: path, errno: EIO) }
                done += count
            }
        }
    }

    /// Writes a part of another file at the start of this one, 1 MiB at a time.
    func copy(_ range: Range<UInt64>, of source: any File) throws(StorageError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let bytes = try source.read(Int(min(range.upperBound - offset, 1 << 20)), at: offset)
            try writeFully(bytes[...], at: offset - range.lowerBound)
            offset += UInt64(bytes.count)
        }
    }

    private func repeatingInterrupted(_ call: () throws(StorageError) -> Int) throws(StorageError) -> Int {
        while true {
            do {
                return try call()
            } catch .ioFailed(_, _, EINTR) {
                continue
            }
        }
    }
}

extension FileSystem {
    /// Creates a directory and what is missing above it, for their owner alone.
    ///
    /// - Parameter wereKept: asked when they are there: whether the directory holds what was synced since it was made. Else those above
    ///   are synced, whoever has made what is in them: a crash may have come before.
    package func makeDirectories(_ path: String, wereKept: () throws(StorageError) -> Bool) throws(StorageError) {
        var parents: [(path: String, hasNew: Bool)] = []
        var parent = path.hasPrefix("/") ? "/" : "."
        for name in path.split(separator: "/") {
            let directory = parent == "/" ? "/\(name)" : "\(parent)/\(name)"
            parents.append((parent, try makeDirectory(directory)))
            parent = directory
        }
        guard try !wereKept() else { return }
        for parent in parents {
            do throws(StorageError) {
                try synchronizeDirectory(parent.path)
            } catch .ioFailed(_, _, EACCES) where !parent.hasNew {
                // In one that it may not read, this program has made nothing.
                continue
            }
        }
    }

    package func size(of path: String) throws(StorageError) -> UInt64 {
        let file = try open(path, for: .reading)
        let size = try file.size()
        try file.close()
        return size
    }

    /// Creates `directory/name` so that it is there whole or not at all after a crash: written under a temporary name by `fill`,
    /// synced, renamed, and the directory synced.
    package func createWhole(
        _ name: String, in directory: String, fill: (any File) throws(StorageError) -> Void
    ) throws(StorageError) {
        try placeWhole(name, in: directory, fill: fill)
        try synchronizeDirectory(directory)
    }

    /// As `createWhole` without the sync of the directory: until that, a crash may take the file away again. When it fails, there
    /// is no new file, and a temporary one only if it could not be removed.
    func placeWhole(
        _ name: String, in directory: String, fill: (any File) throws(StorageError) -> Void
    ) throws(StorageError) {
        let path = "\(directory)/\(name)"
        do {
            try write(path + temporarySuffix, fill: fill)
            try rename(path + temporarySuffix, to: path)
        } catch {
            // The first failure is the one to tell. What stays all the same is overwritten by the next attempt.
            _ = try? remove(path + temporarySuffix)
            throw error
        }
    }

    private func write(_ path: String, fill: (any File) throws(StorageError) -> Void) throws(StorageError) {
        let file = try open(path, for: .creating)
        do {
            try fill(file)
            try file.synchronize()
        } catch {
            // The descriptor is given back whatever close says.
            _ = try? file.close()
            throw error
        }
        try file.close()
    }
}

/// The end of the name of a file that is not whole yet; such a file belongs to nobody after a restart.
let temporarySuffix = ".tmp"
