/// The snapshots of a data directory: whole states of the database, each named after the last record of the log that is in it.
///
/// A snapshot is written under a temporary name, synced, renamed, and read back; then `CURRENT` is replaced in the same way by a file
/// that holds its name. So a crash leaves the old ones as they were, and a file under its final name is whole.
///
/// Takes no lock: hold a `DirectoryLock`, and call it from one thread at a time.
package struct Snapshots: Sendable {
    package struct Info: Sendable, Equatable {
        package let name: String
        package let sequence: SequenceNumber
        package let bytes: UInt64
        /// Milliseconds since 1970.
        package let madeAt: Int64

        package init(name: String, sequence: SequenceNumber, bytes: UInt64, madeAt: Int64) {
            self.name = name
            self.sequence = sequence
            self.bytes = bytes
            self.madeAt = madeAt
        }
    }

    /// As many as are kept: should the newest be damaged, the one before it and the log since then say the same.
    package static let keptCount = 2

    let directory: String
    private let fileSystem: any FileSystem

    package init(directory: String, fileSystem: any FileSystem) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    package static let currentName = "CURRENT"
    private static let prefix = "snapshot-"
    private static let suffix = ".snap"

    private static func name(_ sequence: SequenceNumber) -> String {
        let digits = String(sequence.rawValue)
        return prefix + String(repeating: "0", count: max(0, 16 - digits.count)) + digits + suffix
    }

    /// The sequence in the name of a snapshot; nil for any other name.
    package static func sequence(name: String) -> SequenceNumber? {
        guard name.hasPrefix(prefix), name.hasSuffix(suffix),
            let number = UInt64(name.dropFirst(prefix.count).dropLast(suffix.count))
        else { return nil }
        let sequence = SequenceNumber(rawValue: number)
        return Self.name(sequence) == name ? sequence : nil
    }

    // MARK: Reading

    /// The names of the snapshots in the order in which a start tries them: what `CURRENT` names, then the others, newest first.
    package func candidates() throws(StorageError) -> [String] {
        let names = try Array(names().reversed())
        guard case .names(let current) = try current(), names.contains(current) else { return names }
        return [current] + names.filter { $0 != current }
    }

    /// The names of the snapshots, oldest first.
    package func names() throws(StorageError) -> [String] {
        var names: [String] = []
        for name in try fileSystem.list(directory).sorted() where Self.sequence(name: name) != nil {
            // A directory of such a name is somebody else's.
            if try fileSystem.status(of: "\(directory)/\(name)")?.kind == .file { names.append(name) }
        }
        return names
    }

    /// The file that says which snapshot a start tries first.
    package enum Current: Equatable {
        case absent
        /// The newest snapshot is tried first then, which is the same one unless a crash came between.
        case damaged
        case names(String)
    }

    package func current() throws(StorageError) -> Current {
        guard try fileSystem.list(directory).contains(Self.currentName) else { return .absent }
        let file = try fileSystem.open("\(directory)/\(Self.currentName)", for: .reading)
        let size = min(try file.size(), 256)
        let bytes = try file.read(Int(size), at: 0)
        try file.close()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, lines[1] == Self.checksumLine(of: lines[0]) else { return .damaged }
        return .names(String(lines[0]))
    }

    package func open(_ name: String) throws(StorageError) -> SnapshotReader {
        try SnapshotReader(try openFile(name))
    }

    func openFile(_ name: String) throws(StorageError) -> any File {
        try fileSystem.open("\(directory)/\(name)", for: .reading)
    }

    /// The snapshots that there are, oldest first. One whose header cannot be read is left out.
    package func list() throws(StorageError) -> [Info] {
        var infos: [Info] = []
        for name in try names() {
            do {
                let reader = try open(name)
                infos.append(Info(name: name, sequence: reader.sequence, bytes: reader.size, madeAt: reader.madeAt))
                try reader.close()
            } catch {
                guard error.category == .dataRefused else { throw error }
            }
        }
        return infos
    }

    // MARK: Writing

    /// Removes what a crash left half written. Not while one is being written.
    package func removeTemporaryFiles() throws(StorageError) {
        for name in try fileSystem.list(directory) where name.hasSuffix(temporarySuffix) {
            let whole = String(name.dropLast(temporarySuffix.count))
            if whole == Self.currentName || Self.sequence(name: whole) != nil { try fileSystem.remove("\(directory)/\(name)") }
        }
    }

    /// Renames a snapshot that is damaged to `*.damaged`: for people, and no longer one that a start would try.
    ///
    /// - Parameter path: as in the error that said so.
    package func setAside(_ path: String) throws(StorageError) {
        try fileSystem.rename(path, to: path + Self.damagedSuffix)
        try fileSystem.synchronizeDirectory(directory)
    }

    private static let damagedSuffix = ".damaged"

    /// Writes and publishes a snapshot. When this returns it is on disk, was read back, and is the one that the next start loads.
    ///
    /// - Parameter sequence: the last record in it, which is on disk: a start refuses a log that ends before its snapshot.
    /// - Throws: `insufficientSpace`, `readOnly`, `ioFailed` and what `body` throws; then there is no trace of it.
    package func write(
        _ sequence: SequenceNumber, of databaseID: DatabaseID, madeAt: Int64,
        _ body: (inout SnapshotWriter) throws(StorageError) -> Void
    ) throws(StorageError) -> Info {
        let name = Self.name(sequence)
        var bytes: UInt64 = 0
        try reportingRefusal { () throws(StorageError) in
            try fileSystem.createWhole(name, in: directory) { (file) throws(StorageError) in
                var writer = try SnapshotWriter(
                    SnapshotHeader(databaseID: databaseID, sequence: sequence, madeAt: madeAt), file: file)
                try body(&writer)
                bytes = try writer.finish()
            }
        }
        let reader = try open(name)
        try reader.verify()
        try reader.close()
        try reportingRefusal { () throws(StorageError) in
            try fileSystem.createWhole(Self.currentName, in: directory) { (file) throws(StorageError) in
                try file.writeFully(Self.currentContent(name)[...], at: 0)
            }
        }
        return Info(name: name, sequence: sequence, bytes: bytes, madeAt: madeAt)
    }

    /// Removes the snapshots that are not among the `keptCount` newest. Returns the oldest of these; nil while there are fewer: then a
    /// damaged one has only the whole log to stand in for it.
    package func removeOld() throws(StorageError) -> SequenceNumber? {
        let sequences = try fileSystem.list(directory).compactMap(Self.sequence(name:)).sorted()
        for sequence in sequences.dropLast(Self.keptCount) { try fileSystem.remove("\(directory)/\(Self.name(sequence))") }
        if sequences.count > Self.keptCount { try fileSystem.synchronizeDirectory(directory) }
        return sequences.count < Self.keptCount ? nil : sequences.suffix(Self.keptCount).first
    }

    /// Removes a snapshot. The log that it needs stays until others replace it.
    package func remove(_ name: String) throws(StorageError) {
        try fileSystem.remove("\(directory)/\(name)")
        try fileSystem.synchronizeDirectory(directory)
    }

    static func currentContent(_ name: String) -> [UInt8] { Array("\(name)\n\(checksumLine(of: name[...]))\n".utf8) }

    private static func checksumLine(of name: Substring) -> String {
        var name = name
        return "crc32c \(name.withUTF8 { crc32c(0, UnsafeRawBufferPointer($0)) })"
    }

    /// A full disk, or one that is read-only by now, is nothing that ends the storage.
    private func reportingRefusal(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        do {
            try body()
        } catch {
            throw error.asRefusal ?? error
        }
    }
}
