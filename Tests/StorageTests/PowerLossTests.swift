import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Power loss")
struct PowerLossTests {
    @Test("policy always: no acknowledged record is lost, none is made up, nothing is refused")
    func always() throws {
        let losses = try Losses("one segment", .always, standard: 300)
        #expect(losses.acknowledged > 8 * losses.histories)
    }

    @Test("policy os keeps a prefix, and nothing is refused")
    func os() throws {
        let losses = try Losses("one segment", .os, standard: 60)
        #expect(losses.acknowledged > 8 * losses.histories)
    }

    @Test("policy interval keeps a prefix, with all that was acknowledged before the last sync began, and nothing is refused (A7)")
    func interval() throws {
        let losses = try Losses("one segment", .interval(milliseconds: 1), standard: 60)
        #expect(losses.acknowledged > 8 * losses.histories)
        // There was something to lose.
        #expect(losses.synced > 2 * losses.histories)
    }

    @Test(
        "nor are they with many segments, of which those go whose records are safe elsewhere",
        arguments: [DurabilityPolicy.always, .os, .interval(milliseconds: 1)])
    func segments(policy: DurabilityPolicy) throws {
        let losses = try Losses("many segments", policy, segmentLimit: 1024, standard: 150)
        #expect(losses.acknowledged > 10 * losses.histories)
    }

    @Test("what a failed sync has left in the page cache alone is lost with no power that goes after the next start")
    func forgottenBySync() throws {
        var generator = SplitMix(seed: seed("a forgetful sync", standard: 3))
        let failures = try livesAfterForgetfulCalls(.synchronizeData, upTo: 40, records: 20, &generator)
        #expect(failures > 20)
    }

    @Test("nor is a name that a failed sync of the directory has left in the cache alone")
    func forgottenName() throws {
        var generator = SplitMix(seed: seed("a forgetful sync of the directory", standard: 4))
        let failures = try livesAfterForgetfulCalls(.synchronizeDirectory, upTo: 20, records: 60, &generator)
        #expect(failures > 5)
    }

    /// For each of the first calls of an operation, a life that ends because this one fails and forgets what it was to sync; then one that
    /// goes on and acknowledges more, all of which is there however the power goes after it.
    ///
    /// - Returns: how many of the first lives failed.
    private func livesAfterForgetfulCalls(
        _ operation: SimulatedFileSystem.Operation, upTo count: Int, records: Int, _ generator: inout SplitMix
    ) throws -> Int {
        var failures = 0
        for number in 1...count {
            let isFirstLife = Shared(true)
            let fileSystem = SimulatedFileSystem { call in
                let isForgetful = call.operation == operation && call.numberOfOperation == number && isFirstLife.current
                return isForgetful ? .partial(0, EIO) : nil
            }
            let options = smallOptions(segmentLimit: 1024, first: 2048)
            do {
                let log = try startLog(fileSystem, options: options)
                try log.appendRecords(1...records)
                try log.close()
            } catch {
                failures += 1
            }

            isFirstLife.set(false)
            let (log, recovered) = try openLog(fileSystem, options: options)
            try log.start(committed: { _ in }, failed: { _ in })
            let acknowledged = recovered.count + 3
            try log.appendRecords((recovered.count + 1)...acknowledged)

            for _ in 0..<10 {
                let found = try openLog(SimulatedFileSystem(fileSystem.filesAfterPowerLoss(&generator)), options: options).records
                let isWhole = found.map(\.payload) == (1...acknowledged).map(payload)
                #expect(isWhole, "\(operation) \(number): \(found.count) records of \(acknowledged)")
            }
            try log.close()
        }
        return failures
    }
}

/// Runs histories of power losses, and counts what came of them.
private struct Losses {
    let histories: Int
    private(set) var acknowledged = 0
    /// Those of them that were acknowledged before a sync began which did not fail.
    private(set) var synced = 0
    private var powerLosses = 0
    private var lost = 0
    private var refusals = 0

    init(_ kind: String, _ policy: DurabilityPolicy, segmentLimit: UInt64? = nil, standard: Int) throws {
        histories = count("QUIRE_POWER_LOSSES", standard: standard)
        let first = seed("power losses, \(kind), \(policy)", standard: 0)
        for number in 0..<histories { try run(seed: first &+ UInt64(number), policy: policy, segmentLimit: segmentLimit) }
        let name = "simulated power losses, \(kind), policy \(policy)"
        switch policy {
        case .always: report("acknowledged records lost in \(name)", "\(lost) of \(acknowledged)")
        case .interval: report("records lost in \(name) that were acknowledged before the last sync", "\(lost) of \(synced)")
        case .os: break
        }
        report("starts wrongly refused after \(name)", "\(refusals) of \(powerLosses)")
    }

    /// Several lives of one log. In each, records are appended in bursts until the power goes at a random call to the file system,
    /// which may be one of recovery. What is then on disk is what the next life finds. With a `segmentLimit`, there are also
    /// snapshots, of which nothing is lost, and segments are removed behind them.
    private mutating func run(seed: UInt64, policy: DurabilityPolicy, segmentLimit: UInt64?) throws {
        var generator = SplitMix(seed: seed)
        var files: [String: [UInt8]] = [:]
        /// The payloads that were acknowledged, and those that were only sent after them, by number.
        var acknowledged: [[UInt8]] = []
        var unknown: [[UInt8]] = []
        /// How many of the acknowledged ones are in the last snapshot.
        var base = 0
        /// How many of them no loss of power can take any more.
        var safe = 0

        for life in 0..<4 {
            let lastCall = Int.random(in: 1...(segmentLimit == nil ? 60 : 150), using: &generator)
            let torn = Int.random(in: 0...700, using: &generator)
            let (answered, answeredBeforeSync) = (Shared(0), Shared(0))
            let fileSystem = SimulatedFileSystem(files) { call in
                guard call.number < lastCall else { return call.number == lastCall ? .partial(torn, EIO) : .fail(EIO) }
                if call.operation == .synchronizeData { answeredBeforeSync.set(answered.current) }
                return nil
            }
            do {
                let options = smallOptions(segmentLimit: segmentLimit ?? 64 << 20, idleBeforeSeal: .milliseconds(1), first: 2048)
                let (log, records) = try openLog(fileSystem, policy: policy, options: options, after: base)
                let found = acknowledged.prefix(base) + records.map(\.payload)
                try check(Array(found), acknowledged, unknown, safe: safe, policy, "seed \(seed), life \(life)")
                acknowledged = Array(found)
                unknown = []
                // They were on disk.
                safe = found.count
                answered.set(found.count)
                answeredBeforeSync.set(found.count)
                try log.start(committed: { _ in }, failed: { _ in })
                try appendUntilPowerLoss(
                    log, &acknowledged, &unknown, answered, seed: seed, &generator, snapshot: segmentLimit == nil ? nil : { base = $0 })
                safe = policy == .always ? acknowledged.count : max(base, answeredBeforeSync.current)
                self.acknowledged += acknowledged.count - found.count
                self.synced += safe - found.count
            } catch let error as StorageError {
                guard error.category == .storageFailed else {
                    refusals += 1
                    Issue.record("seed \(seed), life \(life): \(error)")
                    return
                }
            }
            powerLosses += 1
            files = fileSystem.filesAfterPowerLoss(&generator)
        }
        let records = try openLog(SimulatedFileSystem(files), after: base).records
        try check(acknowledged.prefix(base) + records.map(\.payload), acknowledged, unknown, safe: safe, policy, "seed \(seed), end")
    }

    /// Appends bursts, waiting for all of a burst, until the log fails; `answered` counts along. Behind some of them, tells `snapshot`
    /// how many records the log has and removes segments that hold no others.
    private func appendUntilPowerLoss(
        _ log: WriteAheadLog, _ acknowledged: inout [[UInt8]], _ unknown: inout [[UInt8]], _ answered: Shared<Int>, seed: UInt64,
        _ generator: inout SplitMix, snapshot: ((Int) -> Void)?
    ) throws {
        do {
            while true {
                var burst: [PendingRecord] = []
                for _ in 0..<Int.random(in: 1...6, using: &generator) {
                    let bytes = payload(Int(truncatingIfNeeded: seed % 1_000_000_000) * 1000 + acknowledged.count + unknown.count)
                    burst.append(try log.append(type: 1, payload: bytes))
                    unknown.append(bytes)
                }
                for record in burst {
                    try log.waitUntilCommitted(record)
                    acknowledged.append(unknown.removeFirst())
                    answered.set(acknowledged.count)
                }
                if let snapshot, Int.random(in: 0..<4, using: &generator) == 0 {
                    try log.rotate()
                    snapshot(acknowledged.count)
                    let kept = Int.random(in: 0...acknowledged.count, using: &generator)
                    _ = try log.removeSegments(through: SequenceNumber(acknowledged.count - kept / 2))
                }
            }
        } catch {
            #expect(throws: StorageError.self) { try log.close() }
        }
    }

    private mutating func check(
        _ found: [[UInt8]], _ acknowledged: [[UInt8]], _ unknown: [[UInt8]], safe: Int, _ policy: DurabilityPolicy, _ context: String
    ) throws {
        let sent = acknowledged + unknown
        #expect(found.count <= sent.count && found == Array(sent.prefix(found.count)), "\(context): not a prefix of what was sent")
        // Where the system decides, a sync of one segment says nothing about those before it.
        if policy != .os {
            lost += max(0, safe - found.count)
            #expect(found.count >= safe, "\(context): \(safe - found.count) records lost that were safe")
        }
    }
}
