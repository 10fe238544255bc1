import TestSupport
import Testing

@Suite("Faults: start") struct StartTests {
    @Test("the exerciser opens an empty directory")
    func opens() throws {
        let directory = TemporaryDirectory()
        let process = try ChildProcess("\(builtProducts)/StorageExerciser", [directory / "data"], in: directory)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.output == "opened 0\n")
    }
}
