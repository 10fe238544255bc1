import Glibc
import TestSupport
import Testing

@testable import Storage

@Suite("Files of the machine")
struct LocalFilesTests {
    @Test("a file is written, read, cut, renamed, listed and removed")
    func files() throws {
        try withTemporaryDirectory { directory in
            let system = LocalFileSystem()
            let path = "\(directory)/a"
            let file = try system.open(path, for: .creating)
            try file.writeFully([1, 2, 3, 4, 5, 6][1...], at: 2)
            try file.synchronizeData()
            try file.truncate(to: 6)
            try file.synchronize()
            #expect(try file.size() == 6)
            try file.close()

            try system.rename(path, to: "\(directory)/b")
            try system.synchronizeDirectory(directory)
            #expect(try system.list(directory) == ["b"])
            let reading = try system.open("\(directory)/b", for: .reading)
            #expect(try bytes(of: reading) == [0, 0, 2, 3, 4, 5])
            #expect(throws: StorageError.ioFailed(operation: "pwrite", path: "\(directory)/b", errno: EBADF)) {
                try reading.writeFully([1], at: 0)
            }

            // Left open: it is closed with the object.
            let updating = try system.open("\(directory)/b", for: .updating)
            try updating.writeFully([9], at: 0)
            #expect(try bytes(of: updating) == [9, 0, 2, 3, 4, 5])
            chmod("\(directory)/b", 0o644)
            #expect(try system.open("\(directory)/b", for: .creating).status().permissions == 0o600)
            #expect(try system.size(of: "\(directory)/b") == 0)
            try system.remove("\(directory)/b")
            #expect(try system.list(directory) == [])
        }
    }

    @Test("the status of a file is that of its name, and of no other; that of a name nobody has is none")
    func status() throws {
        try withTemporaryDirectory { directory in
            let system = LocalFileSystem()
            let path = "\(directory)/a"
            #expect(try system.status(of: path) == nil)
            let file = try system.open(path, for: .creating)
            try file.writeFully([1, 2, 3], at: 0)

            let status = try #require(try system.status(of: path))
            #expect(try status == file.status())
            #expect(status.kind == .file && status.size == 3 && status.permissions == 0o600)
            #expect(status.owner == FileStatus.Owner(user: geteuid(), group: getegid()))
            #expect(try system.status(of: directory)?.kind == .directory)
            mkfifo("\(directory)/pipe", 0o640)
            #expect(try system.status(of: "\(directory)/pipe")?.kind == .other)
            try system.rename(path, to: "\(directory)/b")
            _ = try system.open(path, for: .creating)
            #expect(try system.status(of: path)?.number != status.number)
            #expect(try system.status(of: "\(directory)/b")?.number == status.number)
            if geteuid() == 0 {
                try file.give(to: FileStatus.Owner(user: 1, group: 2))
                #expect(try system.status(of: "\(directory)/b")?.owner == FileStatus.Owner(user: 1, group: 2))
            }
        }
    }

    @Test("a link laid where a file is to be made is not followed")
    func link() throws {
        try withTemporaryDirectory { directory in
            let system = LocalFileSystem()
            try system.open("\(directory)/precious", for: .creating).writeFully([1], at: 0)
            symlink("precious", "\(directory)/new")

            #expect(throws: StorageError.ioFailed(operation: "open", path: "\(directory)/new", errno: ELOOP)) {
                try system.open("\(directory)/new", for: .creating)
            }
            #expect(try system.size(of: "\(directory)/precious") == 1)
        }
    }

    @Test("a directory is made once; a second time leaves it")
    func directories() throws {
        try withTemporaryDirectory { directory in
            let system = LocalFileSystem()
            #expect(try system.makeDirectory("\(directory)/d"))
            _ = try system.open("\(directory)/d/x", for: .creating)
            #expect(try !system.makeDirectory("\(directory)/d"))
            #expect(try system.list("\(directory)/d") == ["x"])
            try system.remove("\(directory)/d/x")
        }
    }

    @Test("every failure names the operation, the path and the errno")
    func failures() throws {
        try withTemporaryDirectory { directory in
            let system = LocalFileSystem()
            let missing = "\(directory)/no/file"
            func expect(_ operation: String, _ call: () throws -> Void) {
                #expect(throws: StorageError.ioFailed(operation: operation, path: missing, errno: ENOENT)) { try call() }
            }
            expect("open") { _ = try system.open(missing, for: .reading) }
            expect("open") { _ = try system.open(missing, for: .creating) }
            expect("mkdir") { _ = try system.makeDirectory(missing) }
            expect("opendir") { _ = try system.list(missing) }
            expect("rename") { try system.rename(missing, to: "\(directory)/x") }
            expect("unlink") { try system.remove(missing) }
            expect("open") { try system.synchronizeDirectory(missing) }
        }
    }

    @Test("a log on the machine's disk is read back")
    func log() throws {
        try withTemporaryDirectory { directory in
            let system = LocalFileSystem()
            let log = try WriteAheadLog.open(directory: directory, fileSystem: system, policy: .always) { _ in }
            try log.start(committed: { _ in }, failed: { _ in })
            for number in 1...50 { try log.waitUntilCommitted(try log.append(type: 1, payload: payload(number))) }
            try log.close()

            var found: [[UInt8]] = []
            let again = try WriteAheadLog.open(directory: directory, fileSystem: system, policy: .always) { found.append($0.payload) }

            #expect(found == (1...50).map(payload))
            #expect(again.databaseID == log.databaseID)
            try again.close()
        }
    }

    @Test("a directory is locked by one holder, who is named, until it lets go")
    func lock() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/LOCK"
            do {
                let held = try DirectoryLock(directory: directory)
                #expect(throws: StorageError.locked(path: path, pid: getpid())) { try DirectoryLock(directory: directory) }
                withExtendedLifetime(held) {}
            }
            _ = try DirectoryLock(directory: directory)
        }
    }

    @Test("a lock is free when its holder lets go, though a child that is being started has the descriptor still")
    func sharedDescriptor() throws {
        try withTemporaryDirectory { directory in
            var copy: Int32 = -1
            do {
                let held = try DirectoryLock(directory: directory)
                copy = fcntl(try #require(lockDescriptors(directory).first), F_DUPFD_CLOEXEC, 0)
                try #require(copy >= 0)
                withExtendedLifetime(held) {}
            }
            defer { close(copy) }

            _ = try DirectoryLock(directory: directory)
        }
    }

    @Test("a lock whose holder has not written its id yet is held all the same")
    func namelessHolder() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/LOCK"
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            #expect(flock(descriptor, LOCK_EX) == 0)

            #expect(throws: StorageError.locked(path: path, pid: nil)) { try DirectoryLock(directory: directory) }

            close(descriptor)
        }
    }

    @Test("a directory that cannot be locked says why")
    func noDirectory() {
        #expect(throws: StorageError.ioFailed(operation: "open", path: "/dev/null/LOCK", errno: ENOTDIR)) {
            try DirectoryLock(directory: "/dev/null")
        }
    }

    @Test("a lock is not inherited by a program that is started")
    func closesOnExec() throws {
        try withTemporaryDirectory { directory in
            let held = try DirectoryLock(directory: directory)
            let descriptors = try lockDescriptors(directory)

            #expect(descriptors.count == 1)
            #expect(descriptors.allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 })
            withExtendedLifetime(held) {}
        }
    }

    /// This process's descriptors of the lock file in a directory.
    private func lockDescriptors(_ directory: String) throws -> [Int32] {
        try LocalFileSystem().list("/proc/self/fd").compactMap { Int32($0) }.filter { descriptor in
            var target = [UInt8](repeating: 0, count: 4096)
            let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
            return count > 0 && String(decoding: target.prefix(count), as: UTF8.self) == "\(directory)/LOCK"
        }
    }

    private func bytes(of file: any File) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
        let result = bytes.withUnsafeMutableBytes { buffer in Result { try file.readFully(into: buffer, at: 0) } }
        try result.get()
        return bytes
    }

    private func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
        let directory = TemporaryDirectory()
        try withExtendedLifetime(directory) { try body(directory.path) }
    }
}
