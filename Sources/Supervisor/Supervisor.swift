import CPlatform
import Glibc
package import Logging

/// Holds the listening socket and keeps a responder running on it.
///
/// Because the socket outlives responders, one that dies or is replaced loses only what it was doing; who connects meanwhile
/// waits in the socket's backlog for the next one, or is sent away after `longestWait`.
package struct Supervisor {
    private let configuration: SupervisorConfiguration
    private let logger: Logger
    /// Where systemd says what it passes on, and where it does.
    var systemdVariable: (String) -> String? = Supervisor.processVariable
    var systemdDescriptor: Int32 = 3

    /// Whether systemd passes a socket on to this process: then a supervisor makes none, and needs no directory for one.
    package static var isGivenSocket: Bool { ListeningSocket.isInherited(environment: processVariable) }

    private static let processVariable: @Sendable (String) -> String? = { getenv($0).map { String(cString: $0) } }

    package init(_ configuration: SupervisorConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Supervises until SIGTERM or SIGINT, or until a responder says that starting it again is of no use. Returns what this
    /// process should exit with. SIGHUP replaces the responder.
    ///
    /// The calling thread has to live on as long as the process does: the kernel counts its end as the parent's.
    package func run() -> Int32 {
        exitCode { () throws(SupervisorError) in
            let signals = try SignalPipe([SIGTERM, SIGINT, SIGHUP])
            defer { withExtendedLifetime(signals) {} }
            return try supervise(commands: signals.descriptor)
        }
    }

    /// As `run()`, told what to do by bytes on `commands` instead of signals.
    func run(commands: Int32) -> Int32 {
        exitCode { () throws(SupervisorError) in try supervise(commands: commands) }
    }

    private func exitCode(_ body: () throws(SupervisorError) -> Int32) -> Int32 {
        do throws(SupervisorError) {
            try openStandardDescriptors()
            return try body()
        } catch {
            logger.critical("\(error)")
            return error.exitCode
        }
    }

    private func supervise(commands: Int32) throws(SupervisorError) -> Int32 {
        // A log that nobody reads any more is no reason to die.
        signal(SIGPIPE, SIG_IGN)
        let socket = try makeSocket()
        var supervision = Supervision(
            configuration, socket: socket, commands: commands, environment: childEnvironment(), logger: logger)
        return try supervision.run()
    }

    private func makeSocket() throws(SupervisorError) -> ListeningSocket {
        let inherited = try ListeningSocket.inherited(environment: systemdVariable, descriptor: systemdDescriptor)
        if let inherited { return inherited }
        return try ListeningSocket(path: configuration.socketPath, group: configuration.socketGroup, backlog: configuration.backlog)
    }

    /// The places of descriptors 0 to 2 are what a child is given, so nothing of ours may come to stand there.
    private func openStandardDescriptors() throws(SupervisorError) {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
            try checkCall("open /dev/null", open("/dev/null", O_RDWR))
        }
    }

    /// `NAME=value` for the child: ours or the configured, without what systemd said to this process alone.
    private func childEnvironment() -> [String] {
        var variables: [String] = []
        if let environment = configuration.environment {
            variables = environment.map { "\($0.key)=\($0.value)" }
        } else {
            var next = quire_environment()
            while let variable = next?.pointee {
                variables.append(String(cString: variable))
                next = next?.successor()
            }
        }
        let own = ["LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "\(SupervisedProcess.supervisorVariable)="]
        variables.removeAll { variable in own.contains { variable.hasPrefix($0) } }
        return variables + ["\(SupervisedProcess.supervisorVariable)=\(getpid())"]
    }
}
