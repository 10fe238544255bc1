package import Storage

/// Puts the files of an archive into a directory, which must be empty or not exist: what a start finds there is the database as it was
/// when the snapshot was made.
///
/// Of an archive only the three files of a `SnapshotCopy` are taken. If anything is wrong, what was written is removed again. A crash
/// on the way leaves a directory that no start opens.
///
/// - Parameters:
///   - path: the archive: tar, also compressed with what libarchive knows.
///   - check: whether the directory can be opened.
/// - Returns: what `check` returns.
/// - Throws: `ArchiveError`, `StorageError`, what `check` throws.
package func restore<Result>(
    _ path: String, into directory: String, fileSystem: any FileSystem = LocalFileSystem(), check: () throws -> Result
) throws -> Result {
    let isNew = try fileSystem.makeDirectory(directory)
    guard try isNew || fileSystem.list(directory).isEmpty else { throw ArchiveError("\(directory) is not empty") }
    do {
        try extract(path, into: directory, fileSystem)
        return try check()
    } catch {
        // The first failure is the one to tell.
        _ = try? removeAll(in: directory, fileSystem)
        throw error
    }
}

private func removeAll(in directory: String, _ fileSystem: any FileSystem) throws {
    for name in try fileSystem.list(directory) { try fileSystem.remove("\(directory)/\(name)") }
}

private func extract(_ path: String, into directory: String, _ fileSystem: any FileSystem) throws {
    let archive = try TarReader(path)
    var parts: Set<SnapshotCopy.Part> = []
    while let member = try archive.next() {
        guard member.isPlainFile, let part = SnapshotCopy.Part(name: member.name) else {
            throw ArchiveError("\(path) is not the archive of a snapshot: it holds \(member.name)")
        }
        guard parts.insert(part).inserted else { throw ArchiveError("\(path) holds a second \(part): \(member.name)") }
        try fileSystem.createWhole(member.name, in: directory) { (file) throws(StorageError) in
            try archive.copy(to: file)
        }
    }
    for part in SnapshotCopy.Part.allCases where !parts.contains(part) { throw ArchiveError("\(path) holds no \(part)") }
}
