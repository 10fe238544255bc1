import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// What a server makes of a data directory that is not as it left it, or not its own.
@Suite("Faults: the data directory", .serialized)
struct DirectoryTests {
    // MARK: Not its own

    @Test("one that may not be written ends the server with 78 and a line that names it, before anything is served")
    func foreignDirectory() throws {
        let directory = TemporaryDirectory()
        let (home, data) = (directory / "home", directory / "data")
        #expect(mkdir(home, 0o755) == 0 && mkdir(data, 0o755) == 0)
        var command = ["\(builtProducts)/quire-server"]
        if geteuid() == 0 {
            // Root may write anywhere, and so becomes somebody else.
            #expect(chown(home, Self.user, Self.user) == 0)
            command = ["/usr/bin/setpriv", "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups"] + command
        } else {
            #expect(chmod(data, 0o555) == 0)
        }

        try expectRefused(command, runDirectory: home + "/run", dataDirectory: data, in: directory, because: "Permission denied")
    }

    /// Somebody who owns nothing here.
    private static let user: uid_t = 61_234

    @Test("one on a read-only file system does the same")
    func readOnlyFileSystem() throws {
        let directory = TemporaryDirectory()
        #expect(mkdir(directory / "data", 0o755) == 0)
        let mount = #"mount -t tmpfs -o ro none "$VECTOR_DB_DATA_DIR" && exec "#
        let become = geteuid() == 0 ? "" : "unshare --user --map-user=\(geteuid()) --map-group=\(getegid()) "
        let command =
            ["/usr/bin/unshare"] + (geteuid() == 0 ? ["--mount"] : ["--map-root-user", "--mount"])
            + ["/bin/sh", "-c", mount + become + #""$@""#, "sh", "\(builtProducts)/quire-server"]

        try expectRefused(
            command, runDirectory: directory / "run", dataDirectory: directory / "data", in: directory, because: "Read-only file system")
    }

    private func expectRefused(
        _ command: [String], runDirectory: String, dataDirectory: String, in directory: TemporaryDirectory, because reason: String
    ) throws {
        let settings = noModel.merging([
            "PORT": "\(freePort())", "RUN_DIRECTORY": runDirectory, "VECTOR_DB_DATA_DIR": dataDirectory, "PATH": "/usr/bin:/bin",
        ]) { $1 }

        let server = try ChildProcess(command[0], Array(command.dropFirst()), environment: settings, in: directory)

        #expect(server.wait() == 78)
        let reasons = server.errors.split(separator: "\n").filter { $0.contains(dataDirectory) }
        #expect(reasons.count == 1 && reasons[0].contains(reason), "\(server.errors)")
        #expect(!server.errors.contains("serves"))
    }

    @Test("one in use ends a second server with 75 within a second, naming the process that has it, which goes on")
    func inUse() throws {
        let first = try QuireInstance(noModel)
        let library = try first.createLibrary()
        let responder = try #require(first.responder)

        let start = ContinuousClock.now
        let second = try first.run("quire-server", settings: ["RUN_DIRECTORY": first.directory / "second"])
        let code = second.wait()

        #expect(code == 75)
        #expect(ContinuousClock.now - start < .seconds(1))
        #expect(second.errors.contains("is held by process \(responder)"), "\(second.errors)")
        #expect(first.responder == responder)
        #expect(try first.get("/v1/libraries/\(library)").status == 200)
    }

    // MARK: More in it than there was

    @Test("files of others are no reason not to start: leftovers are removed, the rest is left alone; those named like the log's are said")
    func unknownFiles() throws {
        let data = try StoppedData()
        let leftovers = ["wal-0000000000000099.log.tmp", "snapshot-0000000000000099.snap.tmp", "CURRENT.tmp"]
        let foreign = ["wal-0000000000000001.log~", ".wal-0000000000000001.log.swp", "wal-1.log", "notes.txt", "snapshot-1.snap", "x.tmp"]
        for name in leftovers + foreign { try Data("not ours".utf8).write(to: URL(filePath: data.path(name))) }
        #expect(mkdir(data.path("lost+found"), 0o700) == 0)
        let directories = ["wal-backup", "wal-0000000000000098.log", "snapshot-0000000000000098.snap"]
        for name in directories { #expect(mkdir(data.path(name), 0o700) == 0) }

        try data.quire.startServer()
        try data.quire.waitUntilReady()

        try data.expectEverythingThere()
        let names = try data.names()
        #expect(names.filter(leftovers.contains) == [])
        #expect(names.filter(foreign.contains).count == foreign.count)
        #expect(names.filter((directories + ["lost+found"]).contains).count == 4)
        let warning = data.quire.log.split(separator: "\n").first { $0.contains("they were left alone") }
        for name in ["wal-0000000000000001.log~", "wal-1.log", "wal-backup", "wal-0000000000000098.log"] {
            #expect(warning?.contains(name) == true, "\(name)")
        }
    }

    @Test("an empty segment behind the last is left alone, and said")
    func emptySegment() throws {
        let data = try StoppedData()
        let next = data.segments.last!.replacing("3.log", with: "4.log")
        #expect(!data.segments.contains(next))
        try Data().write(to: URL(filePath: data.path(next)))

        try data.quire.startServer()
        try data.quire.waitUntilReady()

        try data.expectEverythingThere()
        #expect(data.quire.log.contains(next))
    }

    // MARK: Less in it than there was, or something else

    @Test(
        "what is missing or mixed up is refused with 65 and a line that says which file, and no file is changed", arguments: Mishap.allCases
    )
    func mishaps(mishap: Mishap) throws {
        let data = try StoppedData()
        let expected = try data.suffer(mishap)
        let before = try data.files()

        try data.quire.startServer()

        #expect(data.quire.waitForServer() == 65)
        let lines = data.quire.lastLog.split(separator: "\n").filter { $0.hasPrefix("quire-server: ") }
        #expect(lines.count == 1 && lines[0].contains(expected), "\(data.quire.lastLog)")
        #expect(try data.files() == before)
    }

    @Test("a missing newest snapshot is no loss: the one before it and the log say the same")
    func missingNewestSnapshot() throws {
        let data = try StoppedData()
        try FileManager.default.removeItem(atPath: data.path(data.snapshots[1]))

        try data.quire.startServer()
        try data.quire.waitUntilReady()

        try data.expectEverythingThere()
    }

    enum Mishap: CaseIterable, Sendable {
        case segmentMissingInTheMiddle, bothSnapshotsMissing, segmentsSwapped, segmentOfAnotherDatabase, snapshotOfAnotherDatabase
    }
}

/// The data of a server that was stopped: two snapshots and the two segments since the first of them.
private struct StoppedData {
    let quire: QuireInstance
    private let library: String
    private let oracle = Oracle()
    let segments: [String]
    let snapshots: [String]

    init() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary()
        var chance = SplitMix(seed: seed("data directories", standard: 19))
        for round in 0..<3 {
            for _ in 0..<5 {
                let document = chance.document(chunks: 2, dimension: Load.dimension)
                try oracle.put(document) { try #require(Oracle.Outcome(of: quire.put(document, in: library), success: 201)) }
            }
            if round < 2 { #expect(try quire.post("/v1/admin/snapshots", "").status == 201) }
        }
        #expect(quire.stopServer() == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectory).sorted()
        (self.quire, self.library) = (quire, library)
        (segments, snapshots) = (names.filter { $0.hasSuffix(".log") }, names.filter { $0.hasSuffix(".snap") })
        guard segments.count == 2, snapshots.count == 2 else { throw QuireInstance.Failed(what: "\(names)") }
    }

    func path(_ name: String) -> String { quire.dataDirectory + "/" + name }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectory).sorted() }

    func files() throws -> [String: [UInt8]] {
        let names = try names().filter { $0 != "LOCK" }
        return Dictionary(uniqueKeysWithValues: try names.map { ($0, try contents(of: path($0))) })
    }

    func expectEverythingThere() throws {
        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(contents.documents.count == 15)
        #expect(oracle.violations(in: contents) == [])
    }

    /// Returns what the refusal has to say.
    func suffer(_ mishap: DirectoryTests.Mishap) throws -> String {
        let files = FileManager.default
        switch mishap {
        case .segmentMissingInTheMiddle:
            // Without the newest snapshot, both segments are needed.
            try files.removeItem(atPath: path(snapshots[1]))
            try files.removeItem(atPath: path(segments[0]))
            return segments[1]
        case .bothSnapshotsMissing:
            for name in snapshots { try files.removeItem(atPath: path(name)) }
            return segments[0]
        case .segmentsSwapped:
            try files.moveItem(atPath: path(segments[0]), toPath: path("aside"))
            try files.moveItem(atPath: path(segments[1]), toPath: path(segments[0]))
            try files.moveItem(atPath: path("aside"), toPath: path(segments[1]))
            return segments[1]
        case .segmentOfAnotherDatabase:
            try replace(segments[1], from: StoppedData())
            return segments[1]
        case .snapshotOfAnotherDatabase:
            try files.removeItem(atPath: path(snapshots[0]))
            try replace(snapshots[1], from: StoppedData())
            return segments[1]
        }
    }

    private func replace(_ name: String, from other: StoppedData) throws {
        try Data(try contents(of: other.path(name))).write(to: URL(filePath: path(name)))
    }
}
