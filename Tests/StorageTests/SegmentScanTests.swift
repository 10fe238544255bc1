import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Reading what is left of a log")
struct SegmentScanTests {
    private static let count = 12
    private static let name = "wal-0000000000000001.log"

    private func entries(_ bytes: [UInt8]) throws -> [SegmentScan.Entry] {
        let scan = try SegmentScan(Self.name, in: directory, fileSystem: SimulatedFileSystem([firstSegment: bytes]))
        var entries: [SegmentScan.Entry] = []
        while let entry = try scan.next() { entries.append(entry) }
        return entries
    }

    private func payloads(_ entries: [SegmentScan.Entry]) -> [UInt64: [UInt8]] {
        entries.reduce(into: [:]) { payloads, entry in
            if case .record(let record) = entry.content { payloads[record.sequence.rawValue] = record.payload }
        }
    }

    @Test("gives every record of an intact segment, its seal, and the zeros behind it")
    func intact() throws {
        let bytes = try #require(try filesOfLog(records: Self.count)[firstSegment])

        let entries = try entries(bytes)

        #expect(entries.count == Self.count + 2)
        #expect(payloads(entries) == Dictionary(uniqueKeysWithValues: (1...Self.count).map { (UInt64($0), payload($0)) }))
        guard case .seal(let sequence) = entries[Self.count].content else {
            Issue.record("no seal behind the records")
            return
        }
        #expect(sequence == SequenceNumber(Self.count))
        guard case .unused = entries[Self.count + 1].content else {
            Issue.record("no zeros behind the seal")
            return
        }
    }

    @Test("a flipped bit anywhere costs the record it is in and no other, and is shown in its place; one in the header costs none")
    func flips() throws {
        let bytes = try #require(try filesOfLog(records: Self.count)[firstSegment])
        let offsets = recordOffsets(bytes)
        for index in 0..<offsets.last! {
            var damaged = bytes
            damaged[index] ^= 1 << UInt8(index % 8)

            let entries = try entries(damaged)

            let record = offsets.lastIndex { $0 <= index }.map { $0 + 1 }
            let left = Set(1...UInt64(Self.count)).subtracting(record.map { [UInt64($0)] } ?? [])
            #expect(Set(payloads(entries).keys) == left, "byte \(index)")
            #expect(payloads(entries).allSatisfy { $0.value == payload(Int($0.key)) }, "byte \(index)")
            // Nothing is left out: each entry begins where the one before ends.
            #expect(entries.first?.offset == 64 && entries.last.map { $0.offset + $0.bytes } == UInt64(bytes.count))
            #expect(zip(entries, entries.dropFirst()).allSatisfy { $0.offset + $0.bytes == $1.offset }, "byte \(index)")
            let places = entries.filter { if case .damage = $0.content { true } else { false } }.map(\.offset)
            #expect(places == (record.map { [UInt64(offsets[$0 - 1])] } ?? []), "byte \(index)")
        }
    }

    @Test("says what an intact header tells of a record whose payload is damaged")
    func unverified() throws {
        var bytes = try #require(try filesOfLog(records: 3)[firstSegment])
        bytes[recordOffsets(bytes)[1] + 40] ^= 1

        let damage = try #require(try entries(bytes).first { if case .damage = $0.content { true } else { false } })

        guard case .damage(_, let record?, let through) = damage.content else {
            Issue.record("\(damage)")
            return
        }
        #expect(record.sequence == SequenceNumber(2) && through == SequenceNumber(2))
        #expect(record.payload.count == payload(2).count && record.payload != payload(2))
    }

    @Test("a file without a header that tells anything is one piece of damage")
    func noHeader() throws {
        let entries = try entries([UInt8](repeating: 7, count: 200))

        #expect(entries.count == 1)
        #expect(entries.first.map { $0.offset + $0.bytes } == 200)
    }

    // MARK: Checks

    private func check(_ files: [String: [UInt8]], lastOnly: Bool = false) throws -> [CheckedComponent] {
        let log = LogFiles(directory: directory, fileSystem: SimulatedFileSystem(files))
        var end: LogFiles.End?
        let names = try log.segments()
        return names.map { log.check($0, isLast: $0 == names.last, after: &end) }
    }

    @Test("a check counts what is there")
    func counts() throws {
        let components = try check(filesOfLog(segments: 3, records: 4))

        #expect(components.map(\.name) == [1, 2, 3].map { "wal-000000000000000\($0).log" })
        #expect(components.allSatisfy { $0.damaged == 0 && $0.figure(.records) == 4 && $0.figure(.seals) == 1 && $0.bytes > 64 })
    }

    @Test("a check finds a flipped bit anywhere in segments that are finished, and calls an unproved one at the end torn")
    func checksFlips() throws {
        let files = try filesOfLog(segments: 2, records: 4)
        for (path, bytes) in files {
            let seal = recordOffsets(bytes)[4]
            for index in 0..<recordOffsets(bytes).last! {
                var damaged = files
                damaged[path]![index] ^= 1 << UInt8(index % 8)

                let components = try check(damaged)

                if path == secondSegment, index >= seal {
                    #expect(components.allSatisfy { $0.damaged == 0 }, "\(path) byte \(index)")
                    #expect(components[1].figure(.tornBytes) == recordOffsets(bytes).last! - seal, "\(path) byte \(index)")
                } else {
                    #expect(components.contains { $0.damaged > 0 }, "\(path) byte \(index)")
                }
            }
        }
    }

    @Test("a check finds a segment that does not follow the one before it")
    func wrongChain() throws {
        var files = try filesOfLog(segments: 2, records: 4)
        let other = try filesOfLog(segments: 2, records: 3)
        files[secondSegment] = other[secondSegment]

        let components = try check(files)

        #expect(components.map(\.damaged) == [0, 1])
        #expect(components[1].problems.first?.contains("does not follow") == true)
    }

    // MARK: Beginning anew

    @Test("a new segment behind damaged ones is all that a start with the state before it reads")
    func beginsAnew() throws {
        var files = try filesOfLog(segments: 2, records: 4)
        files[secondSegment]![200] ^= 1
        let fileSystem = SimulatedFileSystem(files)
        let log = LogFiles(directory: directory, fileSystem: fileSystem)
        #expect(throws: StorageError.self) { try log.read(after: SequenceNumber(8), expectedDatabaseID: testID) { _ in } }

        try log.beginAnew(after: SequenceNumber(8), of: testID)

        let (opened, records) = try openLog(fileSystem, after: 8, of: testID)
        #expect(records.isEmpty && opened.recovery.obsoleteFiles.count == 2)
        #expect(try opened.append(type: 7, payload: []).sequence == SequenceNumber(9))
        try opened.close()
    }

    @Test("reading a log changes nothing, and tells what a start would cut")
    func readsOnly() throws {
        var files = try filesOfLog(records: 3)
        let end = recordOffsets(files[firstSegment]!)[3]
        files[firstSegment]!.removeLast(files[firstSegment]!.count - end + 8)
        let fileSystem = SimulatedFileSystem(files)
        var records: [LogRecord] = []

        let report = try LogFiles(directory: directory, fileSystem: fileSystem).read(after: .zero, expectedDatabaseID: nil) {
            records.append($0)
        }

        #expect(records.map(\.payload) == [payload(1), payload(2)])
        #expect(report.truncatedBytes > 0 && report.tornFile == nil)
        #expect(fileSystem.files == files)
    }
}
