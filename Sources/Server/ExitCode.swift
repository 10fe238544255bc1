import Glibc
import Storage

/// How the server ends; the numbers are those of sysexits.h. The supervisor restarts only what a restart can help.
enum ExitCode: Int32 {
    case success = 0
    /// The data directory holds something this program must not touch; `quire repair` is for people to run.
    case dataRefused = 65
    /// The disk failed. What is on it is judged at the next start.
    case storageFailed = 70
    /// Another process owns the data directory.
    case locked = 75
    /// The settings contradict themselves or the machine.
    case configuration = 78

    /// Ends the process, with a line that says why.
    func exit(_ reason: String? = nil) -> Never {
        if let reason {
            let line = Array("quire-server: \(reason)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
        }
        Glibc.exit(rawValue)
    }

    /// What an error that kept the database from opening means.
    init(openingFailedWith error: any Error) {
        switch (error as? StorageError)?.category {
        case .dataRefused: self = .dataRefused
        case .inUse: self = .locked
        case .storageFailed, .requestRefused, nil: self = .storageFailed
        }
        // A directory that may not be written is not a disk that failed: no restart will help.
        if case .ioFailed(_, _, let errno) = error as? StorageError, [EACCES, EPERM, EROFS, ENOTDIR].contains(errno) {
            self = .configuration
        }
    }
}
