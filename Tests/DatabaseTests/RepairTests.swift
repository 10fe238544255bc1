import Glibc
import StorageTestSupport
import TestSupport
import Testing
import VectorSearch

@testable import Database
@testable import Storage

/// A repair gives up what it says and nothing else: what it leaves is the undamaged history without the records that it names.
@Suite("Repair")
struct RepairTests {
    @Test("a directory that opens is left as it is")
    func nothingToRepair() throws {
        let history = try SmallHistory(snapshots: true)
        let fileSystem = SimulatedFileSystem(history.files)

        #expect(try Repair(directory: history.directory.path, fileSystem: fileSystem) == nil)

        #expect(fileSystem.files == history.files)
    }

    @Test("a flipped bit anywhere in a sealed log costs what is said to be given up, and no more", arguments: 0..<2)
    func logFlips(part: Int) throws {
        let history = try SmallHistory()
        let log = try #require(history.logs.first)
        let step = count("QUIRE_REPAIR_FLIP_STEP", standard: 64)
        var repaired = 0
        for offset in stride(from: part * step, to: log.value.count, by: 2 * step) {
            var files = history.files
            files[log.key]![offset] ^= 1 << UInt8(offset % 8)
            if try history.repairs(files, "byte \(offset)") { repaired += 1 }
        }
        // All but those in the seal, which a start cuts off.
        #expect(repaired > (log.value.count - 40) / (2 * step) - 2)
        report("repair: flipped bits of a log of \(log.value.count) bytes, part \(part)", "\(repaired) repaired")
    }

    @Test("a flipped bit anywhere in the newest snapshot, whose log is lost, leaves the one before it")
    func snapshotFlips() throws {
        let history = try SmallHistory(snapshots: true)
        let newest = try #require(history.snapshots.last)
        let bytes = try #require(history.files[newest])
        let step = count("QUIRE_REPAIR_FLIP_STEP", standard: 64)
        var repaired = 0
        for offset in stride(from: 0, to: bytes.count, by: step) {
            var files = history.files
            files[newest]![offset] ^= 1 << UInt8(offset % 8)
            // The records that the snapshot before it needs.
            for path in history.logs.keys.sorted().dropLast() { files[path] = nil }
            if try history.repairs(files, "byte \(offset)") { repaired += 1 }
        }
        // All but the index and what is between sections is needed.
        #expect(repaired > 0)
        report("repair: flipped bits of a snapshot of \(bytes.count) bytes", "\(repaired) repaired")
    }

    @Test("what was lost is named, with its place and what it was")
    func names() throws {
        let history = try SmallHistory()
        let log = try #require(history.logs.first?.key)
        let record = try #require(history.records.first { $0.title == "lost" })
        var files = history.files
        // Behind the header of the record, the ids and the title.
        files[log]![record.offset + Int(record.bytes) - 6] ^= 1

        let repair = try #require(try Repair(directory: history.directory.path, fileSystem: SimulatedFileSystem(files)))

        let loss = try #require(repair.givenUp.first)
        #expect(loss.sequences == record.sequence...record.sequence)
        let place = try #require(loss.places.first)
        #expect(place.file == "wal-0000000000000001.log" && place.offset == UInt64(record.offset) && place.bytes == record.bytes)
        #expect(place.record == record.sequence)
        #expect(place.was?.hasPrefix("put document ") == true && place.was?.contains("\"lost\"") == true)
    }

    @Test("changes of what is lost are given up with it")
    func dependents() throws {
        let history = try SmallHistory()
        let log = try #require(history.logs.first?.key)
        // The first library is created by record 1.
        var files = history.files
        files[log]![70] ^= 1

        let repair = try #require(try Repair(directory: history.directory.path, fileSystem: SimulatedFileSystem(files)))

        #expect(repair.givenUp.count > 4)
        #expect(repair.givenUp.dropFirst().allSatisfy { $0.reason.contains("cannot be applied") && $0.places.first?.was != nil })
        #expect(try history.repairs(files, "the first library"))
    }

    @Test("a segment that is missing costs its records", arguments: [1, 2, 3])
    func missingSegment(number: Int) throws {
        let history = try SmallHistory(segments: true)
        let path = "\(history.directory.path)/wal-000000000000000\(number).log"
        try #require(history.files[path] != nil)

        #expect(try history.repairs(history.files.filter { $0.key != path }, "segment \(number)") == (number < 3))
    }

    @Test("segments that have each other's names cost nothing")
    func swappedNames() throws {
        let history = try SmallHistory(segments: true)
        let (first, second) = ("\(history.directory.path)/wal-0000000000000001.log", "\(history.directory.path)/wal-0000000000000002.log")
        var files = history.files
        (files[first], files[second]) = (files[second], files[first])
        let repair = try #require(try Repair(directory: history.directory.path, fileSystem: SimulatedFileSystem(files)))

        #expect(repair.givenUp.isEmpty)
        #expect(try history.repairs(files, "swapped"))
    }

    @Test("a segment of another database is given up whole, and nothing of it is applied")
    func foreignSegment() throws {
        let (history, other) = (try SmallHistory(segments: true), try SmallHistory(segments: true))
        var files = history.files
        let name = "wal-0000000000000002.log"
        files["\(history.directory.path)/\(name)"] = other.files["\(other.directory.path)/\(name)"]

        let repair = try #require(try Repair(directory: history.directory.path, fileSystem: SimulatedFileSystem(files)))

        #expect(repair.givenUp.contains { $0.sequences == nil && $0.places.first?.file == name })
        #expect(try history.repairs(files, "foreign"))
    }

    @Test("what a later version wrote is not damaged, and is not repaired")
    func laterVersion() throws {
        let history = try SmallHistory()
        let log = try #require(history.logs.first?.key)
        var files = history.files
        files[log]![8] = 3
        let checksum = files[log]!.withUnsafeBytes { crc32c(0, UnsafeRawBufferPointer(rebasing: $0[..<60])) }
        withUnsafeBytes(of: checksum.littleEndian) { files[log]!.replaceSubrange(60..<64, with: $0) }

        #expect(throws: StorageError.unsupportedFormat(file: log, major: 3, minor: 0)) {
            try Repair(directory: history.directory.path, fileSystem: SimulatedFileSystem(files))
        }

        let fileSystem = SimulatedFileSystem()
        let later = try WriteAheadLog.open(directory: "data", fileSystem: fileSystem, policy: .os) { _ in }
        _ = try later.append(type: 200, payload: [])
        try later.close()
        #expect(throws: StorageError.unsupportedRecord(type: 200, version: 1)) { try Repair(directory: "data", fileSystem: fileSystem) }
    }

    @Test("the comparison of these tests notices a loss that is not named, and one that is named and was none")
    func comparison() throws {
        let history = try SmallHistory()
        let log = try #require(history.logs.first?.key)
        let (lost, kept) = try (
            #require(history.records.first { $0.title == "lost" }), #require(history.records.first { $0.title == "late" })
        )
        var files = history.files
        files[log]![lost.offset] ^= 1
        let fileSystem = SimulatedFileSystem(files)
        let repair = try #require(try Repair(directory: history.directory.path, fileSystem: fileSystem))
        // Its deletion goes with it.
        let named = Set(repair.givenUp.compactMap { $0.sequences?.lowerBound })
        #expect(named.count == 2 && named.contains(lost.sequence))

        _ = try repair.carryOut(backup: history.backup)

        let found = try history.open(fileSystem)
        #expect(found == history.expected(without: named, damaged: [lost.sequence]))
        #expect(found != history.expected(without: [], damaged: []))
        #expect(found != history.expected(without: named.union([kept.sequence]), damaged: [lost.sequence, kept.sequence]))
    }

    @Test("where nothing is left, the directory opens empty, and says that everything is given up")
    func nothingLeft() throws {
        let history = try SmallHistory()
        let files = history.files.mapValues { [UInt8](repeating: 7, count: $0.count) }
        let fileSystem = SimulatedFileSystem(files)
        let repair = try #require(try Repair(directory: history.directory.path, fileSystem: fileSystem))

        #expect(repair.givenUp.map(\.sequences) == [nil])
        _ = try repair.carryOut(backup: history.backup)

        #expect(try history.open(fileSystem).libraries.isEmpty)
    }

    @Test("changes nothing before the copy is complete, and does not copy over anything")
    func copyFirst() throws {
        let place = TemporaryDirectory()
        let history = try SmallHistory()
        for (path, bytes) in history.files { try place.write(String(path.dropFirst(history.directory.path.count + 1)), bytes) }
        let log = place / "wal-0000000000000001.log"
        var bytes = try contents(of: log)
        bytes[100] ^= 1
        try place.write("wal-0000000000000001.log", bytes)
        let taken = TemporaryDirectory()
        let repair = try #require(try Repair(directory: place.path))

        #expect(throws: StorageError.ioFailed(operation: "mkdir", path: taken.path, errno: EEXIST)) {
            _ = try repair.carryOut(backup: taken.path)
        }
        #expect(try contents(of: log) == bytes)
        #expect(try place.names() == ["wal-0000000000000001.log"])

        _ = try repair.carryOut(backup: taken / "copy")
        #expect(try contents(of: taken / "copy/wal-0000000000000001.log") == bytes)
        #expect(try !place.names().contains("wal-0000000000000001.log"))
    }

    @Test("a crash at any call leaves a directory that is refused, or opens with what is kept; and it is repaired again", arguments: 0..<4)
    func crashes(part: Int) throws {
        let history = try SmallHistory(snapshots: true)
        var damaged = history.files
        let last = try #require(history.logs.keys.sorted().last)
        damaged[last]![70] ^= 1
        let files = damaged
        let whole = SimulatedFileSystem(files)
        let kept = try #require(try Repair(directory: history.directory.path, fileSystem: whole))
        let before = whole.callCount
        _ = try kept.carryOut(backup: history.backup)
        let calls = whole.callCount - before
        let expected = try history.open(whole)
        var generator = SplitMix(seed: seed("crashes of a repair, part \(part)", standard: UInt64(part)))
        var (refused, opened) = (0, 0)

        for call in stride(from: 1 + part, through: calls, by: 4) {
            let start = Shared(Int.max)
            let fileSystem = SimulatedFileSystem(files) { $0.number >= start.current ? .fail(EIO) : nil }
            let repair = try #require(try Repair(directory: history.directory.path, fileSystem: fileSystem))
            start.update { $0 = fileSystem.callCount + call }
            #expect(throws: StorageError.self) { _ = try repair.carryOut(backup: history.backup) }

            let after = SimulatedFileSystem(fileSystem.filesAfterPowerLoss(&generator))
            if let again = try Repair(directory: history.directory.path, fileSystem: after) {
                refused += 1
                _ = try again.carryOut(backup: history.backup + ".again")
            } else {
                opened += 1
            }
            #expect(try history.open(after) == expected, "call \(call)")
        }
        #expect(refused > 0 && opened > 0)
        report("repair: crashes, part \(part)", "\(refused) refused and repaired again, \(opened) opened")
    }
}

/// A small database with every kind of change, as files that tests damage.
private struct SmallHistory {
    struct Record {
        let sequence: SequenceNumber
        let mutation: Mutation
        let offset: Int
        let bytes: UInt64

        var title: String? { if case .putDocument(let document) = mutation { document.metadata.title } else { nil } }
    }

    /// Where the files seem to be; the lock is there in truth.
    let directory = TemporaryDirectory()
    let files: [String: [UInt8]]
    let records: [Record]

    var backup: String { directory.path + ".backup" }
    var logs: [String: [UInt8]] { files.filter { $0.key.hasSuffix(".log") } }
    var snapshots: [String] { files.keys.filter { $0.hasSuffix(".snap") }.sorted() }

    /// - Parameters:
    ///   - segments: whether the log has three segments, one without records, and all its records.
    ///   - snapshots: whether there are two snapshots.
    init(segments: Bool = false, snapshots: Bool = false) throws {
        let fileSystem = SimulatedFileSystem()
        let database = try Database(directory: directory.path, fileSystem: fileSystem, builderThreads: 0)
        var removed: [String: [UInt8]] = [:]
        func end() throws {
            if segments { try database.log.rotate() }
            guard snapshots else { return }
            // The records that go with a snapshot, for the history.
            removed.merge(fileSystem.files.filter { $0.key.hasSuffix(".log") }) { $1 }
            _ = try database.takeSnapshot()
        }
        let library = try database.makeLibrary("kept")
        let other = try database.makeLibrary("other", metric: .dot, index: IndexConfiguration(.hnsw))
        for number in 1...6 { try database.put(number, in: number % 2 == 0 ? other : library, [chunk(number, [1, 0, 2, Float(number)])]) }
        try end()
        try database.put(7, in: library, [chunk(70, [1, 1, 1, 1]), chunk(71, [2, 2, 2, 2])], title: "lost")
        try database.put(3, in: library, [chunk(3, [4, 3, 2, 1]), chunk(8, [5, 5, 5, 5])], title: "new", onConflict: .replace)
        try database.deleteDocument(.number(1))
        _ = try database.updateLibrary(library, LibraryChange(name: "renamed", description: "words"))
        try end()
        try database.put(9, in: library, [chunk(90, [1, 2, 3, 5])], title: "late")
        try database.deleteDocument(.number(7))
        try database.rebuildIndex(of: other, as: IndexConfiguration(.ivf))
        try database.deleteLibrary(other)
        try database.close()

        let all = fileSystem.files.filter { !$0.key.hasSuffix("LOCK") }
        // Without the zeros that are written ahead: flips in them are those of a torn tail.
        files = all.mapValues { bytes in Array(bytes.dropLast((bytes.count - bytes.reversed().drop { $0 == 0 }.count) & ~7)) }
        records = try Self.records(removed.merging(all) { $1 }.filter { $0.key.hasSuffix(".log") }, directory.path)
    }

    private static func records(_ files: [String: [UInt8]], _ directory: String) throws -> [Record] {
        let log = LogFiles(directory: directory, fileSystem: SimulatedFileSystem(files))
        var records: [Record] = []
        for name in try log.segments() {
            let scan = try log.scan(name)
            while let entry = try scan.next() {
                guard case .record(let record) = entry.content else { continue }
                records.append(
                    Record(
                        sequence: record.sequence, mutation: try Mutation(record: record), offset: Int(entry.offset), bytes: entry.bytes))
            }
        }
        return records
    }

    /// What a start finds.
    func open(_ fileSystem: SimulatedFileSystem) throws -> Dump {
        let database = try Database(directory: directory.path, fileSystem: fileSystem, builderThreads: 0)
        defer { try? database.close() }
        return try database.dump()
    }

    /// The state without some records, by the simplest of databases; each of them was lost, or could no longer be applied.
    func expected(without givenUp: Set<SequenceNumber>, damaged: Set<SequenceNumber>) -> Dump {
        var model = Model()
        for record in records {
            let isRefused = model.refusal(of: record.mutation, .replace, limit: 0, expecting: nil) != nil
            if !givenUp.contains(record.sequence) {
                #expect(!isRefused, "record \(record.sequence) was kept")
                model.apply(record.mutation)
                continue
            }
            if !damaged.contains(record.sequence) { #expect(isRefused, "record \(record.sequence) was given up") }
            model.skip()
        }
        return model.dump()
    }

    /// Repairs damaged files and holds the result against what is said. False if there was nothing to repair, and nothing lost.
    func repairs(_ damaged: [String: [UInt8]], _ what: Comment) throws -> Bool {
        let fileSystem = SimulatedFileSystem(damaged)
        guard let repair = try Repair(directory: directory.path, fileSystem: fileSystem) else {
            let missing = records.count - Int(try open(fileSystem).lastSequence.rawValue)
            #expect(missing == 0 || damaged.count < files.count, what)
            return false
        }
        #expect(fileSystem.files == damaged, "a plan changes nothing")
        let lost = repair.givenUp.flatMap { loss in loss.sequences.map { Array($0.lowerBound.rawValue...$0.upperBound.rawValue) } ?? [] }
        let damagedRecords = repair.givenUp.filter { !$0.reason.contains("cannot be applied") }.flatMap { loss in
            loss.sequences.map { Array($0.lowerBound.rawValue...$0.upperBound.rawValue) } ?? []
        }
        #expect(Set(lost).count == lost.count, what)
        let expected = expected(without: Set(lost.map(SequenceNumber.number)), damaged: Set(damagedRecords.map(SequenceNumber.number)))

        _ = try repair.carryOut(backup: backup)

        #expect(try open(fileSystem) == expected, what)
        #expect(try Verification.ofDirectory(directory.path, fileSystem: fileSystem).isIntact, what)
        let copied = fileSystem.files.filter { $0.key.hasPrefix(backup + "/") }
        #expect(Set(copied.values) == Set(damaged.values), what)
        return true
    }
}
