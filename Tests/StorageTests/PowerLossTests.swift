import Glibc
import TestSupport
import Testing

@testable import Storage

@Suite("Power loss")
struct PowerLossTests {
    static let seeds = 300

    @Test("policy always: no acknowledged record is lost, none is made up, nothing is refused", arguments: 0..<6)
    func always(part: Int) throws {
        var acknowledged = 0
        for seed in stride(from: part, to: Self.seeds, by: 6) { acknowledged += try run(seed: seed, policy: .always) }
        #expect(acknowledged > 500)
    }

    @Test("the other policies keep a prefix, and nothing is refused", arguments: [DurabilityPolicy.os, .interval(milliseconds: 1)])
    func others(policy: DurabilityPolicy) throws {
        var acknowledged = 0
        for seed in 0..<60 { acknowledged += try run(seed: 1000 + seed, policy: policy) }
        #expect(acknowledged > 500)
    }

    /// Several lives of one log. In each, records are appended in bursts until the power goes at a random call to the file system,
    /// which may be one of recovery. What is then on disk is what the next life finds.
    /// Returns how many records were acknowledged.
    private func run(seed: Int, policy: DurabilityPolicy) throws -> Int {
        var generator = SplitMix(seed: UInt64(seed))
        var files: [String: [UInt8]] = [:]
        /// The payloads that were acknowledged, and those that were only sent after them, by number.
        var acknowledged: [[UInt8]] = []
        var unknown: [[UInt8]] = []
        var total = 0

        for life in 0..<4 {
            let lastCall = Int.random(in: 1...60, using: &generator)
            let torn = Int.random(in: 0...700, using: &generator)
            let fileSystem = SimulatedFileSystem(files) { call in
                call.number < lastCall ? nil : call.number == lastCall ? .partial(torn, EIO) : .fail(EIO)
            }
            do {
                let (log, records) = try openLog(
                    fileSystem, policy: policy, options: smallOptions(idleBeforeSeal: .milliseconds(1), first: 2048))
                try check(records, acknowledged, unknown, policy, "seed \(seed), life \(life)")
                acknowledged = records.map(\.payload)
                unknown = []
                try log.start(committed: { _ in }, failed: { _ in })
                try appendUntilPowerLoss(log, &acknowledged, &unknown, seed: seed, &generator)
                total += acknowledged.count - records.count
            } catch let error as StorageError {
                guard error.category != .storageFailed else {
                    files = fileSystem.filesAfterPowerLoss(&generator)
                    continue
                }
                Issue.record("seed \(seed), life \(life): \(error)")
                return total
            }
            files = fileSystem.filesAfterPowerLoss(&generator)
        }
        let records = try openLog(SimulatedFileSystem(files)).records
        try check(records, acknowledged, unknown, policy, "seed \(seed), end")
        return total
    }

    /// Appends bursts, waiting for all of a burst, until the log fails.
    private func appendUntilPowerLoss(
        _ log: WriteAheadLog, _ acknowledged: inout [[UInt8]], _ unknown: inout [[UInt8]], seed: Int, _ generator: inout SplitMix
    ) throws {
        do {
            while true {
                var burst: [PendingRecord] = []
                for _ in 0..<Int.random(in: 1...6, using: &generator) {
                    let bytes = payload(seed * 1000 + acknowledged.count + unknown.count)
                    burst.append(try log.append(type: 1, payload: bytes))
                    unknown.append(bytes)
                }
                for record in burst {
                    try log.waitUntilCommitted(record)
                    acknowledged.append(unknown.removeFirst())
                }
            }
        } catch {
            #expect(throws: StorageError.self) { try log.close() }
        }
    }

    private func check(
        _ records: [LogRecord], _ acknowledged: [[UInt8]], _ unknown: [[UInt8]], _ policy: DurabilityPolicy, _ context: String
    ) throws {
        let found = records.map(\.payload)
        let sent = acknowledged + unknown
        #expect(found.count <= sent.count && found == Array(sent.prefix(found.count)), "\(context): not a prefix of what was sent")
        if policy == .always {
            #expect(found.count >= acknowledged.count, "\(context): \(acknowledged.count - found.count) acknowledged records lost")
        }
    }
}
