import Glibc
import Locks
import StorageTestSupport
import TestSupport
@testable import Storage

let directory = "data"
let firstSegment = "data/wal-0000000000000001.log"
let secondSegment = "data/wal-0000000000000002.log"
let thirdSegment = "data/wal-0000000000000003.log"
let testID = DatabaseID(high: 0x0123_4567_89ab_4def, low: 0x8123_4567_89ab_cdef)

/// A small log: 4 KiB at first, no reserve, seals only when it is closed.
func smallOptions(
    segmentLimit: UInt64 = 64 << 20, idleBeforeSeal: Duration = .seconds(3600), queueLimit: Int = 1 << 20, first: UInt64 = 4096,
    reserve: UInt64 = 0,
    pauseWhenFull: Duration = .zero
) -> LogOptions {
    LogOptions(
        allocation: LogOptions.Allocation(first: first, largestStep: first * 4, reserve: reserve), segmentLimit: segmentLimit,
        idleBeforeSeal: idleBeforeSeal, pauseWhenFull: pauseWhenFull, queueLimit: queueLimit, newDatabaseID: testID)
}

/// Opens a log and returns it with the payloads it replayed. It is not started.
func openLog(
    _ fileSystem: SimulatedFileSystem, policy: DurabilityPolicy = .always, options: LogOptions = smallOptions(), after base: Int = 0,
    of databaseID: DatabaseID? = nil
) throws -> (log: WriteAheadLog, records: [LogRecord]) {
    var records: [LogRecord] = []
    let log = try WriteAheadLog.open(
        directory: directory, fileSystem: fileSystem, policy: policy, options: options, after: SequenceNumber(base),
        expectedDatabaseID: databaseID
    ) { records.append($0) }
    return (log, records)
}

/// Opens a log and starts it with observers that do nothing.
func startLog(
    _ fileSystem: SimulatedFileSystem, policy: DurabilityPolicy = .always, options: LogOptions = smallOptions(),
    committed: @escaping @Sendable (SequenceNumber) -> Void = { _ in }, failed: @escaping @Sendable (StorageError) -> Void = { _ in }
) throws -> WriteAheadLog {
    let log = try openLog(fileSystem, policy: policy, options: options).log
    try log.start(committed: committed, failed: failed)
    return log
}

extension SequenceNumber {
    init(_ number: Int) { self.init(rawValue: UInt64(number)) }
}

extension WriteAheadLog {
    /// Appends the records with these numbers, each of which waits for the one before.
    func appendRecords(_ numbers: ClosedRange<Int>) throws {
        for number in numbers { try waitUntilCommitted(try append(type: 7, payload: payload(number))) }
    }
}

/// The payload of the record with this number: its length and content follow from the number.
func payload(_ number: Int) -> [UInt8] {
    var generator = SplitMix(seed: UInt64(number))
    var bytes: [UInt8] = []
    while bytes.count < number * 37 % 301 {
        withUnsafeBytes(of: generator.next().littleEndian) { bytes.append(contentsOf: $0) }
    }
    return Array(bytes.prefix(number * 37 % 301))
}

/// The files of a log with records 1 to `count`, each synced and acknowledged on its own, closed with a seal.
func filesOfLog(records count: Int) throws -> [String: [UInt8]] {
    let fileSystem = SimulatedFileSystem()
    let log = try startLog(fileSystem)
    try log.appendRecords(1...count)
    try log.close()
    return fileSystem.files
}

/// The files of a log with `count` records in each of as many segments, closed with a seal.
func filesOfLog(segments: Int, records count: Int) throws -> [String: [UInt8]] {
    let fileSystem = SimulatedFileSystem()
    let log = try startLog(fileSystem)
    for segment in 0..<segments {
        if segment > 0 { try log.rotate() }
        try log.appendRecords((segment * count + 1)...((segment + 1) * count))
    }
    try log.close()
    return fileSystem.files
}

/// Where each record of a segment starts, seals included, and where the last ends.
func recordOffsets(_ segment: [UInt8]) -> [Int] {
    segment.withUnsafeBytes { bytes in
        var offsets = [SegmentHeader.length]
        let seed = RecordSeed(version: .current, checksum: bytes.littleEndian(UInt32.self, at: 60))
        while let header = RecordHeader.decode(UnsafeRawBufferPointer(rebasing: bytes[offsets.last!...]), seed: seed) {
            offsets.append(offsets.last! + header.recordLength)
        }
        return offsets
    }
}

/// The bytes of a segment with the given records.
func segment(_ header: SegmentHeader, _ records: [(RecordHeader, [UInt8])]) -> (bytes: [UInt8], chain: UInt32) {
    var (bytes, seed) = header.encoded()
    var chain = seed.checksum
    for (header, payload) in records {
        let recordChecksum = header.encode(payload: payload, seed: seed, into: &bytes)
        chain = withUnsafeBytes(of: recordChecksum.littleEndian) { crc32c(chain, $0) }
    }
    return (bytes, chain)
}

func header(_ sequence: UInt64, synced: UInt64, count: Int, type: UInt8 = 7) -> RecordHeader {
    RecordHeader(
        payloadLength: count, type: type, version: 1, flags: [], sequence: SequenceNumber(rawValue: sequence),
        syncedSequence: SequenceNumber(rawValue: synced))
}

extension SegmentHeader {
    /// As the header of a segment whose first record is this one.
    mutating func startAt(_ sequence: Int) {
        firstSequence = SequenceNumber(sequence)
        previousLastSequence = SequenceNumber(sequence - 1)
    }
}

extension [UInt8] {
    /// As a later version of the program would begin a file.
    mutating func becomeVersion(_ major: UInt8) {
        self[8] = major
        let checksum = withUnsafeBytes { crc32c(0, UnsafeRawBufferPointer(rebasing: $0[..<60])) }
        replaceSubrange(60..<64, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) })
    }
}
