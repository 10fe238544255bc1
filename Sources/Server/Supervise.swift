import Glibc
import Logging
import Settings
import Supervisor

/// Makes the socket that nginx connects to and keeps a responder behind it; returns only by ending the process.
func supervise(_ settings: Settings, config: String?) -> Never {
    let runDirectory = RunDirectory(settings)
    do {
        try runDirectory.prepare()
    } catch {
        ExitCode.configuration.exit("\(error)")
    }
    let configuration = SupervisorConfiguration(
        socketPath: runDirectory.socketPath,
        socketGroup: geteuid() == 0 ? RunDirectory.workerAccount : nil,
        executable: executablePath(),
        arguments: ["respond"] + (config.map { ["--config", $0] } ?? []))
    exit(Supervisor(configuration, logger: Logger(label: "quire.supervisor")).run())
}

/// This program, whatever name it was started by.
private func executablePath() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
        let count = readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
        precondition(count > 0, "/proc is mounted")
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
