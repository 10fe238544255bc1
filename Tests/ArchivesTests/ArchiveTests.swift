import Archives
import Database
import Storage
import TestSupport
import Testing
import VectorSearch

/// Backing up a database that goes on, and making one of the backup.
struct ArchiveTests {
    private let directory = TemporaryDirectory()
    private var source: String { directory / "source" }
    private var target: String { directory / "target" }
    private var archive: String { directory / "backup.tar" }

    @Test("an archive of a snapshot makes a database that is the one at that moment, and goes on by itself")
    func roundTrip() throws {
        let name = try makeArchive()

        let titles = try restore(archive, into: target) { try Self.titles(of: target) }

        #expect(titles == ["first", "second"])
        #expect(try Self.titles(of: target, adding: "third") == ["first", "second", "third"])
        #expect(try Self.titles(of: target) == ["first", "second", "third"])
        #expect(try Self.titles(of: source) == ["first", "second", "later"])
        // Other tools read it, too: unpacked with them, it opens as well.
        #expect(
            try directory.python("import tarfile; print(sorted(tarfile.open('backup.tar').getnames()))")
                == "['CURRENT', '\(name)', 'wal-0000000000000001.log']\n")
        _ = try directory.python("import tarfile; tarfile.open('backup.tar').extractall('unpacked')")
        #expect(try Self.titles(of: directory / "unpacked") == ["first", "second"])
    }

    @Test("an archive can be read to its end after its snapshot is gone, and compressed ones are restored")
    func outlivesItsSnapshot() throws {
        let database = try Database(directory: source)
        try database.add("first")
        let snapshot = try database.takeSnapshot()
        let copy = try database.copySnapshot(snapshot.name)
        try database.add("second")
        _ = try database.takeSnapshot()
        try database.deleteSnapshot(snapshot.name)
        #expect(throws: DatabaseError.snapshotNotFound(name: snapshot.name)) { try database.copySnapshot(snapshot.name) }

        try directory.write(copy, to: archive)
        _ = try directory.python("import gzip; gzip.open('backup.tar.gz', 'wb').write(open('backup.tar', 'rb').read())")

        #expect(try restore(directory / "backup.tar.gz", into: target) { try Self.titles(of: target) } == ["first"])
        try database.close()
    }

    @Test("writing ends with whoever takes the archive, at every piece")
    func takerFails() throws {
        struct Gone: Error {}
        let database = try Database(directory: source)
        try database.add("first")
        let copy = try database.copySnapshot(try database.takeSnapshot().name)
        var pieces = 0
        try copy.writeArchive { _ in pieces += 1 }

        for last in 0..<pieces {
            var taken = 0
            #expect(throws: Gone.self) {
                try copy.writeArchive { _ in
                    guard taken < last else { throw Gone() }
                    taken += 1
                }
            }
        }
        try database.close()
    }

    @Test("a directory that holds anything is left as it is")
    func notEmpty() throws {
        _ = try makeArchive()
        _ = try LocalFileSystem().makeDirectory(target)
        try directory.write("target/mine", "important")

        #expect(throws: ArchiveError.self) { try restore(archive, into: target) {} }

        #expect(try LocalFileSystem().list(target) == ["mine"])
    }

    static let hostile: [(what: String, member: String, type: String)] = [
        ("a way out", "../outside", "REGTYPE"), ("an absolute path", "/tmp/quire-outside", "REGTYPE"),
        ("a link", "snapshot-0000000000000001.snap", "SYMTYPE"), ("a hard link", "CURRENT", "LNKTYPE"),
        ("a device", "wal-0000000000000002.log", "CHRTYPE"), ("a directory", "CURRENT", "DIRTYPE"), ("something else", "passwd", "REGTYPE"),
        ("a second snapshot", "snapshot-0000000000000099.snap", "REGTYPE"), ("a name with a way out", "./../CURRENT", "REGTYPE"),
    ]

    @Test("an archive with anything that does not belong is refused, and leaves nothing in the directory or outside", arguments: hostile)
    func hostileMembers(what: String, member: String, type: String) throws {
        _ = try makeArchive()
        _ = try directory.python(
            """
            import io, tarfile
            with tarfile.open('backup.tar', 'a') as tar:
                info = tarfile.TarInfo('\(member)')
                info.type = tarfile.\(type)
                info.linkname = '/etc/passwd'
                info.size = 3 if info.isreg() else 0
                tar.addfile(info, io.BytesIO(b'bad'))
            """)
        let before = try directory.names()

        #expect(throws: ArchiveError.self, "\(what)") { try restore(archive, into: target) {} }

        #expect(try LocalFileSystem().list(target) == [])
        #expect(try directory.names() == (before + ["target"]).sorted())
    }

    @Test("what is no archive, is not there or ends within a file is refused with its name")
    func noArchive() throws {
        _ = try makeArchive()
        // Behind the header of the first file.
        let cut = try directory.write("cut.tar", try contents(of: archive).prefix(1100))
        for path in [directory / "missing.tar", try directory.write("text.tar", "no archive"), cut] {
            let error = #expect(throws: (any Error).self) { try restore(path, into: target) {} }
            #expect("\(try #require(error))".contains(path))
            #expect(try LocalFileSystem().list(target) == [])
        }
    }

    @Test("an archive that was cut off anywhere, or lacks a file, is refused and leaves nothing")
    func truncated() throws {
        _ = try makeArchive()
        let bytes = try contents(of: archive)
        var refused = 0
        for length in stride(from: 0, to: bytes.count, by: 97) {
            try directory.write("cut.tar", bytes.prefix(length))
            // Behind the last file there are only zeros, which nothing needs.
            if (try? restore(directory / "cut.tar", into: target) { _ = try Self.titles(of: target) }) == nil {
                refused += 1
                #expect(try LocalFileSystem().list(target) == [], "\(length)")
            } else {
                #expect(length >= bytes.count - 2048)
                _ = try directory.python("import shutil; shutil.rmtree('target')")
            }
        }
        #expect(refused > 10)
    }

    @Test("an archive with a flipped bit is refused, or restores the same", arguments: 0..<4)
    func damaged(part: Int) throws {
        _ = try makeArchive()
        let bytes = try contents(of: archive)
        for offset in stride(from: part * 23, to: bytes.count, by: 4 * 23) {
            var damaged = bytes
            damaged[offset] ^= 1 << UInt8(offset % 8)
            try directory.write("damaged.tar", damaged)
            if let titles = try? restore(directory / "damaged.tar", into: target, check: { try Self.titles(of: target) }) {
                #expect(titles == ["first", "second"], "\(offset)")
                _ = try directory.python("import shutil; shutil.rmtree('target')")
            }
        }
    }

    // MARK: Objects that tests start from

    /// Makes a database with two documents in a snapshot and one behind it; returns the snapshot's name.
    private func makeArchive() throws -> String {
        let database = try Database(directory: source)
        try database.add("first")
        try database.add("second")
        let snapshot = try database.takeSnapshot()
        try database.add("later")
        try directory.write(try database.copySnapshot(snapshot.name), to: archive)
        try database.close()
        return snapshot.name
    }

    /// The titles in the database of a directory, in order.
    private static func titles(of directory: String, adding title: String? = nil) throws -> [String] {
        let database = try Database(directory: directory)
        if let title { try database.add(title) }
        let titles = try database.titles()
        try database.close()
        return titles
    }
}

extension Database {
    /// Adds a document of one chunk to the one library there is.
    fileprivate func add(_ title: String) throws {
        let library =
            try libraries(after: nil, limit: 1).elements.first
            ?? createLibrary(name: "only", description: nil, metric: .l2, dimension: 4, model: LibraryRecord.externalModel)
        _ = try putDocument(
            id: nil, in: library.record.id, metadata: DocumentMetadata(title: title),
            chunks: [ChunkRecord(id: .random(), text: title, pageNumber: nil, embedding: [1, 2, 3, Float(title.count)])])
    }

    fileprivate func titles() throws -> [String] {
        let library = try #require(libraries(after: nil, limit: 1).elements.first)
        return try documents(in: library.record.id, after: nil, limit: 100).elements.map(\.metadata.title)
    }
}

extension TemporaryDirectory {
    fileprivate func write(_ copy: SnapshotCopy, to path: String) throws {
        var bytes: [UInt8] = []
        try copy.writeArchive { bytes.append(contentsOf: $0) }
        try write(String(path.dropFirst(self.path.count + 1)), bytes)
    }

    /// Runs a Python program in the directory; returns what it prints.
    fileprivate func python(_ program: String) throws -> String {
        let process = try ChildProcess(
            "/usr/bin/env", ["-C", path, "PATH=/usr/bin:/bin", "python3", "-c", program], in: self)
        let status = process.wait()
        try #require(status == 0, "\(process.errors)")
        return process.output
    }
}
