import StorageTestSupport
import TestSupport
import Testing
import VectorSearch

@testable import Database
@testable import Storage

@Suite("Inspection")
struct InspectionTests {
    private func items(of directory: TemporaryDirectory, _ name: String) throws -> [Inspection.Item] {
        var items: [Inspection.Item] = []
        try Inspection(directory: directory.path).run(name) {
            items.append($0)
            return true
        }
        return items
    }

    @Test("shows the records of the log with ids and titles, and the sections of snapshots, and changes nothing")
    func shows() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary("a library")
        try test.database.put(1, in: library, [chunk(1, [1, 2, 3, 4])], title: "a title")
        try test.database.deleteDocument(.number(1))
        try test.database.put(2, in: library, [chunk(2, [1, 2, 3, 4]), chunk(3, [0, 0, 0, 1])], title: "kept")
        let snapshot = try test.database.takeSnapshot()
        let names = try test.directory.names()

        let inspection = Inspection(directory: test.directory.path)
        #expect(
            try inspection.files() == [
                "CURRENT", snapshot.name, "wal-0000000000000001.log", "wal-0000000000000002.log", "LOCK",
            ])

        let log = try items(of: test.directory, "wal-0000000000000001.log")
        #expect(log.map(\.kind) == [.file, .record, .record, .record, .record, .seal])
        #expect(log.dropFirst().map(\.type) == ["create library", "put document", "delete document", "put document", "seal"])
        #expect(log[1].text.contains("\(library) \"a library\", l2, 4 dimensions"))
        #expect(log[2].sequence == .number(2) && log[2].text.contains("\"a title\" in library \(library), 1 chunks"))
        #expect(zip(log.dropFirst(), log.dropFirst(2)).allSatisfy { $0.offset + $0.bytes == $1.offset })

        let sections = try items(of: test.directory, snapshot.name)
        #expect(sections.map(\.type) == ["snapshot", "library", "documents", "texts", "vectors"])
        #expect(sections[0].sequence == .number(4) && sections[0].bytes == snapshot.bytes)
        #expect(sections[1].text.contains("1 documents, 2 rows"))
        #expect(sections[2].text.contains("\"kept\""))
        #expect(sections[4].text == "2 rows")
        #expect(try items(of: test.directory, "CURRENT").map(\.text) == ["a start loads \(snapshot.name)"])
        #expect(try test.directory.names() == names)
    }

    @Test("shows damage in its place and goes on behind it, in the log; of a snapshot, what is before it")
    func damage() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        for number in 1...3 { try test.database.put(number, in: library, [chunk(number, [1, 2, 3, Float(number)])]) }
        let snapshot = try test.database.takeSnapshot()
        try test.close()
        let name = "wal-0000000000000001.log"
        let whole = try items(of: test.directory, name)
        for (file, offset) in [(name, Int(whole[3].offset) + 110), (snapshot.name, 64 + 20)] {
            var bytes = try contents(of: test.directory / file)
            bytes[offset] ^= 1
            try test.directory.write(file, bytes)
        }

        let log = try items(of: test.directory, name)
        #expect(log.map(\.kind) == [.file, .record, .record, .damage, .record, .seal])
        #expect(log[3].offset == whole[3].offset && log[3].sequence == .number(3))
        #expect(log[3].text.contains("once ") && log[3].type == "put document")
        #expect(Array(log[..<3] + log[4...]) == Array(whole[..<3] + whole[4...]))
        let sections = try items(of: test.directory, snapshot.name)
        #expect(sections.map(\.kind) == [.file, .damage])
        #expect(sections[1].offset == 64 && sections[1].offset + sections[1].bytes == snapshot.bytes)
    }

    @Test("shows the index of a snapshot, and what is left when headers are damaged")
    func headers() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        try test.database.fill(library, count: 20)
        try test.database.waitUntilIndexed(library)
        let snapshot = try test.database.takeSnapshot()
        let sections = try items(of: test.directory, snapshot.name)
        #expect(sections.map(\.type) == ["snapshot", "library", "documents", "texts", "vectors", "index"])

        let log = "wal-0000000000000001.log"
        let records = try items(of: test.directory, log)
        for (name, offset) in [(snapshot.name, 20), (log, 20), ("CURRENT", 3), (snapshot.name, Int(sections[5].offset) + 40)] {
            var bytes = try contents(of: test.directory / name)
            bytes[offset] ^= 1
            try test.directory.write(name, bytes)
        }

        #expect(try items(of: test.directory, snapshot.name).map(\.kind) == [.file, .damage])
        #expect(try items(of: test.directory, "CURRENT").first?.text.contains("damaged") == true)
        let damaged = try items(of: test.directory, log)
        #expect(damaged.map(\.kind) == [.file, .damage] + records.dropFirst().map(\.kind))
        #expect(Array(damaged.dropFirst(2)) == Array(records.dropFirst()))
    }

    @Test("gives every kind of record words of its own", arguments: InapplicableChange.allCases)
    func words(change: InapplicableChange) throws {
        for mutation in change.mutations {
            let record = LogRecord(
                type: mutation.recordType.rawValue, version: mutation.recordType.version, flags: [], sequence: .number(1),
                payload: mutation.encoded())
            #expect(Mutation.summary(ofDamaged: record) == mutation.summary)
            guard record.payload.count > 16 else { continue }
            let damaged = LogRecord(
                type: record.type, version: record.version, flags: [], sequence: .number(1), payload: Array(record.payload.dropLast(1)))
            #expect(!Mutation.summary(ofDamaged: damaged).isEmpty)
            // As much of it as is left: what a record is about comes first.
            #expect(mutation.summary.hasPrefix(Mutation.summary(ofDamaged: damaged).prefix(36)))
        }
    }
}
