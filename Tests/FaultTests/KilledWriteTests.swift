import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import StorageExerciser

/// A write of three records to the log that ends with the process: the library that CFaultInjection is leaves so many of its bytes in
/// the file. Proves that recovery finds the end of what is whole wherever a write is cut off.
@Suite("Faults: killed in the middle of an append") struct KilledWriteTests {
    private let judge = Judge(ScriptOperation.batch)
    private let acknowledged = Shared(0)

    @Test("at any byte: everything acknowledged is there, of the rest whole records, and all bytes behind them are cut off and kept")
    func everyByte() throws {
        let rounds = count("QUIRE_KILLED_APPENDS", standard: 1)
        var kills = 0
        for _ in 0..<rounds {
            let prepared = try prepare()
            let start = try endOfRecords(after: "kill 0", prepared)
            let length = try endOfRecords(after: "kill 1000000", prepared) - start
            #expect(length > 300 && length % (8 * 3) == 0, "three records of equal length")

            let flaws = try inParallel(Array(0...length)) { bytes in
                try flaw(of: bytes, start: start, recordLength: length / 3, prepared)
            }

            #expect(flaws == [])
            kills += length + 1
        }
        report("kills in the middle of an append, at every byte of three records", "\(kills)")
        report("acknowledged writes checked after them, none lost", "\(acknowledged.current)")
    }

    @Test("the judge says so when a write is lost that the disk had confirmed, and when an operation is acknowledged before it is written")
    func plantedBugs() throws {
        let prepared = try prepare()
        for (action, steps) in [("drop 0", ["batch"]), ("kill 0", ["acknowledge-early", "batch"])] {
            let workspace = try prepared.copy()
            let run = try workspace.run(steps, faults: atWriteOfBatch(action))
            #expect(run.acknowledgedCount == ScriptOperation.batch.count)

            #expect(judge.flaw(of: try workspace.run(["show"]), after: run) != nil, "\(action)")
        }
    }

    /// The first write of a run is that of the start, which writes the seal again, and syncs; the second is the record whose sync is held, the
    /// third the three that came meanwhile.
    private func atWriteOfBatch(_ action: String) -> [String] { ["fdatasync *.log 2 hold 0", "pwrite *.log 3 \(action)"] }

    private func prepare() throws -> Workspace {
        let workspace = Workspace()
        #expect(try workspace.run(["prepare"]).status == 0)
        return workspace
    }

    /// Where the first record that is not in the file would start after a run with a fault in the write of the three.
    private func endOfRecords(after action: String, _ prepared: Workspace) throws -> Int {
        let workspace = try prepared.copy()
        #expect(try workspace.run(["batch"], faults: atWriteOfBatch(action)).status == Run.killed)
        return (try endOfContent(workspace) + 7) / 8 * 8
    }

    /// The rest of the file is zeros that were written ahead.
    private func endOfContent(_ workspace: Workspace) throws -> Int {
        (try contents(of: workspace.segment).prefix(1 << 13).lastIndex { $0 != 0 } ?? -1) + 1
    }

    /// What is wrong after a kill with so many bytes of the write in the file.
    private func flaw(of bytes: Int, start: Int, recordLength: Int, _ prepared: Workspace) throws -> String? {
        let workspace = try prepared.copy()
        let run = try workspace.run(["batch"], after: ScriptOperation.heldOfBatch, faults: atWriteOfBatch("kill \(bytes)"))
        guard run.status == Run.killed else { return "byte \(bytes): no kill" }
        acknowledged.update { $0 += run.acknowledgedCount }
        let end = try endOfContent(workspace)

        let recovered = try workspace.run(["show"])

        if let flaw = judge.flaw(of: recovered, after: run) { return "byte \(bytes): \(flaw)" }
        let records = judge.operationCount(of: recovered.shown[0].contents, after: run)! - ScriptOperation.heldOfBatch - 1
        let torn = max(0, end - (start + records * recordLength))
        let kept = (try? contents(of: workspace.segment.replacing(".log", with: ".torn")))?.count ?? 0
        let found = recovered.shown[0].truncatedBytes
        guard records == bytes / recordLength, found == torn, kept == torn else {
            return "byte \(bytes): \(records) records are there, \(found) bytes were cut off and \(kept) kept instead of \(torn)"
        }
        return nil
    }
}
