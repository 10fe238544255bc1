import FoundationEssentials
package import Glibc

/// A program that a test started and whose end it sees.
package final class ChildProcess: Sendable {
    package let identifier: pid_t
    private let outputPath: String
    private let errorPath: String

    package struct StartFailed: Error {
        let path: String
        let errno: Int32
    }

    /// Starts a program with exactly this environment, its output and its errors written to two files in `directory`.
    ///
    /// An instrumented program is also told where to leave its coverage.
    package init(_ path: String, _ arguments: [String], environment: [String: String] = [:], in directory: TemporaryDirectory) throws {
        let name = "\(UInt32.random(in: .min ... .max))"
        outputPath = directory / "output-\(name)"
        errorPath = directory / "errors-\(name)"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        // Threads of Swift's pool block signals, and a program that does not know of that would never hear of its end.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var blocked = sigset_t()
        sigemptyset(&blocked)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var environment = environment
        environment["LLVM_PROFILE_FILE"] = environment["LLVM_PROFILE_FILE"] ?? ProcessInfo.processInfo.environment["LLVM_PROFILE_FILE"]
        let list: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (list + variables).forEach { free($0) } }
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, path, &actions, &attributes, list, variables)
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

    /// Whether `wait` would return at once.
    package var hasEnded: Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(identifier), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo == SIGCHLD
    }

    /// Everything the program has written to its output so far.
    package var output: String { Self.contents(outputPath) }

    /// Everything the program has written to its error output so far.
    package var errors: String { Self.contents(errorPath) }

    private static func contents(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
