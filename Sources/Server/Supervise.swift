import Glibc
import Logging
import Settings
import Supervisor

/// Makes the socket that nginx connects to, unless systemd passes one on, and keeps a responder behind it; returns only by ending the
/// process.
func supervise(_ settings: Settings, config: String?) -> Never {
    let runDirectory = RunDirectory(settings)
    let socketGroup: gid_t?
    do {
        // The directory of a socket that somebody else made is theirs: we may have no right to it, and need none.
        socketGroup = Supervisor.isGivenSocket ? nil : try runDirectory.prepare()
    } catch {
        ExitCode.configuration.exit("\(error)")
    }
    let configuration = SupervisorConfiguration(
        socketPath: runDirectory.socketPath,
        socketGroup: socketGroup,
        executable: executablePath(),
        arguments: ["respond"] + (config.map { ["--config", $0] } ?? []))
    exit(Supervisor(configuration, logger: Logger(label: "quire.supervisor")).run())
}
