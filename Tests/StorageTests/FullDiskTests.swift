import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("A disk that gets full")
struct FullDiskTests {
    static let capacity = 200 << 10

    @Test("takes records of many blocks until they do not fit, then smaller ones, and says so only then")
    func takesWhatFits() throws {
        let fileSystem = SimulatedFileSystem(capacity: Self.capacity)
        let options = smallOptions(first: 64 << 10)
        let log = try startLog(fileSystem, options: options)
        let offered = (1...20).map { [UInt8](repeating: $0, count: 20_000) } + (21...40).map { [UInt8](repeating: $0, count: 1000) }

        var taken: [[UInt8]] = []
        var fitting: [[UInt8]] = []
        var end = SegmentHeader.length
        for payload in offered {
            let length = header(1, synced: 0, count: payload.count).recordLength
            if end + length <= Self.capacity {
                end += length
                fitting.append(payload)
            }
            do {
                try log.waitUntilCommitted(try log.append(type: 7, payload: payload))
                taken.append(payload)
            } catch {
                #expect(error == .insufficientSpace(path: firstSegment, errno: ENOSPC))
                log.resume()
            }
        }
        try log.close()

        #expect(taken == fitting)
        #expect(Set(taken.map(\.count)) == [20_000, 1000] && taken.count < offered.count)
        let (reopened, records) = try openLog(fileSystem, options: options)
        #expect(records.map(\.payload) == taken)
        #expect(reopened.recovery.truncatedBytes == 0)
        #expect(reopened.recovery.sealed)
    }

    @Test("has its free space back from zeros that did not fit, and is not asked for them with the next record")
    func givesZerosBack() throws {
        let writesOfZeros = Shared(0)
        let fileSystem = SimulatedFileSystem(capacity: Self.capacity) { call in
            if call.writesZeros { writesOfZeros.update { $0 += 1 } }
            return nil
        }
        let log = try startLog(fileSystem, options: smallOptions(first: 128 << 10))
        let record = [UInt8](repeating: 1, count: 50_000)
        for _ in 1...3 { try log.waitUntilCommitted(try log.append(type: 7, payload: record)) }
        let end = recordOffsets(fileSystem.files[firstSegment]!).last!
        let before = writesOfZeros.current

        // 128 KiB more did not fit behind the third record, and the fourth is not 128 KiB further.
        #expect(fileSystem.files[firstSegment]!.count == end)
        try log.waitUntilCommitted(try log.append(type: 7, payload: record))
        #expect(fileSystem.files[firstSegment]!.count == end + header(1, synced: 0, count: 50_000).recordLength)
        // The zeros in the place of the record itself.
        #expect(before > 1 && writesOfZeros.current == before + 1)
        try log.close()
    }

    @Test("is filled with zeros ahead again after other files were removed")
    func writesAheadAgain() throws {
        let fileSystem = SimulatedFileSystem(["elsewhere/file": [UInt8](repeating: 1, count: 100_000)], capacity: 120_000)
        let log = try startLog(fileSystem)
        func append() throws {
            try log.waitUntilCommitted(try log.append(type: 7, payload: [UInt8](repeating: 1, count: 6000)))
        }
        for _ in 1...3 { try append() }
        #expect(recordOffsets(fileSystem.files[firstSegment]!).last == fileSystem.files[firstSegment]!.count)

        try fileSystem.remove("elsewhere/file")
        for _ in 1...4 { try append() }

        let bytes = fileSystem.files[firstSegment]!
        let end = try #require(recordOffsets(bytes).last)
        #expect(end < bytes.count && bytes[end...].allSatisfy { $0 == 0 })
        try log.close()
    }

    @Test("has room for records that may use the reserve when nothing else fits, also after a start, until the reserve is used up")
    func reserve() throws {
        let fileSystem = SimulatedFileSystem(capacity: 64 << 10)
        let options = smallOptions(first: 16 << 10, reserve: 8 << 10, pauseWhenFull: .seconds(3600))
        var log = try startLog(fileSystem, options: options)
        var taken = 0
        #expect(throws: StorageError.insufficientSpace(path: firstSegment, errno: ENOSPC)) {
            while true {
                try log.waitUntilCommitted(try log.append(type: 7, payload: [UInt8](repeating: 1, count: 1000)))
                taken += 1
            }
        }
        log.resume()
        #expect((40...60).contains(taken))
        // What fills a disk is not always the log.
        try fileSystem.fill("elsewhere/file")

        try log.close()
        log = try startLog(fileSystem, options: options)
        var deletions = 0
        #expect(throws: StorageError.insufficientSpace(path: firstSegment, errno: ENOSPC)) {
            while true {
                try log.waitUntilCommitted(
                    try log.append(type: 5, payload: [UInt8](repeating: 2, count: 40), mayUseReserve: true))
                deletions += 1
            }
        }
        log.resume()

        #expect((90...120).contains(deletions))
        try log.close()
        #expect(try openLog(fileSystem, options: options).records.count == taken + deletions)
    }

    /// The long pause does not end here, the short one may be over at any time.
    @Test("refuses for a while only what may not use the reserve, and nothing once there is space again", arguments: [true, false])
    func pause(isLong: Bool) throws {
        let fileSystem = SimulatedFileSystem(["elsewhere/file": [UInt8](repeating: 1, count: 40_000)], capacity: 64 << 10)
        let pause: Duration = isLong ? .seconds(3600) : .milliseconds(100)
        let options = smallOptions(first: 16 << 10, reserve: 8 << 10, pauseWhenFull: pause)
        let log = try startLog(fileSystem, options: options)
        let large = [UInt8](repeating: 1, count: 30_000)
        let full = StorageError.insufficientSpace(path: firstSegment, errno: ENOSPC)
        let refused = SuspendingClock.now
        #expect(throws: full) { try log.waitUntilCommitted(try log.append(type: 7, payload: large)) }
        log.resume()
        try fileSystem.remove("elsewhere/file")

        // Refused without a try, and beside it what may use the reserve is not.
        if isLong { #expect(throws: full) { _ = try log.append(type: 7, payload: large) } }
        try log.waitUntilCommitted(try log.append(type: 5, payload: [], mayUseReserve: true))
        if !isLong {
            while (try? log.append(type: 7, payload: large)) == nil { sched_yield() }
            #expect(SuspendingClock.now - refused >= pause)
        }
        try log.close()
        #expect(try openLog(fileSystem, options: options).records.count == (isLong ? 1 : 2))
    }

    @Test("keeps a start from copying a torn tail, not from cutting it off")
    func tornTail() throws {
        var files = try filesOfLog(records: 3)
        let end = try #require(recordOffsets(files[firstSegment]!).last)
        files[firstSegment]!.replaceSubrange(end..<end + 100, with: [UInt8](repeating: 7, count: 100))
        let fileSystem = SimulatedFileSystem(files, capacity: 4096)

        let (log, records) = try openLog(fileSystem)

        #expect(records.count == 3)
        #expect(log.recovery.truncatedBytes >= 100 && log.recovery.tornFile == nil)
        #expect(fileSystem.files.keys.sorted() == [firstSegment])
    }

    @Test("loses no acknowledged record when the power goes, and keeps none that it refused", arguments: 0..<4)
    func powerLoss(part: Int) throws {
        var refusals = 0
        for seed in stride(from: part, to: 160, by: 4) { refusals += try run(seed: seed) }
        #expect(refusals > 500)
    }

    /// Several lives of one log, each on a disk that is a little larger. Returns how many records were refused.
    private func run(seed: Int) throws -> Int {
        var generator = SplitMix(seed: UInt64(seed))
        var files: [String: [UInt8]] = [:]
        var kept: [[UInt8]] = []
        var refusals = 0
        for life in 1...4 {
            let lastCall = Int.random(in: 10...150, using: &generator)
            let torn = Int.random(in: 0...3000, using: &generator)
            let fileSystem = SimulatedFileSystem(files, capacity: 16_384 * life) { call in
                call.number < lastCall ? nil : call.number == lastCall ? .partial(torn, EIO) : .fail(EIO)
            }
            var last: [UInt8]?
            do {
                // In every other run, the segments that a full disk has no space for are small as well.
                let options = smallOptions(
                    segmentLimit: seed / 4 % 2 == 0 ? 64 << 20 : 4096, first: 2048, reserve: seed / 8 % 2 == 0 ? 0 : 1024)
                let log = try startLog(fileSystem, options: options)
                let outcome = appendUntilPowerLoss(log, &kept, &generator)
                refusals += outcome.refusals
                last = outcome.last
            } catch let error as StorageError where error.category == .storageFailed {
                // The power went while the log was being opened.
            }

            files = fileSystem.filesAfterPowerLoss(&generator)
            let found = try openLog(SimulatedFileSystem(files)).records.map(\.payload)
            #expect(found == kept || found == kept + [last], "seed \(seed), life \(life)")
            kept = found
        }
        return refusals
    }

    /// Appends records of up to six blocks, one at a time, until the log fails for good. Returns the one nobody knows about.
    private func appendUntilPowerLoss(
        _ log: WriteAheadLog, _ kept: inout [[UInt8]], _ generator: inout SplitMix
    ) -> (last: [UInt8], refusals: Int) {
        var refusals = 0
        while true {
            let bytes = (0..<Int.random(in: 0...3000, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            do {
                try log.waitUntilCommitted(try log.append(type: 1, payload: bytes))
                kept.append(bytes)
            } catch let error where error.category == .requestRefused {
                refusals += 1
                log.resume()
            } catch {
                #expect(throws: StorageError.self) { try log.close() }
                return (bytes, refusals)
            }
        }
    }
}
