/// A data directory that consists of one snapshot: what an archive holds, and what is restored from one.
///
/// It has the snapshot, `CURRENT` that names it, and a log that goes on behind it and has no records. A start in a directory with these
/// three files finds the database as it was.
package struct SnapshotCopy: Sendable {
    package struct Member: Sendable {
        package let name: String
        package let size: UInt64
        private let content: Content

        private enum Content: Sendable {
            case bytes([UInt8])
            /// Open, so that it can be read also when its name is gone.
            case file(any File)
        }

        fileprivate init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            size = UInt64(bytes.count)
            content = .bytes(bytes)
        }

        fileprivate init(_ name: String, _ file: any File) throws(StorageError) {
            self.name = name
            size = try file.size()
            content = .file(file)
        }

        /// Gives the content to `body` from front to back, at most 1 MiB at a time.
        package func read(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
            switch content {
            case .bytes(let bytes): try bytes.withUnsafeBytes(body)
            case .file(let file):
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
                defer { buffer.deallocate() }
                var offset: UInt64 = 0
                while offset < size {
                    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(size - offset, UInt64(buffer.count)))])
                    try file.readFully(into: part, at: offset)
                    try body(UnsafeRawBufferPointer(part))
                    offset += UInt64(part.count)
                }
            }
        }
    }

    package let members: [Member]
    /// When the snapshot was made: milliseconds since 1970.
    package let madeAt: Int64

    /// What a file of a copy is, by its name.
    package enum Part: Hashable, CaseIterable, Sendable {
        case snapshot, log, current

        /// Nil: a copy has no such file.
        package init?(name: String) {
            if name == Snapshots.currentName {
                self = .current
            } else if Snapshots.sequence(name: name) != nil {
                self = .snapshot
            } else if SegmentHeader.number(fileName: name) != nil {
                self = .log
            } else {
                return nil
            }
        }
    }
}

extension Snapshots {
    /// The files of a directory with a snapshot and nothing else. They can be read also when the snapshot is removed meanwhile.
    package func copy(of name: String) throws(StorageError) -> SnapshotCopy {
        let file = try openFile(name)
        let reader = try SnapshotReader(file)
        let log = SegmentHeader.following(reader.sequence, of: reader.databaseID)
        return SnapshotCopy(
            members: [
                try .init(name, file), .init(log.fileName, log.encoded().bytes), .init(Self.currentName, Self.currentContent(name)),
            ], madeAt: reader.madeAt)
    }
}
