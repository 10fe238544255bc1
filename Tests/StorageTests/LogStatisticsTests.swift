import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("What a log says of itself")
struct LogStatisticsTests {
    @Test("counts the records and bytes that are in the file, and the syncs that were made")
    func counts() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem)
        #expect(log.statistics == LogStatistics(retainedBytes: Int(log.retainedBytes)))

        try log.appendRecords(1...20)
        let statistics = log.statistics
        let syncs = fileSystem.count(.synchronizeData)
        try log.close()

        let offsets = recordOffsets(fileSystem.files[firstSegment]!)
        #expect(statistics.records == 20 && statistics.batches == 20)
        #expect(statistics.appendedBytes == offsets[20] - offsets[0])
        #expect(statistics.retainedBytes == offsets[20])
        // One was made by the opening.
        #expect(statistics.syncs.count == syncs - 1)
        #expect(statistics.queuedRecords == 0 && statistics.queuedBytes == 0 && !statistics.isPoisoned)
        // The seal is no record, but synced.
        #expect(log.statistics.records == 20 && log.statistics.syncs.count == statistics.syncs.count + 1)
    }

    @Test("counts nothing that left no trace, and says that it is poisoned")
    func failures() throws {
        let isFull = Shared(false)
        let isBroken = Shared(false)
        let fileSystem = SimulatedFileSystem { call in
            if call.operation == .write, isFull.current { return .partial(0, ENOSPC) }
            return call.operation == .synchronizeData && isBroken.current ? .fail(EIO) : nil
        }
        let log = try startLog(fileSystem)
        try log.appendRecords(1...1)
        let before = log.statistics

        isFull.set(true)
        #expect(throws: StorageError.self) { try log.waitUntilCommitted(try log.append(type: 7, payload: payload(100))) }
        #expect(log.statistics == before)
        isFull.set(false)
        log.resume()
        isBroken.set(true)
        #expect(throws: StorageError.self) { try log.appendRecords(2...2) }

        #expect(log.statistics.isPoisoned)
        #expect(log.statistics.syncs.count == before.syncs.count)
        #expect(throws: StorageError.self) { try log.close() }
    }

    @Test("shows what waits to be written")
    func queue() throws {
        let log = try openLog(SimulatedFileSystem()).log

        for number in 1...3 { _ = try log.append(type: 7, payload: payload(number)) }

        #expect(log.statistics.queuedRecords == 3)
        #expect(log.statistics.queuedBytes == (1...3).reduce(0) { $0 + payload($1).count })
        try log.close()
        #expect(log.statistics.queuedRecords == 0 && log.statistics.records == 3)
    }

    @Test("a duration is counted in the first bucket that it is not above")
    func buckets() {
        var histogram = DurationHistogram()

        histogram.record(.microseconds(100))
        histogram.record(.microseconds(101))
        histogram.record(.seconds(10))
        histogram.record(.seconds(11))
        // A clock that was set back.
        histogram.record(.seconds(-1))

        #expect(histogram.counts == [2, 1] + [Int](repeating: 0, count: DurationHistogram.limits.count - 3) + [1, 1])
        #expect(histogram.count == 5)
        #expect(abs(histogram.sum - 21.000201) < 1e-9)
    }
}
