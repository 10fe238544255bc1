import Glibc
import TestSupport
import Testing

@testable import Supervisor

@Suite struct ListeningSocketTests {
    private let directory = TemporaryDirectory()
    private var run: String { directory.path + "/run" }
    private var path: String { run + "/socket" }

    init() {
        mkdir(run, 0o700)
    }

    @Test("without a group it is its owner's alone, takes connections, and is gone at the end")
    func makesSocket() throws {
        do {
            let socket = try ListeningSocket(path: path, group: nil, backlog: 8)

            #expect(mode(path) == S_IFSOCK | 0o600)
            let connection = connectSocket(path)
            #expect(connection >= 0)
            #expect(socket.closeWaitingConnections() == 1)
            #expect(isClosed(connection))
            close(connection)
        }

        #expect(mode(path) == nil)
        #expect(mode(run) == S_IFDIR | 0o700)
    }

    @Test("with a group it is for its owner and that group", .enabled(if: geteuid() == 0))
    func givesGroup() throws {
        chown(run, 0, 12_345)
        chmod(run, 0o750)

        let socket = try ListeningSocket(path: path, group: 12_345, backlog: 8)
        defer { withExtendedLifetime(socket) {} }

        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode == S_IFSOCK | 0o660)
        #expect(status.st_gid == 12_345)
        #expect(status.st_uid == 0)
        #expect(mode(run) == S_IFDIR | 0o750)
    }

    @Test("replaces a socket that a dead process left behind")
    func removesStaleSocket() throws {
        close(listenSocket(path))
        #expect(connectSocket(path) == -1)

        let socket = try ListeningSocket(path: path, group: nil, backlog: 8)

        let connection = connectSocket(path)
        #expect(connection >= 0)
        close(connection)
        withExtendedLifetime(socket) {}
    }

    @Test("leaves a socket alone that somebody listens on, even one that is full")
    func leavesLiveSocket() {
        let living = listenSocket(path)
        defer { close(living) }

        expect(.alreadySupervised(path))
        // The connection by which that was found out still waits, and fills the queue.
        listen(living, 0)
        expect(.alreadySupervised(path))

        #expect(mode(path) != nil)
        #expect(SupervisorError.alreadySupervised(path).exitCode == 75)
    }

    @Test("one supervisor a directory")
    func locksDirectory() throws {
        let socket = try ListeningSocket(path: path, group: nil, backlog: 8)

        expect(.alreadySupervised(path))
        expect(.alreadySupervised(run + "/another"), at: run + "/another")

        let connection = connectSocket(path)
        #expect(connection >= 0)
        close(connection)
        withExtendedLifetime(socket) {}
    }

    @Test("leaves alone what is no socket, and what listens in another way")
    func leavesOtherFiles() {
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        expect(.socketPathTaken(path))
        #expect(mode(path) == S_IFREG | 0o600)

        unlink(path)
        let datagrams = listenSocket(path, type: SOCK_DGRAM)
        expect(.systemCallFailed("connect to \(path)", errno: EPROTOTYPE))
        close(datagrams)
    }

    @Test("removes only the socket that it made")
    func removesOwnSocketOnly() throws {
        do {
            let socket = try ListeningSocket(path: path, group: nil, backlog: 8)
            unlink(path)
            close(open(path, O_CREAT | O_WRONLY, 0o600))
            withExtendedLifetime(socket) {}
        }

        #expect(mode(path) == S_IFREG | 0o600)
    }

    @Test("refuses a directory that others get into, and leaves it as it is", arguments: [0o701, 0o710, 0o750, 0o755, 0o770] as [mode_t])
    func leavesOpenDirectories(open: mode_t) {
        chmod(run, open)

        expect(.directoryOpenToOthers(run))

        #expect(mode(run) == S_IFDIR | open)
        #expect(mode(path) == nil)
    }

    @Test("the root directory is no place for a socket")
    func refusesRootDirectory() {
        expect(geteuid() == 0 ? .directoryOpenToOthers("/") : .directoryNotOwned("/"), at: "/quire-test-socket")
    }

    @Test("lets in the socket's group and no other, and nobody but the owner may change the directory", .enabled(if: geteuid() == 0))
    func checksGroupOfDirectory() {
        chown(run, 0, 12_345)
        chmod(run, 0o770)
        expect(.directoryOpenToOthers(run), group: 12_345)

        chmod(run, 0o750)
        expect(.directoryOpenToOthers(run), group: 12_346)
        expect(.directoryOpenToOthers(run))
    }

    @Test("refuses a directory of another user", .enabled(if: geteuid() == 0))
    func refusesForeignDirectory() {
        chown(run, 65534, 65534)

        expect(.directoryNotOwned(run))
    }

    @Test("refuses a directory that cannot be, or that is a link")
    func refusesMissingDirectory() {
        expect(.systemCallFailed("open /nonexistent/run", errno: ENOENT), at: "/nonexistent/run/socket")
        rmdir(run)
        symlink("/tmp", run)
        expect(.systemCallFailed("open \(run)", errno: ENOTDIR))
    }

    @Test(
        "refuses a path that no socket can have",
        arguments: [
            "", "socket", "./socket", "/", "/directory/", "/a\0b/socket", "/" + String(repeating: "x", count: 107),
        ])
    func refusesUnusablePath(path: String) {
        expect(.socketPathUnusable(path), at: path)
        #expect(SupervisorError.socketPathUnusable(path).exitCode == 78)
    }

    @Test("the longest possible path works")
    func takesLongestPath() throws {
        let name = String(repeating: "x", count: 107 - run.utf8.count - 1)

        let socket = try ListeningSocket(path: run + "/" + name, group: nil, backlog: 8)

        let connection = connectSocket(run + "/" + name)
        #expect(connection >= 0)
        close(connection)
        withExtendedLifetime(socket) {}
    }

    @Test("uses the socket that systemd passes on, and leaves its file in place")
    func inheritsSocket() throws {
        let path = directory.path + "/socket"
        let listening = listenSocket(path)
        do {
            let variables = ["LISTEN_FDS": "1", "LISTEN_PID": "\(getpid())"]
            let socket = try #require(try ListeningSocket.inherited(environment: { variables[$0] }, descriptor: listening))

            #expect(socket.descriptor == listening)
            #expect(fcntl(listening, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(listening, F_GETFL) & O_NONBLOCK != 0)
            let connection = connectSocket(path)
            #expect(connection >= 0)
            close(connection)
        }

        #expect(mode(path) != nil)
    }

    @Test("inherits nothing that is meant for another process, and nothing but one listening unix socket")
    func checksInheritedSocket() throws {
        let other = ["LISTEN_FDS": "1", "LISTEN_PID": "1"]
        #expect(try ListeningSocket.inherited(environment: { other[$0] }) == nil)
        #expect(try ListeningSocket.inherited(environment: { _ in nil }) == nil)

        let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listen(tcp, 1)
        let unix = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        for (count, descriptor, reason) in [
            ("2", unix, "there are 2 descriptors, not 1"), ("1", unix, "it is no listening socket"), ("1", tcp, "it is no unix socket"),
        ] {
            let variables = ["LISTEN_FDS": count, "LISTEN_PID": "\(getpid())"]
            #expect(throws: SupervisorError.inheritedSocketUnusable(reason)) {
                try ListeningSocket.inherited(environment: { variables[$0] }, descriptor: descriptor)
            }
        }
        close(tcp)
        close(unix)
    }

    @Test("every error says what is wrong")
    func describesErrors() {
        let errors: [(SupervisorError, String)] = [
            (.socketPathUnusable("p"), "107 bytes"), (.directoryNotOwned("p"), "another user"), (.directoryOpenToOthers("p"), "0750"),
            (.socketPathTaken("p"), "not a socket"), (.alreadySupervised("p"), "already: p"),
            (.inheritedSocketUnusable("r"), "LISTEN_FDS"), (.executableUnusable("e", errno: ENOENT), "e: No such file"),
            (.systemCallFailed("socket", errno: EMFILE), "socket: Too many open files"),
        ]
        for (error, text) in errors { #expect("\(error)".contains(text)) }
    }

    private func expect(_ error: SupervisorError, at path: String? = nil, group: gid_t? = nil) {
        #expect(throws: error) { try ListeningSocket(path: path ?? self.path, group: group, backlog: 8) }
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : nil
    }
}
