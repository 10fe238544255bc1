import TestSupport
import Testing

@testable import Settings

/// How much memory a process may have, as its control group says.
struct ControlGroupTests {
    private let directory = TemporaryDirectory()

    private func limit(_ membership: String) throws -> Int? {
        ControlGroup.memoryLimit(membership: try directory.write("membership", membership), root: directory / "root")
    }

    private func write(_ group: String, _ file: String, _ text: String) throws {
        _ = try ChildProcess("/bin/mkdir", ["-p", directory / "root\(group)"], in: directory).wait()
        try directory.write("root\(group)/\(file)", text)
    }

    @Test("the least limit of the group and of all above it counts")
    func version2() throws {
        try write("/system.slice", "memory.max", "1000000\n")
        try write("/system.slice/quire.service", "memory.max", "2000000\n")
        try write("/free.slice", "memory.max", "max\n")

        #expect(try limit("0::/system.slice/quire.service\n") == 1_000_000)
        #expect(try limit("0::/free.slice\n") == nil)
        #expect(try limit("0::/\n") == nil)
    }

    @Test("groups of the first version are heard, too")
    func version1() throws {
        try write("/memory/docker/1", "memory.limit_in_bytes", "500000\n")
        try write("/memory/docker", "memory.limit_in_bytes", "9223372036854771712\n")

        #expect(try limit("7:cpu,cpuacct:/docker/1\n3:memory:/docker/1\n") == 500_000)
        #expect(try limit("3:memory:/docker\n") == nil)
    }

    @Test("what cannot be read is no limit")
    func unreadable() throws {
        #expect(ControlGroup.memoryLimit(membership: directory / "missing", root: "/") == nil)
        #expect(try limit("nonsense\n") == nil)
    }

    @Test("the machine has memory, and auto is four fifths of it")
    func machine() throws {
        #expect(Machine.current.memoryBytes > 64 << 20)
        let settings = try Settings.load(environment: [:], machine: Machine(userID: 1, home: "/x", cores: 1, memoryBytes: 10 << 30))
        #expect(settings.memoryBudgetBytes == 8 << 30)
    }
}
