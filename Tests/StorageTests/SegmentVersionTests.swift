import StorageTestSupport
import Testing

@testable import Storage

@Suite("Segments of older versions")
struct SegmentVersionTests {
    /// A segment of version 1 as its last writer left it, without a seal.
    private static let olderSegment: [UInt8] = {
        var first = SegmentHeader.first(of: testID)
        first.version = .unbound
        return segment(first, (1...5).map { (header(UInt64($0), synced: UInt64($0) - 1, count: payload($0).count), payload($0)) }).bytes
    }()

    @Test("a log of version 1 is read, takes one batch, and goes on in a segment of the current version")
    func goesOn() throws {
        let fileSystem = SimulatedFileSystem([firstSegment: Self.olderSegment])
        let log = try startLog(fileSystem)
        try log.appendRecords(6...8)
        try log.close()

        let (reopened, records) = try openLog(fileSystem)
        #expect(records.map(\.payload) == (1...8).map(payload))
        #expect(reopened.recovery.segments == 2)
        #expect(fileSystem.files[firstSegment]![8] == 1)
        #expect(fileSystem.files[secondSegment]![8] == 2)
        try reopened.close()
    }

    @Test("a torn tail of version 1 is cut, and what a later record proves is refused")
    func damage() throws {
        let offsets = recordOffsets(Self.olderSegment)
        let torn = Array(Self.olderSegment[..<(offsets[4] + 40)])
        let (log, records) = try openLog(SimulatedFileSystem([firstSegment: torn]))
        #expect(records.map(\.payload) == (1...4).map(payload))
        #expect(log.recovery.truncatedBytes > 0)
        try log.close()

        var damaged = Self.olderSegment
        damaged[offsets[2] + 40] ^= 1
        #expect(throws: StorageError.self) { try openLog(SimulatedFileSystem([firstSegment: damaged])) }
    }

    @Test("the records behind a damaged header are read, of whichever version they are", arguments: SegmentHeader.Version.allCases)
    func damagedHeader(version: SegmentHeader.Version) throws {
        var first = SegmentHeader.first(of: testID)
        first.version = version
        let records = (1...3).map { (header(UInt64($0), synced: 0, count: 16), [UInt8](repeating: UInt8($0), count: 16)) }
        let bytes = segment(first, records).bytes

        for index in 0..<SegmentHeader.length {
            var damaged = bytes
            damaged[index] ^= 0x10
            let name = SegmentHeader.fileName(1)
            let scan = try SegmentScan(name, in: directory, fileSystem: SimulatedFileSystem([firstSegment: damaged]))
            var payloads: [[UInt8]] = []
            while let entry = try scan.next() {
                if case .record(let record) = entry.content { payloads.append(record.payload) }
            }
            #expect(payloads == records.map(\.1), "byte \(index)")
        }
    }
}
