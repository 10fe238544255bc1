import Glibc
import TestSupport
import Testing

@testable import StorageExerciser

/// Syncs that fail once, each one of a run. After such a failure the kernel may have dropped what was to be synced, and say "ok" when it
/// is asked again. Proves that nobody is told of a success that might be built on it.
@Suite("Faults: a sync that fails") struct FailedSyncTests {
    private static let rounds = 8
    private let judge = Judge(ScriptOperation.script(rounds: rounds))
    private let failures = Shared(0)

    @Test("of the log: nothing is acknowledged after it, and the next start has everything that was", arguments: [EIO, ENOSPC])
    func log(code: Int32) throws {
        let syncs = count("QUIRE_FAILED_SYNCS", standard: 50)

        let flaws = try inParallel(Array(1...syncs)) { number in
            try flaw(after: "fdatasync * \(number) error \(code)", ["run=\(Self.rounds)"])
        }

        #expect(flaws == [])
        #expect(failures.current == syncs)
        report("failed syncs of the log with errno \(code), after which nothing was acknowledged", "\(failures.current)")
    }

    @Test(
        "of a new file or of the directory, on any thread: nothing is acknowledged after it, and the next start has everything that was",
        arguments: [
            ("*.tmp", EIO, ["run=\(rounds)"]), ("*/data", EIO, ["run=\(rounds)"]), ("*/data", ENOSPC, ["run=\(rounds)"]),
            ("*", EIO, ["snapshot-bytes=1000", "run=\(rounds)"]),
        ])
    func newFiles(pattern: String, code: Int32, steps: [String]) throws {
        let syncs = try countSyncs(pattern, steps)
        #expect(syncs > 10)

        let flaws = try inParallel(Array(1...syncs)) { number in
            try flaw(after: "fsync \(pattern) \(number) error \(code)", steps)
        }

        #expect(flaws == [])
        // When snapshots are taken beside the changes, one run makes a few syncs more than another.
        #expect(failures.current > syncs / 2)
        report("failed syncs of \(pattern) with errno \(code), after which nothing was acknowledged", "\(failures.current)")
    }

    @Test("the judge says so when an operation is acknowledged before it is written, after one whose sync failed")
    func plantedBug() throws {
        let flaw = try flaw(after: "fdatasync * 5 error \(EIO)", ["acknowledge-early", "run=\(Self.rounds)"])

        #expect(flaw?.contains("was acknowledged after another one had failed") == true)
    }

    /// The number of syncs after which no later one is made.
    private func countSyncs(_ pattern: String, _ steps: [String]) throws -> Int {
        var number = 1
        while try Workspace().run(steps, faults: ["fsync \(pattern) \(number) kill 0"]).status == Run.killed { number += 1 }
        return number - 1
    }

    /// What is wrong after a run that met the fault.
    private func flaw(after fault: String, _ steps: [String]) throws -> String? {
        let workspace = Workspace()
        let run = try workspace.run(steps, faults: [fault])
        guard (run.output + run.errors).contains("errno") else { return nil }
        failures.update { $0 += 1 }
        guard run.status == 70 else { return "\(fault): ended with \(run.status), saying \(run.output.suffix(300))" }
        // A failure while the database is created leaves nothing that could be wrong.
        return judge.flaw(of: try workspace.run(["show"]), after: run).map { "\(fault): \($0)" }
    }
}
