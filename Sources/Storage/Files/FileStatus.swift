import Glibc

/// What a file system says of a file at one moment. Two of one name that are equal are of the same content, unless it changed twice within
/// the grain of the file system's clock.
package struct FileStatus: Sendable, Equatable {
    package enum Kind: Sendable {
        case file
        case directory
        /// A pipe, a socket, a device.
        case other
    }

    package struct Owner: Sendable, Equatable {
        package let user: UInt32
        package let group: UInt32

        package init(user: UInt32, group: UInt32) {
            (self.user, self.group) = (user, group)
        }
    }

    package let kind: Kind
    package let owner: Owner
    /// Who may do what with it: the lowest twelve bits of its mode.
    package let permissions: UInt32
    package let size: UInt64
    /// With `number`, which file it is, whatever its name.
    package let device: UInt64
    package let number: UInt64
    /// Nanoseconds since 1970.
    package let changed: Int

    package init(kind: Kind, owner: Owner, permissions: UInt32, size: UInt64, device: UInt64, number: UInt64, changed: Int) {
        (self.kind, self.owner, self.permissions) = (kind, owner, permissions)
        (self.size, self.device, self.number, self.changed) = (size, device, number, changed)
    }
}

extension FileStatus {
    init(_ status: stat) {
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            default: .other
            }
        self.init(
            kind: kind, owner: Owner(user: status.st_uid, group: status.st_gid), permissions: status.st_mode & 0o7777,
            size: UInt64(status.st_size), device: UInt64(status.st_dev), number: UInt64(status.st_ino),
            changed: status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec)
    }
}
