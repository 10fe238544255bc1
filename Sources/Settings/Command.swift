import Glibc

/// How a program ended, and what it had to say.
struct CommandResult {
    /// The exit status; 128 + the signal's number when a signal ended it.
    let status: Int32
    let errorOutput: String
}

/// Runs a program to its end with its standard error collected, nothing on its standard input and no environment.
func runCommand(_ path: String, _ arguments: [String]) throws(SettingsError) -> CommandResult {
    var ends: [Int32] = [-1, -1]
    // A socket pair, because the Glibc module has no pipe2: the ends must be closed on exec from the first instant, or a process
    // that another thread starts would hold the writing end open.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
        throw .nginx(reason: "cannot make a socket pair: \(lastErrorText())")
    }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)

    var process: pid_t = 0
    var argumentList: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { argumentList.forEach { free($0) } }
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    let failure = posix_spawn(&process, path, &actions, nil, &argumentList, &environment)
    close(ends[1])
    guard failure == 0 else {
        close(ends[0])
        throw .nginx(reason: "cannot run \(path): \(errorText(failure))")
    }

    let output: [UInt8]
    do {
        output = try readAll(ends[0], atMost: 1 << 20)
    } catch {
        output = Array("its output could not be read: \(error.reason)".utf8)
    }
    // Before waiting: a program that has more to say must not wait for a reader.
    close(ends[0])
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
        guard errno == EINTR else { throw .nginx(reason: "cannot wait for \(path): \(lastErrorText())") }
    }
    // WIFEXITED and its companions are macros, which Swift does not see.
    let signal = status & 0x7f
    return CommandResult(status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, errorOutput: String(decoding: output, as: UTF8.self))
}

/// Where nginx is: the directories of `PATH`, then those where distributions put it without telling everybody's `PATH`.
package func findNginx(searchPath: String) throws(SettingsError) -> String {
    let directories = searchPath.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin", "/usr/bin"]
    guard let directory = directories.first(where: { $0.hasPrefix("/") && access("\($0)/nginx", X_OK) == 0 }) else {
        throw .nginx(reason: "nginx is not installed (looked in \(directories.joined(separator: ", ")))")
    }
    return "\(directory)/nginx"
}
