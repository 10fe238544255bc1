import FoundationEssentials
import Glibc
import Testing

let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// The built `quire`, which SwiftPM puts beside the test bundle.
let quirePath: String = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(filePath: bundle).deletingLastPathComponent().path + "/quire"
}()

/// What one run of a program left behind.
struct ProcessResult {
    let status: Int32
    let output: String
    let errorOutput: String
}

/// A directory that everybody can pass through, for one test.
final class Workplace {
    let path: String

    init() throws {
        var template = Array("/tmp/quire-cli-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
        try #require(chmod(path, 0o755) == 0)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ contents: String) throws -> String {
        try contents.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
        return path + "/" + name
    }

    /// Runs a program with exactly this environment; an instrumented one is also told where to leave its coverage.
    func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> ProcessResult {
        let files = (path + "/output-\(UInt32.random(in: .min ... .max))", path + "/error-\(UInt32.random(in: .min ... .max))")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, files.0, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, files.1, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        var environment = environment
        environment["LLVM_PROFILE_FILE"] = environment["LLVM_PROFILE_FILE"] ?? ProcessInfo.processInfo.environment["LLVM_PROFILE_FILE"]
        let list: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (list + variables).forEach { free($0) } }
        var process: pid_t = 0
        try #require(posix_spawn(&process, program, &actions, nil, list, variables) == 0)
        var status: Int32 = 0
        try #require(waitpid(process, &status, 0) == process)
        return ProcessResult(
            status: status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f,
            output: try String(contentsOfFile: files.0, encoding: .utf8), errorOutput: try String(contentsOfFile: files.1, encoding: .utf8))
    }

    func quire(_ arguments: String..., environment: [String: String] = [:]) throws -> ProcessResult {
        try run(quirePath, arguments, environment: environment)
    }
}
