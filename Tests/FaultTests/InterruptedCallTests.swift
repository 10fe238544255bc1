import Glibc
import TestSupport
import Testing

@testable import StorageExerciser

/// Reads and writes that do less than they were asked for, and those that a signal interrupts. Proves that storage takes them up where
/// they stopped, on the system's own calls.
@Suite("Faults: short and interrupted calls") struct InterruptedCallTests {
    private let faults = [
        "pwrite * /3 error \(EINTR)", "pwrite *.log * short 61", "pwrite * * short 4093",
        "pread * /3 error \(EINTR)", "pread *.log * short 4093", "pread * * short 61",
    ]

    @Test("a log of many segments is the same byte for byte as one written without them")
    func sameBytes() throws {
        let records = count("QUIRE_INTERRUPTED_RECORDS", standard: 200)
        let (expected, interrupted) = (Workspace(), Workspace())
        #expect(try expected.run(["log=\(records)"]).status == 0)

        let run = try interrupted.run(["log=\(records)"], faults: faults)

        #expect(run.status == 0, "\(run.errors)")
        #expect(try expected.files().count > 3)
        #expect(try interrupted.files() == expected.files())
        report("records written byte for byte in spite of short and interrupted writes", "\(records)")
    }

    @Test("no operation fails, with snapshots among them, and a start under the same faults finds everything")
    func sameState() throws {
        let rounds = 10
        let judge = Judge(ScriptOperation.script(rounds: rounds))
        let workspace = Workspace()

        let run = try workspace.run(["run=\(rounds)"], faults: faults)
        let start = try workspace.run(["show"], faults: faults)

        #expect(run.status == 0 && !run.hasFailure, "\(run.errors)")
        #expect(run.acknowledgedCount == ScriptOperation.script(rounds: rounds).count)
        #expect(judge.flaw(of: start, after: run) == nil)
    }

    @Test("the comparison fails for one short write that is taken for a whole one")
    func plantedBug() throws {
        let (expected, damaged) = (Workspace(), Workspace())
        #expect(try expected.run(["log=10"]).status == 0)

        #expect(try damaged.run(["log=10"], faults: ["pwrite *.log 5 drop 0"]).status == 0)

        #expect(try damaged.files() != expected.files())
    }
}
