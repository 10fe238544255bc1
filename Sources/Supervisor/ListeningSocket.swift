import CPlatform
import Glibc

/// The listening unix socket, held for as long as the supervisor lives, whatever becomes of responders.
final class ListeningSocket {
    private let owned: Descriptor
    /// Nil when somebody else made the socket, and will remove it.
    private let place: Place?

    /// Where a socket of ours stands.
    private struct Place {
        let directory: Descriptor
        let name: String
        let inode: ino_t
    }

    var descriptor: Int32 { owned.number }

    /// What `sockaddr_un` has room for, less the final NUL.
    static let maxPathBytes = 107

    /// Makes the socket at `path`: for its owner alone (0600), or also for `group` when one is given (0660).
    ///
    /// The directory is there already and lets nobody else in; that is checked, never changed. Mode and group are set before the
    /// socket listens, so there is no moment at which others are heard. The directory is locked for the life of this object: one
    /// supervisor a directory. What a dead one left behind is removed, but only if it is a socket that nobody listens on.
    init(path: String, group: gid_t?, backlog: Int32) throws(SupervisorError) {
        let bytes = Array(path.utf8)
        guard bytes.first == UInt8(ascii: "/"), bytes.count <= Self.maxPathBytes, bytes.last != UInt8(ascii: "/"), !bytes.contains(0)
        else { throw .socketPathUnusable(path) }
        let slash = path.lastIndex(of: "/")!
        let name = String(path[path.index(after: slash)...])

        let directory = try Self.openDirectory(String(path[..<slash]), group: group)
        guard flock(directory.number, LOCK_EX | LOCK_NB) == 0 else { throw .alreadySupervised(path) }
        try Self.removeStaleSocket(path, in: directory, name)
        let listening = try Self.makeSocket()

        do throws(SupervisorError) {
            try checkCall("bind to \(path)", withSocketAddress(path) { bind(listening.number, $0, $1) })
            if let group { try checkCall("chown of \(path)", fchownat(directory.number, name, uid_t.max, group, 0)) }
            try checkCall("chmod of \(path)", fchmodat(directory.number, name, group == nil ? 0o600 : 0o660, 0))
            try checkCall("listen on \(path)", listen(listening.number, backlog))
            place = Place(directory: directory, name: name, inode: try Self.inode(of: name, in: directory))
        } catch {
            unlinkat(directory.number, name, 0)
            throw error
        }
        owned = listening
    }

    private init(inherited descriptor: Int32) {
        owned = Descriptor(descriptor)
        place = nil
    }

    /// Whether systemd passes on descriptors to this process (sd_listen_fds(3)).
    static func isInherited(environment: (String) -> String?, process: pid_t = getpid()) -> Bool {
        environment("LISTEN_FDS") != nil && environment("LISTEN_PID") == String(process)
    }

    /// The socket that systemd passes on to this process; nil when it passes on none.
    static func inherited(
        environment: (String) -> String?, process: pid_t = getpid(), descriptor: Int32 = 3
    ) throws(SupervisorError) -> ListeningSocket? {
        guard isInherited(environment: environment, process: process), let count = environment("LISTEN_FDS") else { return nil }
        guard count == "1" else { throw .inheritedSocketUnusable("there are \(count) descriptors, not 1") }
        guard option(SO_ACCEPTCONN, of: descriptor) == 1 else { throw .inheritedSocketUnusable("it is no listening socket") }
        guard option(SO_DOMAIN, of: descriptor) == AF_UNIX else { throw .inheritedSocketUnusable("it is no unix socket") }
        let flags = try checkCall("fcntl", fcntl(descriptor, F_GETFL))
        try checkCall("fcntl", fcntl(descriptor, F_SETFL, flags | O_NONBLOCK))
        try checkCall("fcntl", fcntl(descriptor, F_SETFD, FD_CLOEXEC))
        return ListeningSocket(inherited: descriptor)
    }

    /// Closes the socket and everything that waits in it, and removes it if it is ours.
    deinit {
        // Whatever stands there by now, we remove nothing that we have not made.
        guard let place, (try? Self.inode(of: place.name, in: place.directory)) == place.inode else { return }
        unlinkat(place.directory.number, place.name, 0)
    }

    /// Closes all connections that wait, and returns how many there were.
    func closeWaitingConnections() -> Int {
        var count = 0
        while true {
            let connection = quire_accept(descriptor)
            if connection >= 0 {
                close(connection)
                count += 1
            } else if errno != EINTR && errno != ECONNABORTED {
                return count
            }
        }
    }

    /// The directory at `path`, which only its owner may change and only the owner and `group` may enter.
    private static func openDirectory(_ path: String, group: gid_t?) throws(SupervisorError) -> Descriptor {
        let path = path.isEmpty ? "/" : path
        let directory = Descriptor(try checkCall("open \(path)", open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
        var status = stat()
        try checkCall("stat of \(path)", fstat(directory.number, &status))
        guard status.st_uid == geteuid() else { throw .directoryNotOwned(path) }
        let isGroupWelcome = status.st_gid == group && status.st_mode & S_IWGRP == 0
        guard status.st_mode & (isGroupWelcome ? S_IRWXO : S_IRWXG | S_IRWXO) == 0 else { throw .directoryOpenToOthers(path) }
        return directory
    }

    private static func removeStaleSocket(_ path: String, in directory: Descriptor, _ name: String) throws(SupervisorError) {
        var status = stat()
        guard fstatat(directory.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            guard errno == ENOENT else { throw .systemCallFailed("stat of \(path)", errno: errno) }
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .socketPathTaken(path) }
        let probe = try makeSocket()
        defer { withExtendedLifetime(probe) {} }
        let result = withSocketAddress(path) { connect(probe.number, $0, $1) }
        // EAGAIN: somebody listens, and so many wait that there is no room.
        guard result != 0, errno != EAGAIN else { throw .alreadySupervised(path) }
        guard errno == ECONNREFUSED else { throw .systemCallFailed("connect to \(path)", errno: errno) }
        try checkCall("unlink \(path)", unlinkat(directory.number, name, 0))
    }

    private static func makeSocket() throws(SupervisorError) -> Descriptor {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        return Descriptor(try checkCall("socket", socket(AF_UNIX, Int32(type), 0)))
    }

    private static func inode(of name: String, in directory: Descriptor) throws(SupervisorError) -> ino_t {
        var status = stat()
        try checkCall("stat of the socket", fstatat(directory.number, name, &status, AT_SYMLINK_NOFOLLOW))
        return status.st_ino
    }

    /// A socket option; nil when the descriptor is no socket.
    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }
}

/// Calls `body` with the address of the unix socket at `path`, which is known to fit.
func withSocketAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}
