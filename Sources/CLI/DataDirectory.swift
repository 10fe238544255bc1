import ArgumentParser
import Database
import Glibc
import Keys
import Settings
import Storage

/// Which data directory a command is about.
struct DataDirectoryOption: ParsableArguments {
    @OptionGroup var config: ConfigFileOption

    @Argument(help: "The data directory. Default: the one of the settings.")
    var directory: String?

    /// Without a slash at its end.
    ///
    /// - Throws: `SettingsError`.
    func path() throws -> String {
        var path = try directory ?? Settings.load(file: config.path).dataDirectory
        while path.count > 1, path.last == "/" { path.removeLast() }
        return path
    }

    /// Keeps everybody else out of the directory for as long as the lock lives.
    ///
    /// - Throws: `NoDatabase`, so that no lock is left where there is nothing to lock; `StorageError`.
    func locked() throws -> (path: String, lock: DirectoryLock) {
        let path = try path()
        guard try LocalFileSystem().list(path).contains(where: isPartOfDatabase) else { throw NoDatabase(path: path) }
        return (path, try DirectoryLock(directory: path))
    }

    private func isPartOfDatabase(_ name: String) -> Bool { LogFiles.isSegment(name) || Snapshots.sequence(name: name) != nil }
}

struct NoDatabase: Error {
    let path: String
}

/// How a command ends that is about stored data; the numbers are those of sysexits.h, and mean what they mean for the server.
enum DataExit {
    /// Damaged, or of a later version.
    static let dataRefused = ExitCode(65)
    /// There is nothing of that name to be read.
    static let noInput = ExitCode(66)
    static let storageFailed = ExitCode(70)
    /// What has to be written cannot be: the copy that a repair begins with, a key ring.
    static let cannotCreate = ExitCode(73)
    /// A server uses the directory.
    static let inUse = ExitCode(75)

    static func code(of error: KeysError) -> ExitCode {
        switch error {
        case .damaged, .exposed, .tooManyKeys: dataRefused
        case .unknownKey: noInput
        case .storage: cannotCreate
        }
    }

    static func code(of error: StorageError) -> ExitCode {
        switch error.category {
        case .dataRefused: return dataRefused
        case .inUse: return inUse
        case .storageFailed, .requestRefused: break
        }
        guard case .ioFailed(_, _, let errno) = error else { return storageFailed }
        return [ENOENT, ENOTDIR, EACCES, EPERM, EROFS].contains(errno) ? noInput : storageFailed
    }
}

/// Text that somebody else stored, fit for a terminal.
func shown(_ text: String) -> String { oneLine(text, limit: 240) }
