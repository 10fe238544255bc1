import FoundationEssentials
package import Glibc

/// A whole Quire of its own, as a user has it: nginx, the supervisor and the responder, on a free port, in a temporary directory.
// Sound as Sendable: `supervisor` and `nginx` change only in `start` and `stop`, which one thread of a test calls.
package final class QuireInstance: @unchecked Sendable {
    package let directory: TemporaryDirectory
    package let port: Int
    package let environment: [String: String]
    private let launcher: [String]
    private let options: [String]
    private var supervisor: ChildProcess?
    private var nginx: ChildProcess?
    /// What is to be nowhere but where it was sent: QuireInstance+Secrets.swift.
    let secrets = Shared<[String]>([])

    package var dataDirectory: String { directory / "data" }
    package var runDirectory: String { directory / "run" }

    package struct Failed: Error {
        let what: String

        package init(what: String) {
            self.what = what
        }
    }

    /// Starts everything and waits until it is ready.
    ///
    /// - Parameters:
    ///   - launcher: a command that the server's path is appended to, and which ends by becoming that program.
    ///   - file: what the server's configuration file says; without it, it has none.
    ///
    /// It has a key of a provider, so that there is one to be let out, unless the settings have another one, or none: `noProvider`.
    package init(
        _ settings: [String: String] = [:], launcher: [String] = [], file: String? = nil, awaitingReady: Bool = true
    ) throws {
        self.launcher = launcher
        directory = TemporaryDirectory()
        let directory = directory
        options = try file.map { ["--config", try directory.write("quire.yaml", $0)] } ?? []
        port = freePort()
        var environment = settings
        environment["PORT"] = "\(port)"
        environment["VECTOR_DB_DATA_DIR"] = environment["VECTOR_DB_DATA_DIR"] ?? directory / "data"
        environment["RUN_DIRECTORY"] = directory / "run"
        environment["NGINX_WORKER_PROCESSES"] = "1"
        for name in ["QUIRE_MODEL_DIR", "PATH", "HOME"] {
            environment[name] = environment[name] ?? ProcessInfo.processInfo.environment[name]
        }
        environment["COHERE_API_KEY"] = environment["COHERE_API_KEY"] ?? "provider-key-\(UInt64.random(in: .min ... .max))"
        self.environment = environment
        keep(secret: environment["COHERE_API_KEY"]!)

        let render = try run("quire", "nginx", "render")
        guard render.wait() == 0 else { throw Failed(what: "quire nginx render: \(render.errors)") }
        try startServer()
        try startNginx()
        if awaitingReady { try waitUntilReady() }
    }

    deinit {
        let last = overheard
        for process in [nginx, supervisor] {
            process?.signal(SIGTERM)
            _ = process?.wait()
        }
        // Whatever the test was about, and however it ended.
        let found = leaks(overheard: last)
        guard found.isEmpty else { fatalError("a secret was let out: \(found)") }
    }

    /// Starts one of the built programs with the settings of this instance.
    ///
    /// - Parameter settings: take the place of those of the instance.
    package func run(_ program: String, _ arguments: String..., settings: [String: String] = [:]) throws -> ChildProcess {
        try ChildProcess("\(builtProducts)/\(program)", arguments, environment: environment.merging(settings) { $1 }, in: directory)
    }

    package func startServer() throws {
        let command = launcher + ["\(builtProducts)/quire-server"] + options
        supervisor = try ChildProcess(command[0], Array(command.dropFirst()), environment: environment, in: directory)
    }

    package func startNginx() throws {
        guard let nginxPath else { throw Failed(what: "nginx is not installed: run Scripts/bootstrap") }
        nginx = try ChildProcess(
            nginxPath, ["-p", runDirectory + "/nginx", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"], in: directory)
        try waitUntil("nginx listens") { connectLocally(port: port).map { close($0) } != nil }
    }

    /// kill -9 of nginx, and of its workers, which would outlive it.
    package func killNginx() throws {
        guard let nginx else { throw Failed(what: "nginx does not run") }
        let workers = children(of: nginx.identifier)
        nginx.signal(SIGKILL)
        _ = nginx.wait()
        for worker in workers { kill(worker, SIGKILL) }
        try waitUntil("nginx is gone") { connectLocally(port: port).map { close($0) } == nil }
    }

    /// The processes of nginx that serve clients: during a reload those from before it too.
    package var nginxWorkers: [pid_t] { nginx.map { children(of: $0.identifier) } ?? [] }

    /// Has this nginx alone go on with other words in one of its files, and returns when no worker is left that knows the old ones.
    package func changeNginx(_ file: String, _ changes: [(old: String, new: String)]) throws {
        let source = directory / "nginx-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.copyItem(atPath: checkout + "/nginx", toPath: source)
        var text = String(decoding: try contents(of: "\(source)/\(file)"), as: UTF8.self)
        for (old, new) in changes {
            guard text.contains(old) else { throw Failed(what: "\(file) does not say \(old)") }
            text = text.replacing(old, with: new)
        }
        try Data(text.utf8).write(to: URL(filePath: "\(source)/\(file)"))
        let before = nginxWorkers
        let reload = try run("quire", "nginx", "reload", "--source", source)
        guard reload.wait() == 0 else { throw Failed(what: "quire nginx reload: \(reload.errors)") }
        try waitUntil("nginx has new workers only") {
            let workers = nginxWorkers
            return !workers.isEmpty && !workers.contains { before.contains($0) }
        }
    }

    /// The data directory as the server sees it, which may have mounts of its own.
    package var dataDirectoryOfServer: String { "/proc/\(supervisor?.identifier ?? 0)/root\(dataDirectory)" }

    /// What the supervisor and the responder have logged.
    package var log: String { supervisor?.errors ?? "" }

    /// What those had logged that ended last.
    package private(set) var lastLog = ""

    package func signalServer(_ signal: Int32) {
        supervisor?.signal(signal)
    }

    /// Ends the supervisor; nginx goes on. Returns the supervisor's exit code.
    package func stopServer() -> Int32 {
        supervisor?.signal(SIGTERM)
        return waitForServer()
    }

    /// Waits until the supervisor ends by itself.
    package func waitForServer() -> Int32 {
        defer {
            lastLog = log
            supervisor = nil
        }
        return supervisor?.wait() ?? 0
    }

    /// The responder of this moment; `nil` between two of them.
    package var responder: pid_t? {
        supervisor.flatMap { children(of: $0.identifier).first }
    }

    /// What is said while the processes run: the page of figures, if it can be had, and their arguments, which the kernel tells everybody.
    var overheard: [(place: String, bytes: [UInt8])] {
        var overheard: [(place: String, bytes: [UInt8])] = []
        if nginx != nil, responder != nil, let page = try? get("/metrics") { overheard.append(("/metrics", page.body)) }
        for process in [supervisor?.identifier, responder, nginx?.identifier].compactMap(\.self) {
            let path = "/proc/\(process)/cmdline"
            if let arguments = FileManager.default.contents(atPath: path) { overheard.append((path, Array(arguments))) }
        }
        return overheard
    }

    private func children(of process: pid_t) -> [pid_t] {
        let children = FileManager.default.contents(atPath: "/proc/\(process)/task/\(process)/children") ?? Data()
        return String(decoding: children, as: UTF8.self).split(separator: " ").compactMap { pid_t($0) }
    }

    package func waitUntilReady() throws {
        try waitUntil("ready") { (try? get("/ready"))?.status == 200 }
    }

    package func waitUntil(_ what: String, _ condition: () -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition() {
            guard ContinuousClock.now < deadline else {
                throw Failed(what: "not within a minute: \(what); the server says:\n\(log)\nnginx says:\n\(nginx?.errors ?? "")")
            }
            poll(nil, 0, 5)
        }
    }

    // MARK: Requests

    /// Sends bytes as they are; `nil` if the server closes without an answer.
    package func raw(_ request: String, ending: Bool = false) -> HTTPReply? {
        raw(Array(request.utf8), ending: ending)
    }

    package func raw(_ request: [UInt8], ending: Bool = false) -> HTTPReply? {
        exchange(request, port: port, ending: ending).flatMap(HTTPReply.init)
    }

    package func send(_ method: String, _ target: String, headers: [String: String] = [:], body: [UInt8]? = nil) throws -> HTTPReply {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        guard let reply = raw(Array((head + "\r\n").utf8) + (body ?? [])) else { throw Failed(what: "\(method) \(target): no reply") }
        return reply
    }

    package func get(_ target: String) throws -> HTTPReply { try send("GET", target) }

    package func post(_ target: String, _ json: String) throws -> HTTPReply {
        try send("POST", target, headers: ["Content-Type": "application/json"], body: Array(json.utf8))
    }

    package func delete(_ target: String) throws -> HTTPReply { try send("DELETE", target) }
}
