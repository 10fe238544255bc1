import Glibc
import TestSupport
import Testing

@testable import StorageExerciser

/// Every call by which a start learns what there is, failing or cut short. Proves that a disk that cannot be read is never taken for an
/// empty one.
@Suite("Faults: files that cannot be read", Strace.required) struct UnreadableFileTests {
    private let judge = Judge(ScriptOperation.script(rounds: 6))

    /// A log, two snapshots, and what is left of the run that made them.
    private func prepare() throws -> (workspace: Workspace, run: Run) {
        let workspace = Workspace()
        let run = try workspace.run(["run=6"])
        #expect(run.status == 0)
        return (workspace, run)
    }

    @Test("a start whose call fails says on which file and why, changes nothing, and the next one has everything")
    func failedCalls() throws {
        let (prepared, run) = try prepare()
        let calls = try Strace.calls(of: Strace.reads, in: prepared, ["show"])
        for file in ["", "/CURRENT", "/LOCK", "/wal-", "/snapshot-"] { #expect(calls.contains { $0.file.hasPrefix(file) }, "\(file)") }

        let flaws = try inParallel(calls) { call in
            let workspace = try prepared.copy()
            let start = try workspace.run(["show"], under: Strace.failing(call, in: workspace))
            return try flaw(of: start, workspace, prepared, run).map { "\(call): \($0)" }
        }

        #expect(flaws == [])
        report("failed reads of a start, each refused with its file and reason", "\(calls.count)")
    }

    @Test("a read that finds the end of the file too early is refused in the same way; one that is only short is gone on with")
    func shortReads() throws {
        let (prepared, run) = try prepare()
        let short = try prepared.copy().run(["show"], faults: ["pread * * short 7"])
        #expect(judge.flaw(of: short, after: run) == nil)

        var number = 1
        while true {
            let workspace = try prepared.copy()
            let start = try workspace.run(["show"], faults: ["pread * \(number) short 0"])
            if start.status == 0 { break }
            #expect(try flaw(of: start, workspace, prepared, run) == nil, "read \(number)")
            number += 1
        }
        #expect(number > 10)
        report("reads of a start that ended too early, each refused with its file and reason", "\(number - 1)")
    }

    @Test("the judge says so when a start takes the directory for an empty one")
    func plantedBug() throws {
        let (_, run) = try prepare()

        let flaw = judge.flaw(of: try Workspace().run(["show"]), after: run)

        #expect(flaw?.contains("the state is that after 0") == true)
    }

    private func flaw(of start: Run, _ workspace: Workspace, _ prepared: Workspace, _ run: Run) throws -> String? {
        guard start.status == 70, start.errors.contains(workspace.data), start.errors.contains("errno \(EIO)") else {
            return "ended with \(start.status), saying \(start.errors)"
        }
        guard try workspace.files() == prepared.files() else { return "files were changed" }
        return judge.flaw(of: try workspace.run(["show"]), after: run)
    }
}
