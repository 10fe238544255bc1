import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Group commit")
struct GroupCommitTests {
    @Test("64 writers: each is answered only after its record is on disk and was observed, and replay gives the same order")
    func manyWriters() throws {
        let fileSystem = SimulatedFileSystem()
        let observed = Shared<[SequenceNumber]>([])
        let early = Shared(0)
        let log = try openLog(fileSystem).log
        try log.start(
            committed: { [weak log] through in
                if fileSystem.hasUnsyncedBytes(firstSegment) || log?.durableSequence != through { early.update { $0 += 1 } }
                observed.update { $0.append(through) }
            }, failed: { _ in })
        let appended = Shared<[UInt64: [UInt8]]>([:])
        let failures = Shared(0)

        try onThreads(64) { writer in
            for round in 0..<8 {
                do {
                    let bytes = payload(writer * 8 + round)
                    let record = try log.append(type: 1, payload: bytes)
                    try log.waitUntilCommitted(record)
                    if log.durableSequence < record.sequence { early.update { $0 += 1 } }
                    if observed.current.last! < record.sequence { early.update { $0 += 1 } }
                    appended.update { $0[record.sequence.rawValue] = bytes }
                } catch {
                    failures.update { $0 += 1 }
                }
            }
        }
        try log.close()

        #expect(failures.current == 0)
        #expect(early.current == 0)
        #expect(observed.current == observed.current.sorted())
        #expect(observed.current.last?.rawValue == 512)
        let records = try openLog(fileSystem).records
        #expect(records.count == 512)
        #expect(records.allSatisfy { appended.current[$0.sequence.rawValue] == $0.payload })
    }

    @Test("64 writers: nobody waits for more than the sync under way and the next one")
    func fairness() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try openLog(fileSystem).log
        let commits = Shared<[(through: SequenceNumber, syncs: Int)]>([])
        try log.start(
            committed: { through in commits.update { $0.append((through, fileSystem.count(.synchronizeData))) } }, failed: { _ in })

        // A writer that does not run for a while looks late: it has then waited for less than it seems, never for more.
        let appended = try onThreads(64) { writer in
            try (0..<count("QUIRE_FAIR_WRITES", standard: 20)).map { round in
                let record = try log.append(type: 1, payload: payload(writer * 100 + round))
                let syncs = fileSystem.count(.synchronizeData)
                try log.waitUntilCommitted(record)
                return (record.sequence, syncs)
            }
        }.flatMap { $0 }
        try log.close()

        let waits = try appended.map { sequence, before in
            try #require(commits.current.first { $0.through >= sequence }).syncs - before
        }
        #expect(waits.max()! <= 2)
        report("64 writers: syncs that a record waits for, at most", "\(waits.max()!) of \(waits.count) records")
    }

    @Test("whoever appends during a sync shares the next write and the next sync")
    func sharing() throws {
        let gate = Shared(false)
        let syncing = Shared(0)
        let fileSystem = SimulatedFileSystem { call in
            if call.operation == .synchronizeData {
                syncing.update { $0 += 1 }
                // The first sync is that of opening; the second, of record 1, is held up.
                if call.numberOfOperation == 2 { gate.wait { $0 } }
            }
            return nil
        }
        let log = try startLog(fileSystem)
        let first = try log.append(type: 1, payload: [0])
        syncing.wait { $0 == 2 }
        let writes = fileSystem.count(.write)

        let others = try (1...40).map { try log.append(type: 1, payload: [UInt8($0)]) }
        #expect(log.durableSequence == .zero)
        #expect(log.lastSequence.rawValue == 41)
        gate.update { $0 = true }
        try log.waitUntilCommitted(first)
        for record in others { try log.waitUntilCommitted(record) }

        #expect(fileSystem.count(.write) == writes + 1)
        #expect(fileSystem.count(.synchronizeData) == 3)
        #expect(log.durableSequence.rawValue == 41)
        try log.close()
    }

    @Test("an idle log is sealed, once")
    func idleSeal() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem, options: smallOptions(idleBeforeSeal: .milliseconds(1)))
        try log.waitUntilCommitted(try log.append(type: 1, payload: [1]))

        // One sync at opening, one for the record, one for the seal.
        fileSystem.wait(for: .synchronizeData, count: 3)
        try log.close()

        #expect(fileSystem.count(.synchronizeData) == 3)
        #expect(recordOffsets(fileSystem.files[firstSegment]!).count == 3)
        #expect(try openLog(fileSystem).log.recovery.sealed)
    }

    @Test("a log found unsealed is sealed when idle")
    func sealsAfterRecovery() throws {
        let fileSystem = SimulatedFileSystem([firstSegment: segment(.first(of: testID), [(header(1, synced: 0, count: 0), [])]).bytes])
        let log = try startLog(fileSystem, options: smallOptions(idleBeforeSeal: .zero))
        #expect(!log.recovery.sealed)

        fileSystem.wait(for: .synchronizeData, count: 2)
        try log.close()

        #expect(try openLog(fileSystem).log.recovery.sealed)
    }

    @Test("policy interval answers before the sync and syncs within the interval")
    func interval() throws {
        let fileSystem = SimulatedFileSystem()
        let slow = try startLog(fileSystem, policy: .interval(milliseconds: 3_600_000))
        try slow.waitUntilCommitted(try slow.append(type: 1, payload: [1]))
        #expect(slow.durableSequence == .zero)
        #expect(fileSystem.count(.synchronizeData) == 1)
        try slow.close()
        #expect(slow.durableSequence.rawValue == 1)

        let quick = try startLog(
            fileSystem, policy: .interval(milliseconds: 1), options: smallOptions(idleBeforeSeal: .milliseconds(1)))
        let syncs = fileSystem.count(.synchronizeData)
        try quick.waitUntilCommitted(try quick.append(type: 1, payload: [2]))
        // Without any further append: one sync for the record, and one for the seal, which is written only once that is done.
        fileSystem.wait(for: .synchronizeData, count: syncs + 2)
        #expect(quick.durableSequence.rawValue == 2)
        // Appended after an interval without syncs, a record need not wait for one.
        try quick.waitUntilCommitted(try quick.append(type: 1, payload: [3]))
        try quick.close()
        #expect(try openLog(fileSystem).records.map(\.payload) == [[1], [2], [3]])
    }

    @Test("policy interval syncs what was acknowledged within the interval, however busy the writers are")
    func intervalWhileBusy() throws {
        let acknowledged = Shared<[ContinuousClock.Instant]>([])
        let ages = Shared<[Duration]>([])
        let fileSystem = SimulatedFileSystem { call in
            guard call.operation == .synchronizeData else { return nil }
            // What is acknowledged by now is in the file, and safe when this returns.
            let oldest = acknowledged.update { times in
                defer { times = [] }
                return times.first
            }
            if let oldest { ages.update { $0.append(.now - oldest) } }
            return nil
        }
        let log = try startLog(fileSystem, policy: .interval(milliseconds: 20))
        let end = ContinuousClock.now + .seconds(600)
        try onThreads(4) { writer in
            while ages.current.count < 50, .now < end {
                try log.waitUntilCommitted(try log.append(type: 1, payload: [UInt8(writer)]))
                acknowledged.update { $0.append(.now) }
            }
        }
        try log.close()

        let sorted = ages.current.sorted()
        try #require(sorted.count >= 50)
        let oldest = sorted[sorted.count - 1]
        // On a busy machine the thread that syncs, or the one that takes the time, may have to wait for its turn, for seconds now and then;
        // an interval that is not kept would show in most of them.
        #expect(sorted[sorted.count / 2] < .seconds(1))
        #expect(oldest < .seconds(60))
        report("policy interval:20: longest from an acknowledgement to its sync", "\(Int(oldest / .milliseconds(1))) ms")
    }

    @Test("policy os syncs when it is closed, and not before")
    func os() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem, policy: .os, options: smallOptions(idleBeforeSeal: .zero))
        for number in 1...20 { try log.waitUntilCommitted(try log.append(type: 1, payload: payload(number))) }
        #expect(fileSystem.count(.synchronizeData) == 1)
        #expect(log.durableSequence == .zero)

        try log.close()

        #expect(log.durableSequence.rawValue == 20)
        #expect(try openLog(fileSystem).log.recovery.sealed)
    }

    @Test("closing writes what is queued, twice is as once, and then nothing is taken")
    func closing() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem)
        let records = try (1...30).map { try log.append(type: 1, payload: payload($0)) }

        try log.close()
        try log.close()

        for record in records { try log.waitUntilCommitted(record) }
        #expect(throws: StorageError.closed) { try log.append(type: 1, payload: []) }
        #expect(try openLog(fileSystem).records.count == 30)
    }

    @Test("too large a record, and more than may wait, are refused without using up a number")
    func limits() throws {
        let log = try openLog(SimulatedFileSystem(), options: smallOptions(queueLimit: 100)).log
        let tooLarge = [UInt8](repeating: 0, count: LogRecord.maximumPayloadLength + 1)
        #expect(throws: StorageError.recordTooLarge(bytes: tooLarge.count, limit: LogRecord.maximumPayloadLength)) {
            try log.append(type: 1, payload: tooLarge)
        }

        let first = try log.append(type: 1, payload: [UInt8](repeating: 1, count: 150))
        #expect(throws: StorageError.queueFull(bytes: 151, limit: 100)) { try log.append(type: 1, payload: [1]) }

        #expect(first.sequence.rawValue == 1)
        #expect(log.lastSequence.rawValue == 1)
        try log.close()
    }
}
