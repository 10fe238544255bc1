package import Glibc

/// What one running instance owns and nothing outlives: the socket, nginx's configuration, its pid and its temporary files.
///
/// ```
/// <run directory>/            as root 0750 root:www-data, else 0700
///   responder.sock            as root 0660 root:www-data, else 0600; made and held by the supervisor
///   nginx -> nginx-1f0c…      nginx's prefix: configuration only, replaced as a whole
///   nginx.pid  access.log  body-temp/  fastcgi-temp/  …   nginx's own
/// ```
package struct RunDirectory: Sendable, Equatable {
    package static let socketName = "responder.sock"
    /// The account that nginx's workers run as when nginx is started by root.
    package static let workerAccount = "www-data"

    package let path: String

    package init(path: String) {
        self.path = path
    }

    package init(_ settings: Settings) {
        self.init(path: settings.runDirectory)
    }

    package var socketPath: String { path + "/" + Self.socketName }
    package var nginxPrefix: String { path + "/nginx" }

    /// Makes the directory where it is missing and gives it the group and mode it must have. Idempotent.
    ///
    /// - Returns: the group that may enter besides the owner, for the socket to be given as well; nil when that is only the owner.
    /// - Throws: `.runDirectory` when it belongs to another user, is a link, or lies where another user could swap it.
    @discardableResult
    package func prepare() throws(SettingsError) -> gid_t? {
        let workers = geteuid() == 0 ? try workerGroup() : nil
        try makeParents()
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw failure("cannot be made: \(lastErrorText())") }

        var status = stat()
        guard lstat(path, &status) == 0 else { throw failure(lastErrorText()) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw failure("exists and is not a directory") }
        guard status.st_uid == geteuid() else { throw failure("belongs to another user (uid \(status.st_uid))") }
        if let workers, status.st_gid != workers, chown(path, 0, workers) != 0 {
            throw failure("cannot be given to group \(Self.workerAccount): \(lastErrorText())")
        }
        guard chmod(path, workers == nil ? 0o700 : 0o750) == 0 else { throw failure("cannot be given its mode: \(lastErrorText())") }
        return workers
    }

    /// Makes missing parents and checks all of them: whoever may rename a parent owns everything below it.
    private func makeParents() throws(SettingsError) {
        var parent = ""
        for part in path.dropFirst().split(separator: "/").dropLast() {
            parent += "/" + part
            // Root's parents are passed through by nginx's workers; another user's are nobody else's business.
            if mkdir(parent, geteuid() == 0 ? 0o755 : 0o700) != 0, errno != EEXIST {
                throw failure("\(parent) cannot be made: \(lastErrorText())")
            }
            var status = stat()
            guard stat(parent, &status) == 0 else { throw failure("\(parent): \(lastErrorText())") }
            guard status.st_uid == 0 || status.st_uid == geteuid() else {
                throw failure("\(parent) belongs to another user (uid \(status.st_uid))")
            }
            // In a sticky directory only the owner of an entry may rename it.
            guard status.st_mode & S_ISVTX == 0 else { continue }
            guard status.st_mode & S_IWOTH == 0 else { throw failure("\(parent) can be written by everybody and is not sticky") }
            guard status.st_mode & S_IWGRP == 0 || Self.isTrusted(status.st_gid, by: geteuid(), in: getegid()) else {
                throw failure("\(parent) can be written by group \(status.st_gid) and is not sticky")
            }
        }
    }

    /// Whether `user`, whose group is `primary`, need not fear a group: it is root's, or the private one of the account, which has
    /// its number and no listed members. Where accounts have such groups, what they make can be written by the group (umask 002).
    static func isTrusted(_ identifier: gid_t, by user: uid_t, in primary: gid_t) -> Bool {
        if identifier == 0 { return true }
        guard identifier == user, identifier == primary else { return false }
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
            // A group with more members than fit is nobody's own; one without a name has none.
            guard getgrgid_r(identifier, &entry, buffer.baseAddress!, buffer.count, &found) == 0 else { return false }
            return found == nil || entry.gr_mem?.pointee == nil
        }
    }

    private func workerGroup() throws(SettingsError) -> gid_t {
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        let failed = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
            getgrnam_r(Self.workerAccount, &entry, buffer.baseAddress!, buffer.count, &found) != 0
        }
        guard !failed, found != nil else { throw failure("there is no group \(Self.workerAccount), which nginx's workers run as") }
        return entry.gr_gid
    }

    private func failure(_ reason: String) -> SettingsError { .runDirectory(path: path, reason: reason) }
}
