import FoundationEssentials
package import Glibc

/// A program that a test started and whose end it sees.
///
/// An instrumented program is told where to leave its coverage.
package final class ChildProcess: Sendable {
    package let identifier: pid_t
    private let outputPath: String

    package struct StartFailed: Error {
        let path: String
        let errno: Int32
    }

    /// Starts a program with exactly this environment, its output and its errors written to one file in `directory`.
    package init(_ path: String, _ arguments: [String], environment: [String: String], in directory: TemporaryDirectory) throws {
        outputPath = directory / "output-\(UInt32.random(in: .min ... .max))"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var environment = environment
        for name in ["LLVM_PROFILE_FILE", "PATH", "HOME"] {
            environment[name] = environment[name] ?? ProcessInfo.processInfo.environment[name]
        }
        let list: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (list + variables).forEach { free($0) } }
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, path, &actions, nil, list, variables)
        guard code == 0 else { throw StartFailed(path: path, errno: code) }
        self.identifier = identifier
    }

    package func signal(_ signal: Int32) {
        kill(identifier, signal)
    }

    /// Waits for the end: the exit code, or minus the signal that ended it.
    package func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
    }

    /// Everything the program has written so far.
    package var output: String {
        FileManager.default.contents(atPath: outputPath).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// Where the programs and the test bundle lie that SwiftPM built.
package let builtProducts: String = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return String(bundle[..<(bundle.lastIndex(of: "/") ?? bundle.startIndex)])
}()
