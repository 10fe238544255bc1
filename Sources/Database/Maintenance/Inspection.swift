package import Storage

/// Shows what the files of a data directory hold, line by line, damage in its place. Changes nothing and takes no lock: beside a running
/// server, the last record of the log may be seen half written.
package struct Inspection {
    package struct Item: Sendable, Equatable {
        package enum Kind: String, Sendable {
            /// A file as a whole; its contents follow.
            case file
            case record, seal, section, damage
            /// Zeros written ahead, to the end of the file.
            case unused
        }

        package let file: String
        package let kind: Kind
        package let offset: UInt64
        package let bytes: UInt64
        package var sequence: SequenceNumber?
        /// What kind of file, record or section.
        package var type: String
        /// Ids, titles and counts; unescaped, as they were stored.
        package var text: String
    }

    private let directory: String
    private let fileSystem: any FileSystem

    package init(directory: String, fileSystem: any FileSystem = LocalFileSystem()) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    /// The names in the directory: snapshots, then the log, then what a start does not read.
    package func files() throws(StorageError) -> [String] {
        let names = try fileSystem.list(directory).sorted()
        let snapshots = names.filter { $0 == Snapshots.currentName || Snapshots.sequence(name: $0) != nil }
        let log = names.filter(LogFiles.isSegment)
        return snapshots + log + names.filter { !snapshots.contains($0) && !log.contains($0) }
    }

    /// Gives `visit` the file, then what is in it, until it returns false.
    ///
    /// - Throws: `unsupportedFormat`, `ioFailed`; what is damaged is visited instead.
    package func run(_ name: String, visit: (Item) -> Bool) throws(StorageError) {
        if LogFiles.isSegment(name) {
            try runSegment(name, visit)
        } else if Snapshots.sequence(name: name) != nil {
            try runSnapshot(name, visit)
        } else {
            _ = visit(try other(name))
        }
    }

    private func other(_ name: String) throws(StorageError) -> Item {
        guard name == Snapshots.currentName else {
            return Item(file: name, kind: .file, offset: 0, bytes: try size(of: name), type: "other", text: "")
        }
        let text =
            switch try Snapshots(directory: directory, fileSystem: fileSystem).current() {
            case .names(let snapshot): "a start loads \(snapshot)"
            default: "damaged: a start loads the newest snapshot"
            }
        return Item(file: name, kind: .file, offset: 0, bytes: try size(of: name), type: "current", text: text)
    }

    private func size(of name: String) throws(StorageError) -> UInt64 {
        try fileSystem.size(of: "\(directory)/\(name)")
    }

    // MARK: The log

    private func runSegment(_ name: String, _ visit: (Item) -> Bool) throws(StorageError) {
        let scan = try LogFiles(directory: directory, fileSystem: fileSystem).scan(name)
        let text = scan.head.map { "from record \($0.firstSequence), database \($0.databaseID)" } ?? ""
        var isWanted = visit(Item(file: name, kind: .file, offset: 0, bytes: scan.size, type: "segment \(scan.number)", text: text))
        if isWanted, let flaw = scan.flaw {
            isWanted = visit(Item(file: name, kind: .damage, offset: 0, bytes: min(64, scan.size), type: "file header", text: flaw))
        }
        while isWanted, let entry = try scan.next() { isWanted = visit(Item(entry, of: name)) }
        try scan.close()
    }

    // MARK: Snapshots

    private func runSnapshot(_ name: String, _ visit: (Item) -> Bool) throws(StorageError) {
        var end: UInt64 = 0
        var isWanted = true
        do throws(StorageError) {
            let reader = try Snapshots(directory: directory, fileSystem: fileSystem).open(name)
            let text = "made \(Timestamp(milliseconds: reader.madeAt)), database \(reader.databaseID)"
            isWanted = visit(
                Item(file: name, kind: .file, offset: 0, bytes: reader.size, sequence: reader.sequence, type: "snapshot", text: text))
            end = reader.size
            var library: LibraryRecord?
            while isWanted, let section = try reader.next() {
                isWanted = visit(Item(section, of: name, in: &library))
            }
            try reader.close()
        } catch .damagedSnapshot(_, let offset, let reason) {
            if end == 0 {
                end = try size(of: name)
                isWanted = visit(Item(file: name, kind: .file, offset: 0, bytes: end, type: "snapshot", text: ""))
            }
            guard isWanted else { return }
            let text = "\(reason); nothing behind it can be read"
            _ = visit(Item(file: name, kind: .damage, offset: offset, bytes: end - offset, type: "snapshot", text: text))
        }
    }
}

extension Inspection.Item {
    fileprivate init(_ entry: SegmentScan.Entry, of name: String) {
        switch entry.content {
        case .record(let record):
            self.init(
                file: name, kind: .record, offset: entry.offset, bytes: entry.bytes, sequence: record.sequence,
                type: Mutation.RecordType.name(of: record), text: Mutation.summary(ofDamaged: record))
        case .seal(let sequence):
            self.init(
                file: name, kind: .seal, offset: entry.offset, bytes: entry.bytes, sequence: sequence, type: "seal",
                text: "records to \(sequence) are on disk")
        case .damage(let reason, let record, let through):
            let was = record.map { ", once \(Mutation.summary(ofDamaged: $0))" } ?? ""
            self.init(
                file: name, kind: .damage, offset: entry.offset, bytes: entry.bytes, sequence: through,
                type: record.map(Mutation.RecordType.name(of:)) ?? "unknown", text: reason + was)
        case .unused:
            self.init(file: name, kind: .unused, offset: entry.offset, bytes: entry.bytes, type: "zeros", text: "")
        }
    }

    /// - Parameter library: the one whose sections these are; becomes the one that a section begins.
    fileprivate init(_ section: SnapshotSection, of name: String, in library: inout LibraryRecord?) {
        let type = SnapshotCoding.SectionType(rawValue: section.type)
        self.init(
            file: name, kind: section.isIntact ? .section : .damage, offset: section.offset, bytes: UInt64(section.payload.count),
            type: type.map { "\($0)" } ?? "type \(section.type)", text: "")
        guard section.isIntact else {
            text = "the section does not match its checksum"
            return
        }
        switch type {
        case .plainLibrary, .unmarkedLibrary, .unguardedLibrary, .unguardedSuccessor, .library, .successor:
            let head = try? SnapshotCoding.readLibrary(section.payload, type!)
            library = head?.record
            text = head?.summary ?? "it makes no sense"
        case .documents, .plainDocuments:
            text = SnapshotCoding.summary(ofDocuments: section.payload, type!)
        case .vectors:
            text = library.map { "\(section.payload.count / (4 * $0.dimension)) rows" } ?? ""
        case .index, .texts, nil:
            break
        }
    }
}
