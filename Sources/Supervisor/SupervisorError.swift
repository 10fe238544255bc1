import Glibc

/// Why a supervisor cannot do its work. Each ends it, with `exitCode`.
package enum SupervisorError: Error, Equatable {
    /// A unix socket's path is absolute and fits into 107 bytes.
    case socketPathUnusable(String)
    /// The directory belongs to another user, so whoever that is could replace the socket.
    case directoryNotOwned(String)
    /// Others than the owner and the socket's group can enter the directory, or others than the owner change it. It is not
    /// narrowed, as others may be using it.
    case directoryOpenToOthers(String)
    /// Something that is no socket stands where the socket should be.
    case socketPathTaken(String)
    /// Another supervisor holds the directory, or somebody listens on the socket.
    case alreadySupervised(String)
    /// LISTEN_FDS promises something else than one listening unix socket.
    case inheritedSocketUnusable(String)
    case executableUnusable(String, errno: Int32)
    case systemCallFailed(String, errno: Int32)

    /// As in `sysexits.h`: 75 when trying again later may help, 71 for the operating system, 78 for the configuration.
    package var exitCode: Int32 {
        switch self {
        case .alreadySupervised: 75
        case .systemCallFailed: 71
        case .socketPathUnusable, .directoryNotOwned, .directoryOpenToOthers, .socketPathTaken, .inheritedSocketUnusable,
            .executableUnusable:
            78
        }
    }
}

extension SupervisorError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .socketPathUnusable(let path):
            "the socket path must begin with / and be at most \(ListeningSocket.maxPathBytes) bytes long: \(path)"
        case .directoryNotOwned(let path):
            "the directory of the socket belongs to another user: \(path)"
        case .directoryOpenToOthers(let path):
            "the directory of the socket is open to others; it must have mode 0700, or 0750 and the socket's group: \(path)"
        case .socketPathTaken(let path):
            "the socket path is taken by something that is not a socket: \(path)"
        case .alreadySupervised(let path):
            "another process serves this socket already: \(path)"
        case .inheritedSocketUnusable(let reason):
            "the socket passed on by LISTEN_FDS cannot be used: \(reason)"
        case .executableUnusable(let path, let error):
            "the responder cannot be executed: \(path): \(String(cString: strerror(error)))"
        case .systemCallFailed(let what, let error):
            "\(what): \(String(cString: strerror(error)))"
        }
    }
}

/// The result of a system call that returns -1 and sets errno on failure.
@discardableResult
func checkCall(_ what: String, _ result: Int32) throws(SupervisorError) -> Int32 {
    guard result >= 0 else { throw .systemCallFailed(what, errno: errno) }
    return result
}
