import CPlatform
import Glibc
import Logging
import Synchronization
import TestSupport

@testable import Supervisor

/// A supervisor on a thread of its own whose responder is a shell script, and whatever the two say.
///
/// In the script, `$news` is a pipe to the test and `$count` a file; `serving` tells the supervisor that it serves.
final class SupervisorFixture: Sendable {
    let directory: TemporaryDirectory
    let log: CapturedLog
    let configuration: SupervisorConfiguration
    private let commands: (reading: Int32, writing: Int32)
    private let thread = Mutex<Background<Int32>?>(nil)

    var socketPath: String { directory.path + "/run/socket" }
    private var newsPath: String { directory.path + "/news" }

    init(
        _ script: String, in directory: TemporaryDirectory = TemporaryDirectory(),
        adjust: (inout SupervisorConfiguration) -> Void = { _ in }
    ) {
        self.directory = directory
        log = CapturedLog()
        mkfifo(directory.path + "/news", 0o600)
        mkdir(directory.path + "/run", 0o700)
        let preamble = "news=\(directory.path)/news; count=\(directory.path)/count; serving() { echo >&3; }; "
        var configuration = SupervisorConfiguration(
            socketPath: directory.path + "/run/socket", executable: "/bin/sh", arguments: ["-c", preamble + script],
            firstPause: .milliseconds(1), longestPause: .milliseconds(4), stopLimit: .seconds(120), longestWait: .seconds(120))
        adjust(&configuration)
        self.configuration = configuration
        var ends: [Int32] = [0, 0]
        precondition(quire_pipe(&ends) == 0)
        commands = (ends[0], ends[1])
    }

    deinit {
        close(commands.reading)
        close(commands.writing)
    }

    var supervisor: Supervisor { Supervisor(configuration, logger: Logger(label: "test") { _ in self.log }) }

    /// Runs the supervisor here and now, to its end.
    func run(_ supervisor: Supervisor? = nil) -> Int32 { (supervisor ?? self.supervisor).run(commands: commands.reading) }

    /// Runs the supervisor on another thread.
    func start(_ body: @escaping @Sendable (SupervisorFixture) -> Int32 = { $0.run() }) {
        thread.withLock { $0 = Background { [self] in body(self) } }
    }

    func command(_ signal: Int32) {
        var byte = UInt8(signal)
        precondition(write(commands.writing, &byte, 1) == 1)
    }

    /// The exit code of the supervisor that was started.
    func wait() -> Int32? { try? thread.withLock({ $0 })?.value() }

    func stop() -> Int32? {
        command(SIGTERM)
        return wait()
    }

    /// What one responder writes to `$news`; waits for it.
    func news() -> [String] {
        let descriptor = open(newsPath, O_RDONLY)
        defer { close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// A connection to the socket.
    func connect() -> Int32 { connectSocket(socketPath) }

    /// Type and permissions of a file in the directory; nil when there is none.
    func mode(_ name: String) -> mode_t? {
        var status = stat()
        return lstat(directory.path + "/" + name, &status) == 0 ? status.st_mode : nil
    }
}

func connectSocket(_ path: String) -> Int32 {
    let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    if withSocketAddress(path, { Glibc.connect(connection, $0, $1) }) == 0 { return connection }
    close(connection)
    return -1
}

func listenSocket(_ path: String, type: __socket_type = SOCK_STREAM) -> Int32 {
    let listening = socket(AF_UNIX, Int32(type.rawValue), 0)
    precondition(withSocketAddress(path) { bind(listening, $0, $1) } == 0)
    listen(listening, 8)
    return listening
}

/// Whether the other side closes `connection` within a time.
func isClosed(_ connection: Int32, within milliseconds: Int32 = 120_000) -> Bool {
    var waiting = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    var byte: UInt8 = 0
    return poll(&waiting, 1, milliseconds) == 1 && read(connection, &byte, 1) <= 0
}

/// Keeps what is logged.
final class CapturedLog: LogHandler, @unchecked Sendable {
    // Shared by design: the lines are behind a lock, the rest is never changed after the logger was made.
    private let captured = Mutex<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    var lines: [String] { captured.withLock { $0 } }

    func contains(_ text: String) -> Bool { lines.contains { $0.contains(text) } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        captured.withLock { $0.append("\(event.level): \(event.message)") }
    }
}
