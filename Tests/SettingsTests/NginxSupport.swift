import FoundationEssentials
import Glibc
import Settings
import TestSupport
import Testing

/// A real nginx with the rendered configuration, in a run directory and on a port of its own.
// Sound as Sendable: `process` changes only in `stop`, which one thread of a test calls.
final class RunningNginx: @unchecked Sendable {
    let directory = TemporaryDirectory()
    let settings: Settings
    let runDirectory: RunDirectory
    private let prefix: NginxPrefix
    private let port = ReservedPort()
    private var process: ChildProcess?

    /// - Parameter changing: what cannot be said in the environment.
    init(_ environment: [String: String] = [:], changing: (inout Settings) -> Void = { _ in }) throws {
        var environment = environment
        environment["RUN_DIRECTORY"] = directory / "run"
        environment["NGINX_WORKER_PROCESSES"] = "1"
        environment["PORT"] = "\(port.number)"
        var settings = try Settings.load(environment: environment, machine: ordinaryUser)
        changing(&settings)
        self.settings = settings
        runDirectory = RunDirectory(settings)
        try runDirectory.prepare()
        let nginx = try findNginx(searchPath: "")
        prefix = NginxPrefix(source: nginxSource, output: runDirectory.nginxPrefix, executable: nginx)
        try prefix.install(NginxConfiguration(settings, asRoot: geteuid() == 0))
        let process = try ChildProcess(
            nginx, ["-p", runDirectory.nginxPrefix, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"], in: directory)
        self.process = process
        try waitUntilItListens(process)
    }

    deinit { stop() }

    /// Ends nginx and waits until it has written what it had to say.
    func stop() {
        process?.signal(SIGTERM)
        _ = process?.wait()
        process = nil
    }

    /// Puts other settings in place and has nginx take them up.
    func reload(_ settings: Settings) throws {
        try prefix.install(NginxConfiguration(settings, asRoot: geteuid() == 0))
        try prefix.reload()
    }

    /// Sends bytes as they are.
    func exchange(_ request: String, ending: Bool = false) throws -> HTTPReply {
        try Self.exchange(request, port: settings.port, ending: ending)
    }

    private static func exchange(_ request: String, port: Int, ending: Bool = false) throws -> HTTPReply {
        try #require(TestSupport.exchange(Array(request.utf8), port: port, ending: ending).flatMap(HTTPReply.init))
    }

    /// `exchange` on a thread of its own, for a test that plays the responder meanwhile.
    func exchangeInBackground(_ request: String) -> Background<HTTPReply> {
        let port = settings.port
        return Background { try Self.exchange(request, port: port) }
    }

    func get(_ target: String, headers: String = "") throws -> HTTPReply { try send("GET", target, headers: headers) }

    /// A request without a body.
    func send(_ method: String, _ target: String, headers: String = "") throws -> HTTPReply {
        try exchange("\(method) \(target) HTTP/1.1\r\nHost: quire\r\n\(headers)Connection: close\r\n\r\n")
    }

    private func waitUntilItListens(_ process: ChildProcess) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            if let descriptor = connectLocally(port: settings.port) {
                close(descriptor)
                return
            }
            try #require(!process.hasEnded, "nginx ended: \(process.errors)")
            sched_yield()
        }
        Issue.record("nginx does not listen")
    }
}

extension TemporaryDirectory {
    /// Makes a certificate that nobody has signed, and its key.
    ///
    /// - Returns: the settings that name them.
    func makeCertificate() throws -> [String: String] {
        let (certificate, key) = (self / "certificate.pem", self / "key.pem")
        let options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        let made = try ChildProcess("/usr/bin/openssl", ["req", "-x509"] + options + ["-keyout", key, "-out", certificate], in: self)
        try #require(made.wait() == 0, "\(made.errors)")
        return ["TLS_CERTIFICATE": certificate, "TLS_CERTIFICATE_KEY": key]
    }
}
