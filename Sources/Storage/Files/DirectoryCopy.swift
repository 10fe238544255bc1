import Glibc

extension FileSystem {
    /// Copies the files of a directory into a new one, durably; what makes it incomplete makes it fail. The lock stays behind: it is
    /// nobody's data.
    ///
    /// - Parameter destination: what must not exist; its parent does.
    /// - Returns: the names of what is no file and was not copied.
    /// - Throws: `ioFailed`; a part of the copy may be there then.
    package func copyDirectory(_ source: String, to destination: String) throws(StorageError) -> [String] {
        guard try makeDirectory(destination) else { throw .ioFailed(operation: "mkdir", path: destination, errno: EEXIST) }
        var left: [String] = []
        for name in try list(source).sorted() where name != DirectoryLock.fileName {
            do {
                try copy("\(source)/\(name)", as: name, in: destination)
            } catch .ioFailed(_, _, EISDIR) {
                left.append(name)
            }
        }
        try synchronizeDirectory(destination)
        try synchronizeDirectory(parent(of: destination))
        return left
    }

    private func copy(_ path: String, as name: String, in directory: String) throws(StorageError) {
        let source = try open(path, for: .reading)
        let size = try source.size()
        try placeWhole(name, in: directory) { (file) throws(StorageError) in
            try file.copy(0..<size, of: source)
        }
        try source.close()
    }
}

private func parent(of path: String) -> String {
    let names = path.split(separator: "/").dropLast()
    let parent = names.joined(separator: "/")
    return path.hasPrefix("/") ? "/" + parent : parent.isEmpty ? "." : parent
}
