import Database
import FoundationEssentials
import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

@Suite("quire on stored data")
struct DataCommandTests {
    /// The commands, a data directory with a library and three documents in `data`, and what is in the only segment of its log.
    private struct Place {
        let directory = TemporaryDirectory()
        let log: String

        var data: String { directory / "data" }

        init() throws {
            let database = try Database(directory: directory / "data")
            let library = try database.createLibrary(
                name: "library", description: nil, metric: .l2, dimension: 2, model: LibraryRecord.externalModel)
            for number in 1...3 {
                _ = try database.putDocument(
                    id: nil, in: library.record.id, metadata: DocumentMetadata(title: "title \(number)\u{1b}[31m"),
                    chunks: [ChunkRecord(id: .random(), text: "text", pageNumber: nil, embedding: [1, Float(number)])])
            }
            try database.close()
            log = directory / "data/wal-0000000000000001.log"
        }

        /// Damages the record of the second document.
        func damage() throws {
            var bytes = try contents(of: log)
            let title = Array("title 2".utf8)
            let place = bytes.indices.first { bytes[$0...].starts(with: title) }
            bytes[try #require(place)] ^= 1
            try directory.write("data/wal-0000000000000001.log", bytes)
        }

        func files() throws -> [String: [UInt8]] {
            try FileManager.default.contentsOfDirectory(atPath: data).reduce(into: [:]) { files, name in
                if name != DirectoryLock.fileName { files[name] = try contents(of: "\(data)/\(name)") }
            }
        }

        func documents() throws -> Int {
            let database = try Database(directory: data)
            defer { try? database.close() }
            return database.libraries(after: nil, limit: 9).elements.map(\.documentCount).reduce(0, +)
        }
    }

    @Test("inspect shows a directory or a file, bounded, with nothing that steers a terminal")
    func inspect() throws {
        let place = try Place()
        let files = try place.files()

        let all = try place.directory.quire("inspect", place.data)
        #expect(all.status == 0, "\(all.errorOutput)")
        #expect(all.output.contains("wal-0000000000000001.log, ") && all.output.contains("record 2 put document: "))
        #expect(!all.output.contains("\u{1b}") && all.output.contains(#"title 1\u{1B}[31m"#))
        let log = try place.directory.quire("inspect", place.log)
        #expect(all.output == log.output + "LOCK, \(String(getpid()).count + 1) bytes, other\n")
        let some = try place.directory.quire("inspect", place.data, "--from", "3", "--through", "3")
        #expect(some.output.contains("record 3 ") && !some.output.contains("record 2 ") && !some.output.contains("record 4 "))
        let few = try place.directory.quire("inspect", place.data, "--records", "--limit", "2")
        #expect(few.output.split(separator: "\n").count == 4 && few.output.hasSuffix("--limit 0 shows all\n"))
        let everything = try place.directory.quire("inspect", place.data, "--limit", "0")
        #expect(everything.output == all.output)
        #expect(try place.directory.quire("inspect", place.data, "--limit", "-1").status == 64)
        #expect(try place.files() == files)
    }

    @Test("inspect writes an object a line when asked, and takes the directory of the settings")
    func inspectJSON() throws {
        let place = try Place()

        let result = try place.directory.quire(
            "inspect", "--json", environment: ["VECTOR_DB_DATA_DIR": place.data, "RUN_DIRECTORY": place.directory / "run", "HOME": "/h"])

        #expect(result.status == 0, "\(result.errorOutput)")
        let items = try result.output.split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) }
        #expect(items.compactMap { $0["kind"]?.string } == ["file", "record", "record", "record", "record", "seal", "unused", "file"])
        #expect(items[2]["sequence"] == 2 && items[2]["type"] == "put document")
    }

    @Test("inspect shows damage in its place and what is behind it")
    func inspectDamage() throws {
        let place = try Place()
        try place.damage()

        let result = try place.directory.quire("inspect", place.data)

        #expect(result.status == 0)
        #expect(result.output.contains("DAMAGED 3 put document: the record does not match its checksum, once "))
        #expect(result.output.contains("record 4 "))
    }

    @Test("verify says what was checked, exits 65 for damage, and leaves every file as it is")
    func verify() throws {
        let place = try Place()

        let intact = try place.directory.quire("verify", place.data)
        #expect(intact.status == 0, "\(intact.errorOutput)")
        #expect(intact.output.contains("intact  wal-0000000000000001.log: 4 records, 1 seals, "))
        #expect(intact.output.contains("intact  state: 4 records, 0 torn bytes, 1 libraries, 3 documents, 3 chunks, 3 vectors\n"))
        #expect(intact.output.hasSuffix("\nintact\n"))

        try place.damage()
        let files = try place.files()
        let damaged = try place.directory.quire("verify", place.data)
        #expect(damaged.status == 65)
        #expect(damaged.output.contains("DAMAGED wal-0000000000000001.log") && damaged.output.contains("DAMAGED state"))
        #expect(damaged.output.hasSuffix("damaged: 2 of 3 parts\n"))
        #expect(try place.files() == files)
    }

    @Test("verify and repair exit 75 while a server runs, and name what to do", arguments: ["verify", "repair"])
    func locked(command: String) throws {
        let place = try Place()
        let database = try Database(directory: place.data)

        let result = try place.directory.quire(command, place.data)

        #expect(result.status == 75)
        #expect(result.errorOutput.contains("\(getpid())"))
        #expect(result.errorOutput.contains("POST /v1/admin/verify") == (command == "verify"))
        try database.close()
    }

    @Test("exit 66 where there is no database, and leave nothing there", arguments: ["verify", "repair", "inspect"])
    func noDatabase(command: String) throws {
        let place = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: place / "empty", withIntermediateDirectories: false)

        #expect(try place.quire(command, place / "nothing").status == 66)
        if command != "inspect" { #expect(try place.quire(command, place / "empty").status == 66) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: place / "empty").isEmpty)
    }

    @Test("repair says what it gives up, copies first, and leaves a directory that opens")
    func repair() throws {
        let place = try Place()
        try place.damage()
        let files = try place.files()

        let dry = try place.directory.quire("repair", place.data, "--dry-run")
        #expect(dry.status == 0, "\(dry.errorOutput)")
        #expect(dry.output.contains("given up: record 3: damaged\n") && dry.output.contains("record 3: put document "))
        #expect(try place.files() == files)

        let result = try place.directory.quire("repair", place.data + "/")
        #expect(result.status == 0, "\(result.errorOutput)")
        #expect(result.output == dry.output + "repaired; the directory as it was is in \(place.data).before-repair\n")
        let backup = "\(place.data).before-repair/wal-0000000000000001.log"
        #expect(try contents(of: backup) == files["wal-0000000000000001.log"])
        #expect(try place.documents() == 2)
        #expect(try place.directory.quire("verify", place.data).status == 0)
    }

    @Test("repair leaves a directory that opens as it is, and does not copy over anything")
    func repairRefusals() throws {
        let place = try Place()
        let files = try place.files()

        let nothing = try place.directory.quire("repair", place.data)
        #expect(nothing.status == 0 && nothing.output == "nothing to repair: a start opens \(place.data)\n")
        #expect(try place.files() == files)

        try place.damage()
        let damaged = try place.files()
        let taken = try place.directory.quire("repair", place.data, "--backup", place.directory.path)
        #expect(taken.status == 73)
        #expect(taken.errorOutput.contains("name another one with --backup"))
        #expect(try place.files() == damaged)
    }
}
