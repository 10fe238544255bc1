import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("A log behind a known state")
struct RemovalTests {
    private static let fourthSegment = "data/wal-0000000000000004.log"

    @Test("segments without later records are removed, oldest first, and never the current one")
    func removal() throws {
        let removed = Shared<[String]>([])
        let fileSystem = SimulatedFileSystem(try filesOfLog(segments: 4, records: 3)) { call in
            if call.operation == .remove { removed.update { $0.append(call.path) } }
            return nil
        }
        let log = try startLog(fileSystem)
        func remove(through sequence: Int) throws -> Int { try log.removeSegments(through: SequenceNumber(sequence)) }

        #expect(try remove(through: 2) == 0)
        #expect(try remove(through: 3) == 1)
        #expect(try remove(through: 8) == 1)
        #expect(try remove(through: 100) == 1)
        #expect(try remove(through: 100) == 0)
        #expect(removed.current == [firstSegment, secondSegment, thirdSegment])
        #expect(Array(fileSystem.files.keys) == [Self.fourthSegment])

        try log.rotate()
        #expect(try remove(through: 12) == 1)
        #expect(try remove(through: 12) == 0)
        try log.close()
        let (reopened, records) = try openLog(fileSystem, after: 12, of: testID)
        #expect(records.isEmpty && reopened.recovery.sealed)
        #expect(try reopened.append(type: 7, payload: []).sequence.rawValue == 13)
        try reopened.close()
        #expect(try openLog(fileSystem, after: 12).records.count == 1)
    }

    @Test("a segment that cannot be removed is an error, and is removed after the next start")
    func failingRemoval() throws {
        let failing = Shared(true)
        let fileSystem = SimulatedFileSystem(try filesOfLog(segments: 3, records: 3)) {
            $0.operation == .remove && failing.current ? .fail(EIO) : nil
        }
        let log = try startLog(fileSystem)
        #expect(throws: StorageError.ioFailed(operation: "remove", path: firstSegment, errno: EIO)) {
            try log.removeSegments(through: SequenceNumber(6))
        }
        failing.set(false)
        #expect(try log.removeSegments(through: SequenceNumber(6)) == 1)
        try log.appendRecords(10...10)
        try log.close()

        let (reopened, records) = try openLog(fileSystem, after: 6)
        #expect(records.map(\.payload) == (7...10).map(payload))
        #expect(try reopened.removeSegments(through: SequenceNumber(6)) == 1)
        #expect(Array(fileSystem.files.keys) == [thirdSegment])
    }

    @Test("removed segments that a power loss brings back, any of them and in any state, are in nobody's way")
    func survivors() throws {
        let files = try filesOfLog(segments: 4, records: 3)
        let old = [firstSegment, secondSegment, thirdSegment]

        for subset in 0..<8 {
            for damaged in [false, true] {
                var files = files
                for (bit, path) in old.enumerated() {
                    if subset >> bit & 1 == 0 { files[path] = nil } else if damaged { files[path] = [1, 2, 3] }
                }
                let fileSystem = SimulatedFileSystem(files)

                let (log, records) = try openLog(fileSystem, after: 9, of: testID)

                #expect(records.map(\.payload) == (10...12).map(payload))
                #expect(log.recovery.obsoleteFiles.count == files.count - 1)
                #expect(log.recovery.segments == 1)
                #expect(fileSystem.files == files)
                #expect(try log.removeSegments(through: SequenceNumber(9)) == files.count - 1)
                #expect(Array(fileSystem.files.keys) == [Self.fourthSegment])
            }
        }
    }

    @Test("opened after a record, a log replays what is later and reads no segment that cannot hold it")
    func after() throws {
        let files = try filesOfLog(segments: 3, records: 4)

        for base in 0...12 {
            let (log, records) = try openLog(SimulatedFileSystem(files), after: base, of: testID)

            #expect(records.map(\.payload) == (base..<12).map { payload($0 + 1) })
            #expect(records.map(\.sequence.rawValue) == (base..<12).map { UInt64($0 + 1) })
            #expect(log.lastSequence.rawValue == 12)
            let obsolete = min(base / 4, 2)
            #expect(log.recovery.obsoleteFiles == (1...3).map { SegmentHeader.fileName($0) }.prefix(obsolete).map { $0 })
            #expect(log.recovery.segments == 3 - obsolete)
            #expect(log.recovery.recordsReplayed == 12 - base)
            #expect(log.recovery.recordsSkipped == base - obsolete * 4)
        }
    }

    @Test("a log that leaves a gap behind the known state, or is not its own, is refused, and no file is changed")
    func refusals() throws {
        let files = try filesOfLog(segments: 3, records: 4)
        let third = files[thirdSegment]!
        let short = Array(third[..<(recordOffsets(third)[4] - 4)])
        var damaged = third
        damaged[recordOffsets(third)[1] + 33] ^= 1
        var foreign = SegmentHeader.first(of: DatabaseID(high: 1, low: 2))
        foreign.number = 3
        foreign.startAt(9)
        let cases: [(String, [String: [UInt8]], Int, String)] = [
            ("no log", [:], 5, "there is no log, and it had reached record 5"),
            ("known state not known", [thirdSegment: third], 0, "segments 1 to 2 are missing"),
            ("late start", [thirdSegment: third], 6, "records 7 to 8 are missing"),
            ("middle missing", [firstSegment: files[firstSegment]!, thirdSegment: third], 3, "segments 2 to 2 are missing"),
            ("early end", files, 15, "the log ends here: records 13 to 15 are missing"),
            ("torn before its end", [thirdSegment: short], 12, "the log ends here: records 12 to 12 are missing"),
            ("damage in what is known", [thirdSegment: damaged], 12, "it had been on disk"),
            ("swapped", [secondSegment: third, thirdSegment: files[secondSegment]!], 4, "the file holds segment 2"),
            ("foreign", [thirdSegment: segment(foreign, []).bytes], 8, "belongs to database 00000000-0000-0001"),
            ("empty", [firstSegment: [], thirdSegment: third], 4, "cut off"),
        ]

        for (name, files, base, reason) in cases {
            let fileSystem = SimulatedFileSystem(files)
            do {
                _ = try openLog(fileSystem, after: base, of: testID)
                Issue.record("\(name) was accepted")
            } catch let error as StorageError {
                #expect(error.description.contains(reason), "\(name): \(error)")
                #expect(error.category == .dataRefused)
            }
            #expect(fileSystem.files == files, "\(name)")
        }
    }

    @Test("a log that is created is of the expected database")
    func expectedDatabase() throws {
        let expected = DatabaseID(high: 1, low: 2)

        #expect(try openLog(SimulatedFileSystem(), of: expected).log.databaseID == expected)
    }

    @Test("the retained bytes are those of all segments up to their last records, live and after a start")
    func retainedBytes() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem)
        func inFiles() -> UInt64 { fileSystem.files.values.reduce(0) { $0 + UInt64(recordOffsets($1).last!) } }
        #expect(log.retainedBytes == UInt64(SegmentHeader.length))

        for round in 0..<3 {
            try log.appendRecords((round * 4 + 1)...(round * 4 + 4))
            #expect(log.retainedBytes == inFiles())
            try log.rotate()
            #expect(log.retainedBytes == inFiles())
        }
        #expect(try log.removeSegments(through: SequenceNumber(4)) == 1)
        #expect(log.retainedBytes == inFiles())
        try log.appendRecords(13...14)
        try log.close()
        #expect(log.retainedBytes == inFiles())

        #expect(try openLog(fileSystem, after: 4).log.retainedBytes == inFiles())
        // Also with a segment that is not read.
        #expect(try openLog(fileSystem, after: 12).log.retainedBytes == inFiles())
    }
}
