import FoundationEssentials
import Glibc
import Settings
import Testing

/// A real nginx with the rendered configuration, in a run directory and on a port of its own.
final class RunningNginx {
    let directory: TemporaryDirectory
    let settings: Settings
    let runDirectory: RunDirectory
    private var process: pid_t?

    init(_ environment: [String: String] = [:]) throws {
        directory = try TemporaryDirectory()
        var environment = environment
        environment["RUN_DIRECTORY"] = directory.path + "/run"
        environment["NGINX_WORKER_PROCESSES"] = "1"
        environment["PORT"] = "\(try freePort())"
        settings = try Settings.load(environment: environment, machine: ordinaryUser)
        runDirectory = RunDirectory(settings)
        try runDirectory.prepare()
        let nginx = try findNginx(searchPath: "")
        try NginxPrefix(source: nginxSource, output: runDirectory.nginxPrefix, executable: nginx)
            .install(NginxConfiguration(settings, asRoot: geteuid() == 0))
        process = try start(nginx, ["-p", runDirectory.nginxPrefix, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"])
        try waitUntilItListens()
    }

    deinit { stop() }

    /// Ends nginx and waits until it has written what it had to say.
    func stop() {
        guard let process else { return }
        kill(process, SIGTERM)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        self.process = nil
    }

    /// Sends bytes as they are and returns everything until nginx closes; empty when it closes without a word.
    ///
    /// - Parameter refusing: the request has a body that nginx will not read: say that nothing more comes, and do not wait for
    ///   the close, which nginx puts off for seconds.
    func exchange(_ request: String, refusing: Bool = false) throws -> Reply {
        try Self.exchange(Array(request.utf8), port: settings.port, refusing: refusing)
    }

    static func exchange(_ request: [UInt8], port: Int, refusing: Bool = false) throws -> Reply {
        let descriptor = try #require(connectLocally(port: port))
        defer { close(descriptor) }
        var rest = request[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // nginx may have answered and closed before it read everything: what it said still counts.
            guard sent > 0 else { break }
            rest = rest.dropFirst(sent)
        }
        if refusing { shutdown(descriptor, Int32(SHUT_WR)) }
        return Reply(receiveAll(descriptor) { refusing && Reply($0).isComplete })
    }

    /// `exchange` on a thread of its own, for a test that plays the responder meanwhile.
    func exchangeInBackground(_ request: String) throws -> BackgroundExchange {
        try BackgroundExchange(Array(request.utf8), port: settings.port)
    }

    func get(_ target: String, headers: String = "") throws -> Reply {
        try exchange("GET \(target) HTTP/1.1\r\nHost: quire\r\n\(headers)Connection: close\r\n\r\n")
    }

    private func waitUntilItListens() throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if let descriptor = connectLocally(port: settings.port) {
                close(descriptor)
                return
            }
            var status: Int32 = 0
            try #require(waitpid(try #require(process), &status, WNOHANG) == 0, "nginx ended with \(status)")
            sched_yield()
        }
        Issue.record("nginx does not listen")
    }
}

/// A request under way. A POSIX thread, because a test that blocks a thread of Swift's pool may be keeping it from a task.
final class BackgroundExchange {
    private let request: [UInt8]
    private let port: Int
    private var reply = Reply([])
    private var thread = pthread_t()

    fileprivate init(_ request: [UInt8], port: Int) throws {
        self.request = request
        self.port = port
        let context = Unmanaged.passRetained(self).toOpaque()
        let failure = pthread_create(
            &thread, nil,
            { context in
                let exchange = Unmanaged<BackgroundExchange>.fromOpaque(context!).takeRetainedValue()
                do {
                    exchange.reply = try RunningNginx.exchange(exchange.request, port: exchange.port)
                } catch {
                    Issue.record(error)
                }
                return nil
            }, context)
        try #require(failure == 0)
    }

    /// The reply, once it is complete. To be called once.
    func wait() -> Reply {
        pthread_join(thread, nil)
        return reply
    }
}

/// An HTTP reply taken apart just enough to be checked.
struct Reply {
    let text: String

    init(_ bytes: [UInt8]) { text = String(decoding: bytes, as: UTF8.self) }

    var status: Int? { text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap { Int($0) } }
    var head: [Substring] { text.prefix(upTo: text.firstRange(of: "\r\n\r\n")?.lowerBound ?? text.endIndex).split(separator: "\r\n") }
    var body: Substring { text.firstRange(of: "\r\n\r\n").map { text[$0.upperBound...] } ?? "" }

    func headers(_ name: String) -> [String] {
        head.dropFirst().compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == name else { return nil }
            return String(parts[1].drop { $0 == " " })
        }
    }

    var isComplete: Bool { headers("content-length").first.flatMap { Int($0) } == body.utf8.count }

    struct ErrorBody: Decodable {
        let error: String
        let detail: String
        let error_type: String
        let request_id: String
        let supported_versions: [String]?
    }

    /// Checks everything that all of nginx's own errors have in common.
    func expectError(_ status: Int, _ type: String, _ what: String, location: SourceLocation = #_sourceLocation) {
        #expect(self.status == status, "\(what): \(text.prefix(300))", sourceLocation: location)
        #expect(headers("content-type") == ["application/json"], "\(what)", sourceLocation: location)
        #expect(headers("x-content-type-options") == ["nosniff"], "\(what)", sourceLocation: location)
        #expect(headers("server") == ["nginx"], "\(what)", sourceLocation: location)
        #expect(text.split(separator: "HTTP/1.1 ").count == 1, "\(what): more than one answer", sourceLocation: location)
        guard let body = try? JSONDecoder().decode(ErrorBody.self, from: Data(self.body.utf8)) else {
            Issue.record("\(what): not an error body: \(self.body)", sourceLocation: location)
            return
        }
        #expect(body.error_type == type, "\(what)", sourceLocation: location)
        #expect(!body.error.isEmpty && !body.detail.isEmpty, "\(what)", sourceLocation: location)
        #expect(headers("x-request-id") == [body.request_id], "\(what)", sourceLocation: location)
    }
}

/// A port that nothing listens on at this moment.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = localAddress(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutableBytes(of: &address) { bytes in
        let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
        return bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
    }
    try #require(bound)
    return Int(UInt16(bigEndian: address.sin_port))
}

func connectLocally(port: Int) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let address = localAddress(port: port)
    let failed = withUnsafeBytes(of: address) { bytes in
        connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) != 0
    }
    if failed {
        close(descriptor)
        return nil
    }
    return descriptor
}

private func localAddress(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}

/// Everything up to the end of the stream, or until `isEnough` says so.
func receiveAll(_ descriptor: Int32, isEnough: ([UInt8]) -> Bool) -> [UInt8] {
    var received: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while !isEnough(received) {
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { break }
        received += chunk.prefix(count)
    }
    return received
}

/// Starts a program without waiting for it, its output thrown away.
private func start(_ path: String, _ arguments: [String]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
        posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var process: pid_t = 0
    let list: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { list.forEach { free($0) } }
    try #require(posix_spawn(&process, path, &actions, nil, list, [nil]) == 0)
    return process
}
