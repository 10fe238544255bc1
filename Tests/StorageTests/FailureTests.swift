import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Failing storage")
struct FailureTests {
    @Test("short and interrupted calls are invisible: the log is the same byte for byte")
    func interruptions() throws {
        let expected = try filesOfLog(records: 20)
        let fileSystem = SimulatedFileSystem { call in
            guard call.operation == .read || call.operation == .write else { return nil }
            return call.number % 3 == 0 ? .fail(EINTR) : .short(1 + call.number % 97)
        }

        let log = try startLog(fileSystem)
        for number in 1...20 { try log.waitUntilCommitted(try log.append(type: 7, payload: payload(number))) }
        try log.close()

        #expect(fileSystem.files == expected)
        #expect(try openLog(fileSystem).records.count == 20)
    }

    @Test(
        "without space a batch leaves no trace, and records are taken again after resume", arguments: [ENOSPC, EDQUOT, EFBIG], [0, 10, 33])
    func insufficientSpace(errno: Int32, written: Int) throws {
        let full = Shared(false)
        let fileSystem = SimulatedFileSystem { $0.operation == .write && full.current ? .partial(written, errno) : nil }
        let failures = Shared<[StorageError]>([])
        let log = try startLog(fileSystem, failed: { error in failures.update { $0.append(error) } })
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(1)))
        let error = StorageError.insufficientSpace(path: firstSegment, errno: errno)

        full.update { $0 = true }
        let failed = try log.append(type: 7, payload: payload(100))
        #expect(throws: error) { try log.waitUntilCommitted(failed) }
        #expect(failures.current == [error])
        #expect(throws: error) { try log.append(type: 7, payload: []) }
        #expect(!fileSystem.hasUnsyncedBytes(firstSegment))
        #expect(recordOffsets(fileSystem.files[firstSegment]!).last == fileSystem.files[firstSegment]!.count)

        full.update { $0 = false }
        log.resume()
        let next = try log.append(type: 7, payload: payload(2))
        try log.waitUntilCommitted(next)

        // The number was given again, and who waits for the failed record is still told so.
        #expect(next.sequence == failed.sequence)
        #expect(throws: error) { try log.waitUntilCommitted(failed) }
        try log.close()
        #expect(try openLog(fileSystem).records.map(\.payload) == [payload(1), payload(2)])
    }

    @Test(
        "on a file system that became read-only a batch fails alone, and when it may be written again nothing of the batch is left",
        arguments: [0, 33, 1000])
    func readOnly(written: Int) throws {
        let isReadOnly = Shared(false)
        let fileSystem = SimulatedFileSystem { call in
            guard isReadOnly.current else { return nil }
            switch call.operation {
            // It may have happened in the middle of a write.
            case .write: return .partial(written, EROFS)
            case .open, .truncate, .rename, .remove: return .fail(EROFS)
            default: return nil
            }
        }
        let failures = Shared<[StorageError]>([])
        let log = try startLog(fileSystem, failed: { error in failures.update { $0.append(error) } })
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(1)))
        let error = StorageError.readOnly(path: firstSegment)

        isReadOnly.set(true)
        for attempt in 1...3 {
            let failed = try log.append(type: 7, payload: payload(100))
            #expect(throws: error) { try log.waitUntilCommitted(failed) }
            #expect(failures.current.count == attempt)
            log.resume()
        }
        // There is no other segment, and no waiting for one.
        try log.rotate()
        #expect(fileSystem.files.count == 1)

        isReadOnly.set(false)
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(2)))
        try log.rotate()
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(3)))
        try log.close()
        let (reopened, records) = try openLog(fileSystem)
        #expect(records.map(\.payload) == [payload(1), payload(2), payload(3)])
        #expect(reopened.recovery.truncatedBytes == 0 && reopened.recovery.segments == 2)
        #expect(failures.current == [error, error, error])
    }

    @Test("on a file system that became read-only a log is closed without its seal")
    func readOnlyAtTheEnd() throws {
        let isReadOnly = Shared(false)
        let fileSystem = SimulatedFileSystem { isReadOnly.current && $0.operation == .write ? .fail(EROFS) : nil }
        let log = try startLog(fileSystem)
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(1)))

        isReadOnly.set(true)
        try log.close()

        let (reopened, records) = try openLog(SimulatedFileSystem(fileSystem.files))
        #expect(records.map(\.payload) == [payload(1)])
        #expect(!reopened.recovery.sealed)
    }

    @Test("records queued behind a failed batch fail with it; resume inside the observer lets the next one in")
    func queuedRecordsFail() throws {
        let gate = Shared(false)
        let arrived = Shared(false)
        let full = Shared(false)
        let fileSystem = SimulatedFileSystem { call in
            guard call.operation == .write, full.current else { return nil }
            arrived.update { $0 = true }
            gate.wait { $0 }
            return .fail(ENOSPC)
        }
        let log = try openLog(fileSystem).log
        let followUp = Shared<PendingRecord?>(nil)
        try log.start(
            committed: { _ in },
            failed: { [weak log] _ in
                full.update { $0 = false }
                log?.resume()
                followUp.update { $0 = try? log?.append(type: 1, payload: [3]) }
            })

        full.update { $0 = true }
        let first = try log.append(type: 1, payload: [1])
        arrived.wait { $0 }
        let second = try log.append(type: 1, payload: [2])
        gate.update { $0 = true }

        let error = StorageError.insufficientSpace(path: firstSegment, errno: ENOSPC)
        #expect(throws: error) { try log.waitUntilCommitted(first) }
        #expect(throws: error) { try log.waitUntilCommitted(second) }
        let third = try #require(followUp.current)
        try log.waitUntilCommitted(third)
        #expect(third.sequence.rawValue == 1)
        try log.close()
        #expect(try openLog(fileSystem).records.map(\.payload) == [[3]])
    }

    @Test("a disk that fails while zeros are written ahead poisons")
    func allocationFails() throws {
        let fileSystem = SimulatedFileSystem { $0.writesZeros && $0.numberOfOperation > 2 ? .fail(EIO) : nil }
        let log = try startLog(fileSystem)

        let record = try log.append(type: 7, payload: [UInt8](repeating: 1, count: 5000))

        let error = StorageError.poisoned(operation: "write", path: firstSegment, errno: EIO)
        #expect(throws: error) { try log.waitUntilCommitted(record) }
        #expect(throws: error) { try log.close() }
    }

    @Test("a seal without space is left out")
    func noSpaceForSeal() throws {
        let full = Shared(false)
        let fileSystem = SimulatedFileSystem { $0.operation == .write && full.current ? .partial(7, ENOSPC) : nil }
        let log = try startLog(fileSystem)
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(1)))

        full.update { $0 = true }
        try log.close()

        let (reopened, records) = try openLog(SimulatedFileSystem(fileSystem.files))
        #expect(records.count == 1)
        #expect(!reopened.recovery.sealed)
        #expect(reopened.recovery.truncatedBytes == 0)
    }

    @Test(
        "a failed sync, or a write that fails for a reason that says nothing of what was written, ends all writing for good",
        arguments: [(SimulatedFileSystem.Operation.synchronizeData, EIO), (.synchronizeData, EROFS), (.write, EIO)])
    func poison(operation: SimulatedFileSystem.Operation, errno: Int32) throws {
        let failing = Shared(false)
        let fileSystem = SimulatedFileSystem { $0.operation == operation && failing.current ? .fail(errno) : nil }
        let failures = Shared<[StorageError]>([])
        let log = try startLog(fileSystem, failed: { error in failures.update { $0.append(error) } })
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(1)))
        let error = StorageError.poisoned(operation: operation.systemCall, path: firstSegment, errno: errno)

        failing.update { $0 = true }
        let failed = try log.append(type: 7, payload: payload(2))
        #expect(throws: error) { try log.waitUntilCommitted(failed) }

        // What failed once says "ok" the next time; nobody asks it.
        failing.update { $0 = false }
        let calls = fileSystem.callCount
        log.resume()
        #expect(throws: error) { try log.append(type: 7, payload: []) }
        #expect(throws: error) { try log.close() }
        #expect(throws: error) { try log.close() }
        #expect(fileSystem.callCount == calls + 1, "only the descriptor is closed")
        #expect(failures.current == [error])
        #expect(log.durableSequence.rawValue == 1)
        #expect(log.lastSequence.rawValue == 1)
        #expect(error.category == .storageFailed)
    }

    @Test("space that cannot be given back poisons")
    func cutBackFails() throws {
        let full = Shared(false)
        let fileSystem = SimulatedFileSystem { call in
            guard full.current else { return nil }
            return switch call.operation {
            case .write: .partial(5, ENOSPC)
            case .truncate: .fail(EIO)
            default: nil
            }
        }
        let log = try startLog(fileSystem)

        full.update { $0 = true }
        let record = try log.append(type: 7, payload: [1])

        let error = StorageError.poisoned(operation: "truncate", path: firstSegment, errno: EIO)
        #expect(throws: error) { try log.waitUntilCommitted(record) }
        #expect(throws: error) { try log.close() }
    }

    @Test("a sync that fails while the log is idle or closing poisons it too")
    func idleSyncFails() throws {
        let failing = Shared(false)
        let fileSystem = SimulatedFileSystem { $0.operation == .synchronizeData && failing.current ? .fail(EIO) : nil }
        let error = StorageError.poisoned(operation: "fdatasync", path: firstSegment, errno: EIO)

        let idle = Shared<StorageError?>(nil)
        let first = try startLog(
            fileSystem, options: smallOptions(idleBeforeSeal: .milliseconds(1)), failed: { error in idle.update { $0 = error } })
        failing.update { $0 = true }
        _ = try first.append(type: 7, payload: [])
        idle.wait { $0 != nil }
        #expect(idle.current == error)
        #expect(throws: error) { try first.close() }

        failing.update { $0 = false }
        let second = try startLog(fileSystem, policy: .os)
        try second.waitUntilCommitted(try second.append(type: 7, payload: []))
        failing.update { $0 = true }
        #expect(throws: error) { try second.close() }

        failing.update { $0 = false }
        let sealing = Shared<StorageError?>(nil)
        let unsealed = SimulatedFileSystem([firstSegment: segment(.first(of: testID), [(header(1, synced: 0, count: 0), [])]).bytes]) {
            $0.operation == .synchronizeData && $0.numberOfOperation == 2 ? .fail(EIO) : nil
        }
        let third = try startLog(
            unsealed, options: smallOptions(idleBeforeSeal: .zero), failed: { error in sealing.update { $0 = error } })
        sealing.wait { $0 != nil }
        #expect(sealing.current == error)
        #expect(throws: error) { try third.close() }
    }
}
