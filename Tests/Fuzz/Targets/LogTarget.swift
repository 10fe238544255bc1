import Storage
import StorageTestSupport

/// Proves that recovery takes nothing on trust: whatever bytes stand in the segments of a log, a start either refuses them and changes
/// no file, or gives exactly the records that a second, independent reader finds before the first bad one, keeps what it cuts off in
/// a file, and goes on from there.
struct LogTarget: FuzzTarget {
    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws {
        let log = LogInput(input)
        let fileSystem = SimulatedFileSystem(log.files(in: directory))
        let before = fileSystem.files
        var records: [LogRecord]
        do {
            records = try Self.restart(fileSystem, log, directory, expecting: nil)
        } catch let error as StorageError {
            try promise(error.category == .dataRefused, "ended with \(error)")
            try promise(fileSystem.files == before, "a refusal changed files: \(error)")
            return
        }
        // The mistake: a record of another version is left out, without having been called skippable.
        if hasPlantedBug { records.removeAll { $0.version != 1 } }
        let expected = log.readIndependently()
        try promise(expected.mayBeOpened, "records out of order were taken for a log")
        try promise(
            records.map(\.payload) == expected.records.map(\.payload)
                && records.map(\.sequence.rawValue) == expected.records.map(\.sequence),
            "\(records.count) records were recovered, \(expected.records.count) are there")
        // `restart` has appended a record.
        do {
            _ = try Self.restart(fileSystem, log, directory, expecting: records.count + 1)
        } catch let error as StorageError {
            throw BrokenPromise(description: "what a start made of the log, the next refuses: \(error)")
        }
    }

    /// Opens the log, appends a record, closes it. Returns what was replayed.
    private static func restart(
        _ fileSystem: SimulatedFileSystem, _ log: LogInput, _ directory: String, expecting count: Int?
    ) throws -> [LogRecord] {
        let before = fileSystem.files
        var records: [LogRecord] = []
        let opened = try WriteAheadLog.open(
            directory: directory, fileSystem: fileSystem, policy: .always, options: .small,
            after: SequenceNumber(rawValue: UInt64(log.base))
        ) { records.append($0) }
        if let name = opened.recovery.tornFile, let torn = fileSystem.files["\(directory)/\(name)"] {
            let segment = "\(directory)/\(name.dropLast(".torn".count)).log"
            let cut = before[segment]!.dropFirst(before[segment]!.count - torn.count - Self.zerosAtEnd(before[segment]!))
            try promise(
                cut.starts(with: torn) && torn.count == opened.recovery.truncatedBytes, "what was cut off is not what was kept of it")
        }
        _ = try opened.append(type: 1, payload: [1, 2, 3])
        try opened.close()
        if let count {
            try promise(
                records.count == count && opened.recovery.truncatedBytes == 0, "\(records.count) records after a restart, not \(count)")
        }
        return records
    }

    private static func zerosAtEnd(_ bytes: [UInt8]) -> Int { bytes.reversed().prefix { $0 == 0 }.count }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        var log = LogInput(input)
        guard !log.segments.isEmpty, mutator.choose(8) > 0 else {
            var bytes = input
            mutator.change(&bytes, limit: limit)
            return bytes
        }
        let index = mutator.choose(log.segments.count)
        var segment = SegmentFile(log.segments[index])
        let record = segment.records.isEmpty ? nil : mutator.choose(segment.records.count)
        switch (mutator.choose(7), record) {
        case (0, _): mutator.overwrite(&segment.header, segment.header.indices)
        case (1, let record?): mutator.overwrite(&segment.records[record].fields, 0..<4)
        case (2, let record?): mutator.overwrite(&segment.records[record].fields, 4..<20)
        case (3...4, let record?): mutator.change(&segment.records[record].payload, limit: 512)
        case (5, let record?): segment.records.remove(at: record)
        case (6, let record?): segment.records.append(segment.records[record])
        default: mutator.change(&segment.tail, limit: 512)
        }
        log.segments[index] = segment.encoded().bytes
        if mutator.choose(4) > 0 { log.linkSegments() }
        return log.encoded()
    }

    func seeds(in directory: String) throws -> [String: [UInt8]] {
        func segments(_ counts: [Int], closing: Bool = true) throws -> [[UInt8]] {
            let fileSystem = SimulatedFileSystem()
            var options = LogOptions.small
            options.idleBeforeSeal = .seconds(3600)
            let log = try WriteAheadLog.open(directory: "log", fileSystem: fileSystem, policy: .always, options: options) { _ in }
            try log.start(committed: { _ in }, failed: { _ in })
            for (index, count) in counts.enumerated() {
                if index > 0 { try log.rotate() }
                for number in 0..<count {
                    let payload = [UInt8](repeating: UInt8(number), count: number * 7)
                    try log.waitUntilCommitted(try log.append(type: UInt8(number + 1), payload: payload))
                }
            }
            let unsealed = fileSystem.files
            try log.close()
            return (closing ? fileSystem.files : unsealed).sorted { $0.key < $1.key }.map(\.value)
        }
        let torn = try segments([3], closing: false).map { Array($0.prefix(230)) }
        return [
            "empty": LogInput(base: 0, firstNumber: 1, segments: []).encoded(),
            "one-segment": LogInput(base: 0, firstNumber: 1, segments: try segments([5])).encoded(),
            "three-segments": LogInput(base: 0, firstNumber: 1, segments: try segments([2, 3, 1])).encoded(),
            "unsealed": LogInput(base: 0, firstNumber: 1, segments: try segments([4], closing: false)).encoded(),
            "torn": LogInput(base: 0, firstNumber: 1, segments: torn).encoded(),
            "behind-a-snapshot": LogInput(base: 3, firstNumber: 2, segments: Array(try segments([2, 3, 1]).dropFirst())).encoded(),
        ]
    }
}

/// The input: the record that a snapshot has reached, the number of the first segment, and for each segment its size (u16) and its
/// bytes. Any bytes are one.
private struct LogInput {
    var base: UInt8
    var firstNumber: UInt8
    var segments: [[UInt8]] = []

    init(base: UInt8, firstNumber: UInt8, segments: [[UInt8]]) {
        (self.base, self.firstNumber, self.segments) = (base, firstNumber, segments)
    }

    init(_ input: [UInt8]) {
        base = input.first ?? 0
        firstNumber = input.dropFirst().first ?? 1
        var position = 2
        while position + 2 <= input.count {
            let size = Int(input.number(UInt16.self, at: position))
            position += 2
            segments.append(input.take(size, from: &position))
        }
    }

    func encoded() -> [UInt8] {
        var bytes = [base, firstNumber]
        for segment in segments {
            let segment = segment.prefix(Int(UInt16.max))
            bytes.append(number: UInt16(segment.count))
            bytes += segment
        }
        return bytes
    }

    func files(in directory: String) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for (index, segment) in segments.enumerated() {
            let digits = String(Int(firstNumber) + index)
            files["\(directory)/wal-\(String(repeating: "0", count: 16 - digits.count))\(digits).log"] = segment
        }
        return files
    }

    /// Makes each segment the one that follows the one before it.
    mutating func linkSegments() {
        guard segments.allSatisfy({ $0.count >= SegmentFile.headerLength }), let first = segments.first else { return }
        let databaseID = SegmentFile(first).databaseID
        var last = SegmentFile(first).firstSequence &- 1
        var chain: UInt32 = SegmentFile(first).header.number(at: 56)
        for index in segments.indices {
            var file = SegmentFile(segments[index])
            file.link(number: UInt64(firstNumber) + UInt64(index), after: last, of: databaseID, chain: chain)
            (segments[index], chain) = file.encoded()
            last = file.records.last { !$0.isSeal }?.sequence ?? last
        }
    }

    /// The records behind `base` as docs/file-formats.md has them, up to the first bad one, and whether all that come before it follow
    /// each other.
    func readIndependently() -> (records: [SegmentFile.Record], mayBeOpened: Bool) {
        var records: [SegmentFile.Record] = []
        let files = segments.map(SegmentFile.init)
        // A last segment without a byte is none.
        let whole = files.count > 1 && files.last!.header.isEmpty ? files.dropLast() : files[...]
        let start = whole.lastIndex { $0.header.count == SegmentFile.headerLength && $0.firstSequence <= UInt64(base) + 1 } ?? 0
        var expected = whole.isEmpty ? 1 : whole[start].header.count == SegmentFile.headerLength ? whole[start].firstSequence : 0
        for file in whole.dropFirst(start) {
            guard file.header.count == SegmentFile.headerLength, file.firstSequence == expected else { return ([], false) }
            for record in file.records.prefix(file.firstBadRecord ?? .max) {
                if record.isSeal {
                    if record.sequence != expected &- 1 { return ([], false) }
                    continue
                }
                if record.sequence != expected { return ([], false) }
                expected &+= 1
                if record.sequence > UInt64(base) { records.append(record) }
            }
        }
        return (records, true)
    }
}

extension LogOptions {
    /// Few zeros ahead, which would take most of the time.
    static var small: LogOptions {
        LogOptions(allocation: Allocation(first: 512, largestStep: 512, reserve: 512), newDatabaseID: DatabaseID(high: 1, low: 2))
    }
}
