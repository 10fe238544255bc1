import Glibc
import Logging

/// The loop of a supervisor: starts responders, waits for what happens, and decides what follows.
struct Supervision {
    private let configuration: SupervisorConfiguration
    private let socket: ListeningSocket
    private let commands: Int32
    private let environment: [String]
    private let logger: Logger

    private var phase = Phase.pausing(until: .now)
    private var backoff: Backoff
    /// The earliest moment from which on a connection may have waited without anybody serving; nil while somebody does.
    private var unservedSince: ContinuousClock.Instant? = .now

    private enum Phase {
        /// No responder runs, and none is started before the moment.
        case pausing(until: ContinuousClock.Instant)
        case running(ChildProcess)
        /// The responder has been told to finish, and is killed at the moment; nil once that is done.
        case stopping(ChildProcess, killAt: ContinuousClock.Instant?, isReplaced: Bool)
    }

    init(_ configuration: SupervisorConfiguration, socket: ListeningSocket, commands: Int32, environment: [String], logger: Logger) {
        self.configuration = configuration
        self.socket = socket
        self.commands = commands
        self.environment = environment
        self.logger = logger
        backoff = Backoff(
            first: configuration.firstPause, longest: configuration.longestPause, steadyAfter: configuration.steadyAfter)
    }

    /// Returns the exit code for the whole process.
    mutating func run() throws(SupervisorError) -> Int32 {
        while true {
            try startIfDue()
            let happened = waitForNextEvent()
            if happened.hasCommand, let code = followCommands() { return code }
            if happened.childSpoke, case .running(let child) = phase, child.hearWhetherItServes() {
                unservedSince = nil
                logger.info("the responder serves", metadata: ["pid": "\(child.identifier)"])
            }
            if happened.childEnded, let code = followEnd() { return code }
            killIfDue()
            sendAwayIfDue()
        }
    }

    private var child: ChildProcess? {
        switch phase {
        case .pausing: nil
        case .running(let child), .stopping(let child, _, _): child
        }
    }

    private mutating func startIfDue() throws(SupervisorError) {
        guard case .pausing(let until) = phase, until <= .now else { return }
        do throws(ChildProcess.StartError) {
            let child = try ChildProcess(
                executable: configuration.executable, arguments: configuration.arguments, environment: environment,
                socket: socket.descriptor)
            phase = .running(child)
            logger.info("started the responder", metadata: ["pid": "\(child.identifier)"])
        } catch {
            switch error {
            case .executableUnusable(let error):
                throw .executableUnusable(configuration.executable, errno: error)
            case .resourcesMissing(let error):
                pause(because: "the responder could not be started: \(String(cString: strerror(error)))", afterRunning: .zero)
            }
        }
    }

    private mutating func pause(because reason: String, afterRunning time: Duration) {
        let pause = backoff.pause(afterRunning: time)
        phase = .pausing(until: .now + pause)
        logger.error("\(reason); starting it again in \(pause)")
    }

    private struct Happened {
        var hasCommand = false
        var childEnded = false
        var childSpoke = false
    }

    /// Waits for a command, news of the child or the next moment at which something is due.
    private func waitForNextEvent() -> Happened {
        var waiting = [pollfd(fd: commands, events: Int16(POLLIN), revents: 0)]
        if let child {
            waiting.append(pollfd(fd: child.end.number, events: Int16(POLLIN), revents: 0))
            if case .running = phase, let serving = child.serving {
                waiting.append(pollfd(fd: serving.number, events: Int16(POLLIN), revents: 0))
            }
        }
        var due: [ContinuousClock.Instant] = []
        if let unservedSince { due.append(unservedSince + configuration.longestWait) }
        switch phase {
        case .pausing(let until): due.append(until)
        case .stopping(_, let killAt, _): due += [killAt].compactMap(\.self)
        case .running: break
        }
        let timeout = due.min().map { moment in
            // Rounded up: waking early would only mean waiting once more.
            Int32(clamping: max(0, Int(((moment - .now) / .milliseconds(1)).rounded(.up))))
        }
        let count = poll(&waiting, nfds_t(waiting.count), timeout ?? -1)
        guard count > 0 else { return Happened() }
        return Happened(
            hasCommand: waiting[0].revents != 0, childEnded: waiting.count > 1 && waiting[1].revents != 0,
            childSpoke: waiting.count > 2 && waiting[2].revents != 0)
    }

    /// Returns the exit code when there is nothing to wait for any more.
    private mutating func followCommands() -> Int32? {
        var commands = [UInt8](repeating: 0, count: 64)
        let count = max(0, read(self.commands, &commands, commands.count))
        for command in commands[..<count] {
            let isReplaced = Int32(command) == SIGHUP
            switch phase {
            case .pausing where isReplaced:
                phase = .pausing(until: .now)
            case .pausing:
                return 0
            case .running(let child):
                logger.notice("\(isReplaced ? "replacing" : "stopping") the responder", metadata: ["pid": "\(child.identifier)"])
                child.send(SIGTERM)
                phase = .stopping(child, killAt: .now + configuration.stopLimit, isReplaced: isReplaced)
                unservedSince = unservedSince ?? .now
            case .stopping(let child, let killAt, true):
                phase = .stopping(child, killAt: killAt, isReplaced: isReplaced)
            case .stopping(_, _, false):
                break
            }
        }
        return nil
    }

    /// Returns the exit code when no other responder follows the one that ended.
    private mutating func followEnd() -> Int32? {
        guard let child else { return nil }
        let exit = child.waitForExit()
        unservedSince = unservedSince ?? .now
        if case .stopping(_, _, isReplaced: false) = phase {
            if exit != .code(0) { logger.warning("the responder ended with \(exit) when it was stopped") }
            return 0
        }
        if exit.isFinal, case .code(let code) = exit {
            logger.critical("the responder ended with \(exit); it is not started again")
            return code
        }
        switch phase {
        case .running where exit == .code(0) && child.hasServed:
            // Somebody asked the responder itself to stop. That is no failure, but a series of them must not take the machine.
            logger.notice("the responder finished; starting another", metadata: ["pid": "\(child.identifier)"])
            phase = .pausing(until: child.startedAt + configuration.firstPause)
        case .running:
            pause(because: "the responder ended with \(exit)", afterRunning: .now - child.startedAt)
        case .pausing, .stopping:
            if exit != .code(0) { logger.warning("the responder ended with \(exit) when it was replaced") }
            phase = .pausing(until: .now)
        }
        return nil
    }

    private mutating func killIfDue() {
        guard case .stopping(let child, let killAt?, let isReplaced) = phase, killAt <= .now else { return }
        logger.warning("the responder did not stop in time and is killed", metadata: ["pid": "\(child.identifier)"])
        child.send(SIGKILL)
        phase = .stopping(child, killAt: nil, isReplaced: isReplaced)
    }

    /// nginx waits for as long as a connection stands. Closed, it can tell its client to come again.
    private mutating func sendAwayIfDue() {
        guard let since = unservedSince, since + configuration.longestWait <= .now else { return }
        unservedSince = .now
        let count = socket.closeWaitingConnections()
        if count > 0 { logger.warning("closed connections that nobody served", metadata: ["count": "\(count)"]) }
    }
}
