import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Recovery")
struct RecoveryTests {
    @Test("a directory without a log gets one, durably, before it is used")
    func creation() throws {
        let fileSystem = SimulatedFileSystem()

        let (log, records) = try openLog(fileSystem)

        #expect(records.isEmpty)
        #expect(log.databaseID == testID)
        #expect(log.recovery == RecoveryReport())
        var generator = SplitMix(seed: 1)
        let files = fileSystem.filesAfterPowerLoss(&generator)
        #expect(Array(files.keys) == [firstSegment])
        #expect(files[firstSegment]?.count == 4096)
        try log.close()
    }

    @Test("everything appended is replayed in order, after every reopening")
    func replay() throws {
        let fileSystem = SimulatedFileSystem()

        for round in 0..<4 {
            let (log, records) = try openLog(fileSystem)
            #expect(records.map(\.payload) == (0..<(round * 5)).map { payload($0 + 1) })
            #expect(records.map(\.sequence.rawValue) == (0..<(round * 5)).map { UInt64($0 + 1) })
            #expect(log.lastSequence.rawValue == UInt64(round * 5))
            #expect(log.durableSequence == log.lastSequence)
            #expect(log.recovery.recordsReplayed == round * 5)
            #expect(log.recovery.sealed == (round > 0))
            #expect(log.databaseID == testID)
            try log.start(committed: { _ in }, failed: { _ in })
            for number in 1...5 {
                try log.waitUntilCommitted(try log.append(type: 3, payload: payload(round * 5 + number)))
            }
            try log.close()
        }
    }

    @Test("type, version and flags come back as they were given")
    func fields() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try openLog(fileSystem).log
        _ = try log.append(type: 255, version: 9, flags: .skippable, payload: [])
        _ = try log.append(type: 1, payload: [1])
        try log.close()

        let records = try openLog(fileSystem).records

        #expect(
            records == [
                LogRecord(type: 255, version: 9, flags: .skippable, sequence: SequenceNumber(rawValue: 1), payload: []),
                LogRecord(type: 1, version: 1, flags: [], sequence: SequenceNumber(rawValue: 2), payload: [1]),
            ])
    }

    @Test("records larger than the reading window, and a log larger than one allocation, are read back")
    func largeRecords() throws {
        let fileSystem = SimulatedFileSystem()
        let options = LogOptions(allocation: LogOptions.Allocation(first: 1 << 20, largestStep: 1 << 20), newDatabaseID: testID)
        let log = try openLog(fileSystem, options: options).log
        let large = [UInt8](repeating: 0xab, count: (1 << 20) + 5)
        _ = try log.append(type: 1, payload: large)
        _ = try log.append(type: 1, payload: payload(3))
        try log.close()

        let records = try openLog(fileSystem).records

        #expect(records.map(\.payload) == [large, payload(3)])
    }

    @Test("a record its reader does not know is refused with its place, and no file is changed")
    func unknownRecords() throws {
        let files = try filesOfLog(records: 5)
        let offsets = recordOffsets(files[firstSegment]!)

        for (thrown, reason) in [
            (StorageError.unsupportedRecord(type: 7, version: 1), "unknown record type 7, version 1"),
            (StorageError.malformedPayload(offset: 4, reason: "why"), "malformed payload at byte 4: why"),
        ] {
            let fileSystem = SimulatedFileSystem(files)
            #expect(
                throws: StorageError.damaged(
                    file: firstSegment, offset: UInt64(offsets[2]), sequence: SequenceNumber(rawValue: 3), reason: reason, recordsAfter: 2)
            ) {
                try WriteAheadLog.open(directory: directory, fileSystem: fileSystem, policy: .always) { record in
                    if record.sequence.rawValue == 3 { throw thrown }
                }
            }
            #expect(fileSystem.files == files)
        }
    }

    @Test("any other error of the reader passes unchanged")
    func readerErrors() throws {
        struct Stop: Error {}
        let fileSystem = SimulatedFileSystem(try filesOfLog(records: 2))

        #expect(throws: Stop.self) {
            try WriteAheadLog.open(directory: directory, fileSystem: fileSystem, policy: .always) { _ in throw Stop() }
        }
    }

    @Test("contiguous segments are one log")
    func segments() throws {
        let fileSystem = SimulatedFileSystem(twoSegments())

        let (log, records) = try openLog(fileSystem)
        let next = try log.append(type: 7, payload: [5])
        try log.close()

        #expect(records.map(\.payload) == [[1], [2], [3], [4]])
        #expect(log.recovery.segments == 2)
        #expect(next.sequence.rawValue == 5)
        #expect(try openLog(fileSystem).records.count == 5)
    }

    @Test("segments that do not follow each other are refused, and no file is changed")
    func brokenSegments() throws {
        let files = twoSegments()
        let first = files[firstSegment]!
        let second = files[secondSegment]!
        func start(_ change: (inout SegmentHeader) -> Void) -> [UInt8] {
            var header = SegmentHeader(
                databaseID: testID, number: 2, firstSequence: SequenceNumber(rawValue: 3),
                previousLastSequence: SequenceNumber(rawValue: 2),
                previousChecksum: firstChain)
            change(&header)
            return segment(header, []).bytes
        }
        var torn = first
        torn[recordOffsets(first)[1] + 33] ^= 1
        let cases: [(String, [String: [UInt8]], String)] = [
            ("first missing", [secondSegment: second], "segments 1 to 1 are missing"),
            ("middle missing", [firstSegment: first, thirdSegment: start { $0.number = 3 }], "segments 2 to 2 are missing"),
            ("renamed", [firstSegment: first, thirdSegment: second], "the file holds segment 2"),
            ("foreign", [firstSegment: first, secondSegment: start { $0.databaseID = DatabaseID(high: 1, low: 2) }], "belongs to"),
            ("other history", [firstSegment: first, secondSegment: start { $0.previousChecksum ^= 1 }], "does not follow"),
            ("gap", [firstSegment: first, secondSegment: start { $0.startAt(4) }], "record 4: records 3 to 3 are missing"),
            ("overlap", [firstSegment: first, secondSegment: start { $0.startAt(2) }], "starts with record 2 again"),
            ("late start", [firstSegment: start { ($0.number, $0.previousChecksum) = (1, 0) }], "records 1 to 2 are missing"),
            ("wrong end", [firstSegment: first, secondSegment: start { $0.previousLastSequence = SequenceNumber(1) }], "impossible"),
            ("swapped", [firstSegment: second, secondSegment: first], "the file holds segment 2"),
            ("damage not in the last", [firstSegment: torn, secondSegment: second], "the segment is not the last"),
            ("no segment", [firstSegment: Array("nonsense".utf8) + [UInt8](repeating: 1, count: 100)], "not a log segment"),
        ]

        for (name, files, reason) in cases {
            let fileSystem = SimulatedFileSystem(files)
            do {
                _ = try openLog(fileSystem)
                Issue.record("\(name) was accepted")
            } catch let error as StorageError {
                #expect(error.description.contains(reason), "\(name): \(error)")
                #expect(error.category == .dataRefused)
            }
            #expect(fileSystem.files == files, "\(name)")
        }
    }

    @Test("a newer major version is refused, a newer minor one is read")
    func versions() throws {
        let files = try filesOfLog(records: 3)
        var newer = files
        newer[firstSegment]!.becomeVersion(3)
        #expect(throws: StorageError.unsupportedFormat(file: firstSegment, major: 3, minor: 0)) {
            try openLog(SimulatedFileSystem(newer))
        }

        // A segment of version 2.5, made as its writer would: the checksums of its records follow from its header.
        var (header, _) = SegmentHeader.first(of: testID).encoded()
        header[10] = 5
        let checksum = header[..<60].withUnsafeBytes { crc32c(0, $0) }
        withUnsafeBytes(of: checksum.littleEndian) { header.replaceSubrange(60..<64, with: $0) }
        RecordHeader(
            payloadLength: 1, type: 7, version: 1, flags: [], sequence: SequenceNumber(rawValue: 1), syncedSequence: .zero
        ).encode(payload: [9], seed: RecordSeed(version: .bound, checksum: checksum), into: &header)
        #expect(try openLog(SimulatedFileSystem([firstSegment: header])).records.map(\.payload) == [[9]])

        var older = header
        older[8] = 0
        let olderChecksum = older[..<60].withUnsafeBytes { crc32c(0, $0) }
        withUnsafeBytes(of: olderChecksum.littleEndian) { older.replaceSubrange(60..<64, with: $0) }
        #expect(throws: StorageError.self) { try openLog(SimulatedFileSystem([firstSegment: older])) }
    }

    @Test("intact records with impossible sequence numbers are refused")
    func impossibleSequences() throws {
        let cases: [([(RecordHeader, [UInt8])], String)] = [
            ([(header(1, synced: 0, count: 0), []), (header(3, synced: 1, count: 0), [])], "found record 3"),
            ([(header(2, synced: 0, count: 0), [])], "found record 2"),
            ([(header(1, synced: 0, count: 0), []), (header(1, synced: 0, count: 0), [])], "found record 1"),
            ([(header(1, synced: 1, count: 0), [])], "the record calls later ones synced"),
            ([(header(1, synced: 0, count: 0), []), (.seal(SequenceNumber(rawValue: 2)), [])], "a seal of record 2"),
        ]

        for (records, reason) in cases {
            let bytes = segment(.first(of: testID), records).bytes
            let fileSystem = SimulatedFileSystem([firstSegment: bytes])
            #expect { try openLog(fileSystem) } throws: { "\($0)".contains(reason) }
            #expect(fileSystem.files == [firstSegment: bytes])
        }
    }

    @Test("files that are no part of the log are left alone; what a crash left of a creation is removed")
    func otherFiles() throws {
        var files = try filesOfLog(records: 2)
        let others = ["LOCK", "notes.txt", "wal-1.log", "wal-0000000000000001.log~", "wal-0000000000000001.torn", "wal-x.log"]
        for name in others { files["data/\(name)"] = [1] }
        files["data/wal-0000000000000002.log"] = []
        files["data/wal-0000000000000002.log.tmp"] = [1]
        let fileSystem = SimulatedFileSystem(files)

        let (log, records) = try openLog(fileSystem)

        #expect(records.count == 2)
        #expect(log.recovery.removedFiles == ["wal-0000000000000002.log.tmp"])
        #expect(
            log.recovery.ignoredFiles.sorted() == [
                "wal-0000000000000001.log~", "wal-0000000000000002.log", "wal-1.log", "wal-x.log",
            ])
        #expect(others.allSatisfy { fileSystem.files["data/\($0)"] == [1] })
        #expect(fileSystem.files["data/wal-0000000000000002.log.tmp"] == nil)
        try log.close()
    }

    @Test("a failing call stops the opening with its operation and path, whichever call it is")
    func failingCalls() throws {
        var files = try filesOfLog(records: 4)
        // With a torn tail, so that recovery has something to write.
        files[firstSegment]![recordOffsets(files[firstSegment]!)[4] + 5] ^= 1
        files["data/wal-0000000000000001.log.tmp"] = []
        let whole = SimulatedFileSystem(files)
        let records = try openLog(whole).records
        let calls = whole.callCount
        #expect(records.count == 4)
        #expect(calls > 15)

        for number in 1...calls {
            let failing = SimulatedFileSystem(files) { $0.number == number ? .fail(EIO) : nil }
            #expect(throws: StorageError.self, "call \(number)") { try openLog(failing) }
            // Interrupted anywhere, recovery does the same once more.
            #expect(try openLog(SimulatedFileSystem(failing.files)).records == records, "call \(number)")
        }
    }

    @Test("what a killed process left in the page cache is synced before it counts")
    func unsyncedRecords() throws {
        let fileSystem = SimulatedFileSystem()
        let killed = try startLog(fileSystem, policy: .os)
        for number in 1...5 { try killed.waitUntilCommitted(try killed.append(type: 7, payload: payload(number))) }
        #expect(fileSystem.hasUnsyncedBytes(firstSegment))

        let log = try openLog(fileSystem).log

        #expect(log.durableSequence.rawValue == 5)
        #expect(!fileSystem.hasUnsyncedBytes(firstSegment))
        try killed.close()
    }

    @Test("a torn tail is cut only once its copy is safe")
    func copyBeforeCut() throws {
        var files = try filesOfLog(records: 4)
        files[firstSegment]![recordOffsets(files[firstSegment]!)[4] + 5] ^= 1
        let system = Shared<SimulatedFileSystem?>(nil)
        let copies = Shared<[[UInt8]?]>([])
        let fileSystem = SimulatedFileSystem(files) { call in
            guard call.operation == .truncate, let fileSystem = system.current else { return nil }
            for seed in 0..<20 {
                var generator = SplitMix(seed: UInt64(seed))
                let copy = fileSystem.filesAfterPowerLoss(&generator)["data/wal-0000000000000001.torn"]
                copies.update { $0.append(copy) }
            }
            return nil
        }
        system.update { $0 = fileSystem }

        let log = try openLog(fileSystem).log

        #expect(copies.current.count == 20)
        #expect(copies.current.allSatisfy { $0 != nil && UInt64($0!.count) == log.recovery.truncatedBytes })
        system.update { $0 = nil }
        try log.close()
    }

    @Test("a file that is shorter than it said is an error, not an end")
    func shortFile() throws {
        let files = try filesOfLog(records: 4)
        let fileSystem = SimulatedFileSystem(files) { $0.operation == .read ? .short(0) : nil }

        #expect(throws: StorageError.ioFailed(operation: "read", path: firstSegment, errno: EIO)) { try openLog(fileSystem) }
    }

    private func twoSegments() -> [String: [UInt8]] {
        let (first, chain) = firstOfTwo()
        let (second, _) = segment(
            SegmentHeader(
                databaseID: testID, number: 2, firstSequence: SequenceNumber(rawValue: 3),
                previousLastSequence: SequenceNumber(rawValue: 2),
                previousChecksum: chain),
            [(header(3, synced: 2, count: 1), [3]), (header(4, synced: 3, count: 1), [4])])
        return [firstSegment: first, secondSegment: second + [UInt8](repeating: 0, count: 1000)]
    }

    private var firstChain: UInt32 { firstOfTwo().chain }

    private func firstOfTwo() -> (bytes: [UInt8], chain: UInt32) {
        segment(
            .first(of: testID),
            [(header(1, synced: 0, count: 1), [1]), (header(2, synced: 1, count: 1), [2]), (.seal(SequenceNumber(rawValue: 2)), [])])
    }
}
