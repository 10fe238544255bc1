import FoundationEssentials
import TestSupport
import Testing

/// One system call of a run: the nth of its name that a thread makes on a file.
struct SystemCall: Hashable, Sendable, CustomStringConvertible {
    let name: String
    /// As it comes after the path of the data directory: nothing for the directory itself.
    let file: String
    let number: Int

    var description: String { "\(name) \(number) of \(file.isEmpty ? "the directory" : file)" }
}

/// Records the system calls that a run makes on its data directory, and makes one of them fail or be the last, at the border of the
/// kernel: nothing that the program does gets around it.
///
/// strace counts the calls of each thread for itself, and those on one path if it is told a path. A file belongs to one thread at a
/// time, so nearly every call can be named; of two threads that sync the directory the first with that many calls is hit.
enum Strace {
    static let path = ["/usr/bin/strace", "/usr/local/bin/strace", "/bin/strace"].first(where: FileManager.default.isExecutableFile)

    /// Not only installed: a container may forbid what it does.
    static let isUsable: Bool = {
        let directory = TemporaryDirectory()
        guard let path, let process = try? ChildProcess(path, ["-o", "/dev/null", "/bin/true"], in: directory) else { return false }
        return process.wait() == 0
    }()

    static let required: some SuiteTrait & TestTrait = ConditionTrait.enabled(
        if: isUsable, "strace is not installed, or may not trace: run Scripts/bootstrap")

    /// Those that may change what is in the directory or on the disk. The question mark lets strace pass over a name that this machine
    /// does not have.
    static let changes = [
        "?mkdir", "mkdirat", "?open", "openat", "pwrite64", "ftruncate", "fsync", "fdatasync", "?rename", "?renameat", "renameat2",
        "?unlink", "unlinkat",
    ]
    /// Those by which a start learns what is there.
    static let reads = ["?open", "openat", "pread64", "getdents64", "?fstat", "?newfstatat"]

    /// The calls of a faultless run on files of the workspace, in order.
    static func calls(of names: [String], in workspace: Workspace, _ steps: [String]) throws -> [SystemCall] {
        let trace = workspace.directory / "trace"
        let run = try workspace.run(
            steps, under: [path!, "-f", "-qq", "-y", "-s", "0", "-o", trace, "-e", "trace=\(names.joined(separator: ","))"])
        #expect(run.status == 0, "\(run.errors)")
        var counts: [String: Int] = [:]
        return String(decoding: try contents(of: trace), as: UTF8.self).split(separator: "\n").compactMap { line in
            guard let (name, file) = call(line, on: workspace.data) else { return nil }
            let thread = line.prefix { $0 != " " }
            counts["\(thread) \(name) \(file)", default: 0] += 1
            return SystemCall(name: name, file: file, number: counts["\(thread) \(name) \(file)"]!)
        }
    }

    /// Reads `17 pwrite64(5</tmp/data/file>, ...) = 8` and `17 rename("/tmp/data/file.tmp", "/tmp/data/file") = 0`.
    private static func call(_ line: Substring, on data: String) -> (name: String, file: String)? {
        guard let bracket = line.firstIndex(of: "("), let place = line.firstRange(of: data) else { return nil }
        let name = line[..<bracket].split(separator: " ").last ?? ""
        let file = line[place.upperBound...].prefix { !"\">".contains($0) }
        // What another thread interrupted is continued on a line of its own, which is no second call.
        return line.contains("resumed>") ? nil : (String(name), String(file))
    }

    /// Ends the process with SIGKILL instead of making the call.
    static func killing(at call: SystemCall, in workspace: Workspace) -> [String] {
        injecting("signal=KILL", at: call, in: workspace)
    }

    /// Has the call fail with EIO, and do nothing.
    static func failing(_ call: SystemCall, in workspace: Workspace) -> [String] {
        injecting("error=EIO", at: call, in: workspace)
    }

    private static func injecting(_ fault: String, at call: SystemCall, in workspace: Workspace) -> [String] {
        [
            path!, "-f", "-qq", "-o", "/dev/null", "-P", workspace.data + call.file, "-e", "trace=\(call.name)",
            "-e", "inject=\(call.name):\(fault):when=\(call.number)",
        ]
    }
}
