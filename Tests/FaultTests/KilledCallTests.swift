import TestSupport
import Testing

@testable import StorageExerciser

/// A script of all kinds of change and of snapshots, ended by SIGKILL instead of one of its system calls: in appends, rotations,
/// snapshots, their publication, the removal of what they replace, and in the recovery from such an end. Proves that the calls come in
/// an order in which each may be the last. What a kill leaves the page cache still has: whether it was synced is for the simulated
/// power losses to say.
@Suite("Faults: killed at a system call", Strace.required, .serialized) struct KilledCallTests {
    private static let rounds = 6
    private let script = ScriptOperation.script(rounds: rounds)
    private let judge = Judge(ScriptOperation.script(rounds: rounds))
    private let steps = ["run=\(rounds)"]

    @Test(
        "at every one: everything acknowledged is there, the rest whole or absent, and the script goes on to its end",
        arguments: [[], ["snapshot-bytes=1000"]])
    func everyCall(options: [String]) throws {
        let steps = options + steps
        let calls = try Strace.calls(of: Strace.changes, in: Workspace(), steps)
        #expect(calls.contains { $0.name.hasPrefix("unlink") && $0.file.hasPrefix("/wal-") })
        #expect(calls.contains { $0.name.hasPrefix("unlink") && $0.file.hasPrefix("/snapshot-") })
        #expect(calls.contains { $0.name.hasPrefix("rename") && $0.file == "/CURRENT.tmp" })
        #expect(calls.contains { $0.name == "ftruncate" && $0.file.hasPrefix("/wal-") })
        let tally = Tally()

        let flaws = try inParallel(calls) { call in
            let workspace = Workspace()
            let run = try workspace.run(steps, under: Strace.killing(at: call, in: workspace))
            tally.add(run)
            return try flaw(of: workspace, after: run).map { "killed at \(call): \($0)" }
        }

        #expect(flaws == [])
        // When snapshots are taken beside the changes, no two runs make the same calls, and some find nothing to be killed at.
        #expect(tally.kills > calls.count / (options.isEmpty ? 1 : 3) * 9 / 10)
        tally.report("every system call of a script with snapshots \(options.isEmpty ? "between" : "beside") its changes")
    }

    @Test("at every one of the recovery from a kill: the second recovery ends as the first would have")
    func duringRecovery() throws {
        var generator = SplitMix(seed: seed("kills during recovery", standard: 1))
        let calls = try Strace.calls(of: Strace.changes, in: Workspace(), steps)
        let first = calls.shuffled(using: &generator).prefix(count("QUIRE_DOUBLE_CRASHES", standard: 12))
        let tally = Tally()

        let flaws = try inParallel(Array(first)) { call in
            let crashed = Workspace()
            let run = try crashed.run(steps, under: Strace.killing(at: call, in: crashed))
            // Killed before it had made the directory: there is nothing to recover.
            guard let copy = try? crashed.copy() else { return nil }
            for second in try Strace.calls(of: Strace.changes, in: copy, ["show"]) {
                let workspace = try crashed.copy()
                let recovery = try workspace.run(["show"], under: Strace.killing(at: second, in: workspace))
                tally.add(recovery, acknowledged: run.acknowledgedCount)
                if let flaw = try flaw(of: workspace, after: run) { return "killed at \(call), then at \(second): \(flaw)" }
            }
            return nil
        }

        #expect(flaws == [])
        #expect(tally.kills > 5 * first.count)
        tally.report("every system call of the recovery from \(first.count) of these kills")
    }

    @Test("the judge says so when an operation is acknowledged before it is written")
    func plantedBug() throws {
        let workspace = Workspace()
        let fifth = SystemCall(name: "pwrite64", file: "/wal-0000000000000001.log", number: 5)

        let run = try workspace.run(["acknowledge-early"] + steps, under: Strace.killing(at: fifth, in: workspace))

        #expect(run.status == Run.killed)
        let flaw = try #require(try flaw(of: workspace, after: run))
        #expect(flaw.contains("5 operations were acknowledged and 5 sent; the state is that after 4"))
    }

    private func flaw(of workspace: Workspace, after run: Run) throws -> String? {
        let start = try workspace.run(["show"] + steps + ["show"])
        if let flaw = judge.flaw(of: start, after: run) { return flaw }
        guard !start.hasFailure else { return "the script did not go on" }
        return start.shown[1].contents == judge.lastState ? nil : "the script did not end as without the kill:\n\(start.shown[1].contents)"
    }

    /// What is reported in the end.
    private final class Tally: Sendable {
        private let counts = Shared((kills: 0, acknowledged: 0))

        var kills: Int { counts.current.kills }

        func add(_ run: Run, acknowledged: Int = 0) {
            guard run.status == Run.killed else { return }
            counts.update { counts in
                counts.kills += 1
                counts.acknowledged += run.acknowledgedCount + acknowledged
            }
        }

        func report(_ where: String) {
            TestSupport.report("kills at \(`where`)", "\(kills)")
            TestSupport.report("acknowledged changes checked after them, none lost", "\(counts.current.acknowledged)")
        }
    }
}
