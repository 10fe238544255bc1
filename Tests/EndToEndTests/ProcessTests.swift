import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Processes, sockets and exit codes")
struct ProcessTests {
    @Test("a second server on one data directory ends with 75 and names the first; the first is not disturbed")
    func locked() throws {
        let first = try QuireInstance(noModel)

        let second = try QuireInstance(noModel.merging(["VECTOR_DB_DATA_DIR": first.dataDirectory]) { $1 }, awaitingReady: false)

        #expect(second.waitForServer() == 75)
        #expect(try second.get("/health").status == 503)
        #expect(try first.get("/ready").status == 200)
    }

    @Test("two instances run side by side")
    func sideBySide() throws {
        let first = try QuireInstance(noModel)
        let second = try QuireInstance(noModel)

        let library = try first.createLibrary()

        #expect(try first.get("/v1/libraries/\(library)").status == 200)
        #expect(try second.get("/v1/libraries/\(library)").status == 404)
    }

    @Test(
        "settings that cannot be are refused with 78 before anything listens",
        arguments: [["EMBEDDING_MODEL": "no-such-model"], ["EMBEDDING_DIMENSION": "385"]])
    func badSettings(settings: [String: String]) throws {
        let quire = try QuireInstance(noModel.merging(settings) { $1 }, awaitingReady: false)

        #expect(quire.waitForServer() == 78)
        #expect(try quire.get("/health").status == 503)
    }

    @Test(
        "what cannot be run is refused with 78 and one line that says why",
        arguments: [
            (["PORT": "http"], [], "PORT"), (["RUN_DIRECTORY": "/proc/quire/run"], [], "/proc"), (["HOST": "0.0.0.0"], [], "HOST"),
            ([:], ["respond"], "descriptor 0"), ([:], ["--config", "/nonexistent/quire.yaml"], "/nonexistent/quire.yaml"),
        ] as [([String: String], [String], String)])
    func cannotRun(environment: [String: String], arguments: [String], expected: String) throws {
        let directory = TemporaryDirectory()
        let settings = ["RUN_DIRECTORY": directory / "run", "VECTOR_DB_DATA_DIR": directory / "data"].merging(environment) { $1 }

        let server = try ChildProcess(
            builtProducts + "/quire-server", arguments, environment: noModel.merging(settings) { $1 }, in: directory)

        #expect(server.wait() == 78)
        let lines = server.errors.split(separator: "\n")
        #expect(lines.count == 1)
        #expect(lines.first?.contains(expected) == true, "\(lines)")
    }

    @Test("more header fields than the responder takes are answered with 431")
    func tooManyHeaders() throws {
        let quire = try QuireInstance(noModel)
        let fields = (0..<200).map { "X-Field-\($0): 1\r\n" }.joined()

        let reply = try #require(quire.raw("GET /ready HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\(fields)\r\n"))

        #expect(reply.status == 431)
        #expect(try reply.decoded(as: ErrorReply.self).error_type == "HeadersTooLargeError")
    }

    @Test("a data directory that cannot be written ends the server with 78")
    func readOnlyDirectory() throws {
        let directory = TemporaryDirectory()
        // Root may write anywhere, but not below a file.
        let file = directory / "file"
        try Data().write(to: URL(filePath: file))

        let quire = try QuireInstance(noModel.merging(["VECTOR_DB_DATA_DIR": file + "/data"]) { $1 }, awaitingReady: false)

        #expect(quire.waitForServer() == 78)
    }

    @Test("SIGTERM ends everything within five seconds with exit 0, and the log is sealed")
    func terminates() throws {
        let quire = try QuireInstance(noModel)
        _ = try quire.createLibrary()

        let start = ContinuousClock.now
        #expect(quire.stopServer() == 0)
        #expect(ContinuousClock.now - start < .seconds(5))

        try quire.startServer()
        try quire.waitUntilReady()
    }

    @Test("the socket is nginx's alone")
    func socketRights() throws {
        let quire = try QuireInstance(noModel)

        var status = stat()
        #expect(lstat(quire.runDirectory + "/responder.sock", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o660)
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
        #expect(stat(quire.runDirectory, &status) == 0)
        #expect(status.st_mode & 0o007 == 0)
    }

    @Test("nobody but nginx's workers can connect to the responder", .enabled(if: geteuid() == 0, "only root can become somebody else"))
    func othersCannotConnect() throws {
        let quire = try QuireInstance(noModel)
        let connect = "import socket; socket.socket(socket.AF_UNIX).connect('\(quire.runDirectory)/responder.sock')"
        func connects(as user: String) throws -> Bool {
            try ChildProcess(
                "/usr/bin/setpriv", ["--reuid=\(user)", "--regid=\(user)", "--clear-groups", "/usr/bin/python3", "-c", connect],
                environment: [:], in: quire.directory
            ).wait() == 0
        }

        #expect(try connects(as: "www-data"))
        #expect(try !connects(as: "games"))
    }

    @Test("on a socket that systemd passes on, the run directory is not the server's: it changes nothing there")
    func givenSocket() throws {
        // What systemd does for a unit with a socket (sd_listen_fds(3)). The mode is one that the server would not have chosen.
        let systemd = """
            import os, socket, sys
            directory = os.environ["RUN_DIRECTORY"]
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(directory + "/responder.sock")
            listening.listen(64)
            os.chmod(directory + "/responder.sock", 0o666)
            os.chmod(directory, 0o711)
            os.dup2(listening.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
            os.execv(sys.argv[1], sys.argv[1:])
            """

        let quire = try QuireInstance(noModel, launcher: ["/usr/bin/env", "python3", "-c", systemd])

        #expect(try quire.get("/v1/libraries").status == 200)
        #expect(quire.stopServer() == 0)
        var status = stat()
        #expect(stat(quire.runDirectory, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o711)
        #expect(lstat(quire.runDirectory + "/responder.sock", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o666)
    }

    @Test("a graceful replacement of the responder loses no request", arguments: [SIGHUP, SIGTERM])
    func gracefulReplacement(signal: Int32) throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        let first = try #require(quire.responder)
        let isReplaced = Shared(false)
        let answers = Shared([String: Int]())
        let clients = (0..<4).map { client in
            Background {
                var rounds = 0
                while !isReplaced.update({ $0 }) || rounds < 20 {
                    let reply =
                        client % 2 == 0
                        ? try quire.get("/v1/libraries/\(library)")
                        : try quire.post(
                            "/v1/libraries/\(library)/documents/with-embeddings",
                            #"{"title":"t","chunks":[{"text":"a","embedding":[1,2,3]}]}"#)
                    let answer = reply.status < 300 ? "\(reply.status)" : try reply.decoded(as: ErrorReply.self).detail
                    answers.update { $0[answer, default: 0] += 1 }
                    rounds += 1
                }
            }
        }

        // To the supervisor, which replaces the responder; or to the responder itself, as an operator would by mistake.
        if signal == SIGHUP { quire.signalServer(signal) } else { kill(first, signal) }
        try quire.waitUntil("the responder is replaced") { quire.responder.map { $0 != first } ?? false }
        try quire.waitUntilReady()
        isReplaced.set(true)
        for client in clients { try client.value() }

        let seen = answers.update { $0 }
        #expect(Set(seen.keys) == ["200", "201"], "\(seen)")
        let stored = try quire.get("/v1/libraries/\(library)").decoded(as: LibraryReply.self).num_documents
        #expect(stored == seen["201"])
    }

    @Test("logs can be JSON, one object a line")
    func jsonLogs() throws {
        struct Line: Decodable {
            let timestamp: String
            let level: String
            let message: String
        }
        let quire = try QuireInstance(noModel.merging(["LOG_JSON_FORMAT": "true", "LOG_LEVEL": "info"]) { $1 })
        try quire.killResponder()

        let lines = quire.log.split(separator: "\n")
        #expect(!lines.isEmpty)
        for line in lines { _ = try JSONDecoder().decode(Line.self, from: Data(line.utf8)) }
    }
}
