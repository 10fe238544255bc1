import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Rotation")
struct RotationTests {
    @Test("records survive many rotations and reopenings; finished segments end with their records")
    func manySegments() throws {
        let fileSystem = SimulatedFileSystem()
        let options = smallOptions(segmentLimit: 4096, first: 1024)

        for round in 0..<4 {
            let (log, records) = try openLog(fileSystem, options: options)
            #expect(records.map(\.payload) == (0..<(round * 60)).map { payload($0 + 1) })
            #expect(records.map(\.sequence.rawValue) == (0..<(round * 60)).map { UInt64($0 + 1) })
            try log.start(committed: { _ in }, failed: { _ in })
            try log.appendRecords((round * 60 + 1)...(round * 60 + 60))
            try log.close()
        }

        let files = fileSystem.files.sorted { $0.key < $1.key }.map(\.value)
        #expect(files.count > 9)
        for bytes in files.dropLast() {
            #expect(recordOffsets(bytes).last == bytes.count)
            #expect((4096..<4096 + 400).contains(bytes.count))
        }
        #expect(try openLog(fileSystem).log.recovery.segments == files.count)
    }

    @Test(
        "rotate returns when what was appended is on disk in a finished segment, whatever the policy",
        arguments: [DurabilityPolicy.always, .interval(milliseconds: 3_600_000), .os])
    func rotate(policy: DurabilityPolicy) throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem, policy: policy)
        let records = try (1...5).map { try log.append(type: 7, payload: payload($0)) }

        try log.rotate()

        #expect(log.durableSequence.rawValue == 5)
        for record in records { try log.waitUntilCommitted(record) }
        for seed in 0..<20 {
            var generator = SplitMix(seed: UInt64(seed))
            let (reopened, records) = try openLog(SimulatedFileSystem(fileSystem.filesAfterPowerLoss(&generator)))
            #expect(records.map(\.payload) == (1...5).map(payload))
            #expect(reopened.recovery.segments == 2)
            #expect(reopened.recovery.sealed)
        }
        try log.appendRecords(6...8)
        try log.close()
        #expect(Set(fileSystem.files.keys) == [firstSegment, secondSegment])
        #expect(try openLog(fileSystem).records.map(\.payload) == (1...8).map(payload))
    }

    @Test("a segment without records is not ended")
    func emptySegment() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem, options: smallOptions(segmentLimit: 0))

        try log.rotate()
        #expect(Array(fileSystem.files.keys) == [firstSegment])
        try log.appendRecords(1...1)
        for _ in 1...3 { try log.rotate() }
        #expect(Set(fileSystem.files.keys) == [firstSegment, secondSegment])
        try log.close()

        let reopened = try startLog(fileSystem)
        try reopened.rotate()
        #expect(fileSystem.files.count == 2)
        try reopened.close()
        #expect(throws: StorageError.closed) { try reopened.rotate() }
    }

    @Test("rotations beside writers end segments between batches, and the log stays one")
    func concurrentRotations() throws {
        let fileSystem = SimulatedFileSystem()
        let log = try startLog(fileSystem, options: smallOptions(segmentLimit: 8192))
        let early = Shared(0)

        try onThreads(8) { thread in
            for round in 0..<40 {
                let record = try log.append(type: 7, payload: payload(thread * 40 + round))
                if thread < 2 {
                    try log.rotate()
                    if log.durableSequence < record.sequence { early.update { $0 += 1 } }
                }
                try log.waitUntilCommitted(record)
            }
        }
        try log.close()

        #expect(early.current == 0)
        let (reopened, records) = try openLog(fileSystem)
        #expect(reopened.recovery.segments > 10)
        #expect(Set(records.map(\.payload)) == Set((0..<320).map(payload)))
        #expect(records.count == 320)
    }

    @Test(
        "without space for another segment, records go on in the old one, and rotate says nothing",
        arguments: [SimulatedFileSystem.Operation.open, .write, .close, .rename])
    func noSpace(operation: SimulatedFileSystem.Operation) throws {
        let full = Shared(true)
        let fileSystem = SimulatedFileSystem { call in
            full.current && call.operation == operation && call.path == secondSegment + ".tmp" ? .fail(ENOSPC) : nil
        }
        let log = try startLog(fileSystem)
        try log.appendRecords(1...5)

        try log.rotate()
        #expect(Array(fileSystem.files.keys) == [firstSegment])
        try log.appendRecords(6...10)
        full.set(false)
        try log.rotate()
        #expect(Set(fileSystem.files.keys) == [firstSegment, secondSegment])
        try log.appendRecords(11...15)
        try log.close()

        let (reopened, records) = try openLog(fileSystem)
        #expect(records.map(\.payload) == (1...15).map(payload))
        #expect(reopened.recovery.removedFiles == [])
    }

    @Test("without a descriptor for another segment, records go on in the old one, or wait until there is one")
    func noDescriptor() throws {
        let isShort = Shared(true)
        let refusals = Shared(0)
        let fileSystem = SimulatedFileSystem { call in
            if isShort.current { return call.operation == .open && call.path == secondSegment + ".tmp" ? .fail(EMFILE) : nil }
            let isNeeded = call.operation == .synchronizeDirectory || call.operation == .open && call.path == secondSegment
            guard isNeeded, refusals.current < 4 else { return nil }
            refusals.update { $0 += 1 }
            return .fail(refusals.current % 2 == 0 ? EMFILE : ENFILE)
        }
        // The start opens no descriptor that is refused.
        let log = try startLog(fileSystem)
        try log.appendRecords(1...5)
        try log.rotate()
        #expect(Array(fileSystem.files.keys) == [firstSegment])
        try log.appendRecords(6...10)

        isShort.set(false)
        try log.rotate()
        try log.appendRecords(11...15)
        try log.close()

        #expect(refusals.current == 4)
        #expect(Set(fileSystem.files.keys) == [firstSegment, secondSegment])
        #expect(try openLog(fileSystem).records.map(\.payload) == (1...15).map(payload))
    }

    @Test("a failed sync of another segment stops the log, also when it speaks of space")
    func failedSync() throws {
        let fileSystem = SimulatedFileSystem { $0.operation == .synchronize && $0.path == secondSegment + ".tmp" ? .fail(ENOSPC) : nil }
        let log = try startLog(fileSystem)
        try log.appendRecords(1...5)
        let stopped = StorageError.poisoned(operation: "fsync", path: secondSegment + ".tmp", errno: ENOSPC)

        #expect(throws: stopped) { try log.rotate() }
        #expect(throws: stopped) { try log.append(type: 7, payload: payload(6)) }
        #expect(throws: stopped) { try log.close() }
    }

    @Test("a segment that reached its limit is tried to be ended again with every allocation, not with every record")
    func retries() throws {
        let full = Shared(true)
        let attempts = Shared(0)
        let fileSystem = SimulatedFileSystem { call in
            guard call.operation == .open, call.path == secondSegment + ".tmp" else { return nil }
            attempts.update { $0 += 1 }
            return full.current ? .fail(ENOSPC) : nil
        }
        let log = try startLog(fileSystem, options: smallOptions(segmentLimit: 1000, first: 2000))
        let record = [UInt8](repeating: 1, count: 464)
        func append(_ count: Int) throws {
            for _ in 0..<count { try log.waitUntilCommitted(try log.append(type: 7, payload: record)) }
        }

        try append(20)
        full.set(false)
        try append(5)
        try log.close()

        // 1064 bytes are over the limit, and every fourth record of 500 and its seal brings 2000 more.
        #expect((3...7).contains(attempts.current))
        #expect(fileSystem.files[secondSegment] != nil)
        #expect(try openLog(fileSystem).records.count == 25)
    }

    @Test("any other failure of a rotation poisons the log, whichever call it is, and nothing acknowledged is lost")
    func failures() throws {
        let whole = SimulatedFileSystem()
        let log = try startLog(whole)
        try log.appendRecords(1...5)
        let before = whole.callCount
        try log.rotate()
        let calls = (before + 1)...whole.callCount
        try log.close()
        #expect(calls.count > 10)

        for number in calls {
            let fileSystem = SimulatedFileSystem { $0.number == number ? .fail(EIO) : nil }
            let failures = Shared<[StorageError]>([])
            let log = try startLog(fileSystem, failed: { error in failures.update { $0.append(error) } })
            try log.appendRecords(1...4)
            let last = try log.append(type: 7, payload: payload(5))
            try log.waitUntilCommitted(last)

            #expect("call \(number)") { try log.rotate() } throws: { ($0 as? StorageError) == failures.current.first }
            #expect(failures.current.count == 1 && failures.current.first?.category == .storageFailed)
            try log.waitUntilCommitted(last)
            #expect(throws: failures.current[0]) { try log.append(type: 7, payload: []) }
            #expect(throws: failures.current[0]) { try log.rotate() }
            #expect(throws: failures.current[0]) { try log.close() }
            #expect(try openLog(SimulatedFileSystem(fileSystem.files)).records.map(\.payload) == (1...5).map(payload), "call \(number)")
        }
    }

    @Test("a record that is on disk stays acknowledged when the rotation behind it fails")
    func failureBehindBatch() throws {
        let fileSystem = SimulatedFileSystem { $0.operation == .open && $0.path == secondSegment + ".tmp" ? .fail(EIO) : nil }
        let log = try startLog(fileSystem, options: smallOptions(segmentLimit: 0))
        let record = try log.append(type: 7, payload: payload(1))
        try log.waitUntilCommitted(record)

        #expect(throws: StorageError.poisoned(operation: "open", path: secondSegment + ".tmp", errno: EIO)) { try log.close() }

        try log.waitUntilCommitted(record)
    }

    @Test("who waits for the end of the segment does not fail with records that found no space")
    func requestOutlivesRecords() throws {
        let queue = LogQueue(lastSequence: .zero, options: smallOptions())
        let record = try queue.append(type: 7, version: 1, flags: [], payload: [], mayUseReserve: false)
        let rotation = try queue.requestRotation()

        let stopped = queue.stop(.failing(.insufficientSpace(path: firstSegment, errno: ENOSPC)))

        #expect(stopped.settlements.count == 1 && stopped.commit === record.commit)
        guard case .batch(let next) = queue.next(atMost: .zero) else { return #expect(Bool(false), "there is something to do") }
        #expect(next.records.isEmpty && next.rotation === rotation)
    }

    @Test("a crash at any call of a run with rotations and removals loses nothing that was acknowledged")
    func crashes() throws {
        /// Appends records, takes the state up to some of them for safe elsewhere, and removes what that makes needless.
        func run(_ fileSystem: SimulatedFileSystem) -> (acknowledged: Int, base: Int) {
            var acknowledged = 0
            var base = 0
            do {
                let log = try startLog(fileSystem, options: smallOptions(segmentLimit: 500, first: 512))
                do {
                    for number in 1...20 {
                        try log.appendRecords(number...number)
                        acknowledged = number
                        guard number % 6 == 0 else { continue }
                        try log.rotate()
                        base = number
                        _ = try log.removeSegments(through: SequenceNumber(base))
                    }
                } catch {}
                try log.close()
            } catch {}
            return (acknowledged, base)
        }
        let whole = SimulatedFileSystem()
        let complete = run(whole)
        #expect(complete.acknowledged == 20 && complete.base == 18)
        #expect(whole.count(.remove) > 4)

        for crash in 1...whole.callCount {
            let fileSystem = SimulatedFileSystem { $0.number < crash ? nil : .fail(EIO) }
            let (acknowledged, base) = run(fileSystem)
            var generator = SplitMix(seed: UInt64(crash))
            for files in [fileSystem.files] + (0..<3).map({ _ in fileSystem.filesAfterPowerLoss(&generator) }) {
                let records = try openLog(SimulatedFileSystem(files), after: base).records
                let last = base + records.count
                #expect(last == acknowledged || last == acknowledged + 1, "crash at call \(crash)")
                #expect(records.map(\.payload) == (base..<last).map { payload($0 + 1) }, "crash at call \(crash)")
            }
        }
    }
}
