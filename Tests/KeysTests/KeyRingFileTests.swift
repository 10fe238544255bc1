import Glibc
import Storage
import StorageTestSupport
import TestSupport
import Testing

@testable import Keys

@Suite("The file of the key ring")
struct KeyRingFileTests {
    private let directory = TemporaryDirectory()

    private var file: KeyRingFile { KeyRingFile(directory / "keys.json") }

    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o7777
    }

    @Test("is empty when it is not there, and is made for its owner alone, with the directories above it")
    func creation() throws {
        let file = KeyRingFile(directory / "a/b/keys.json")
        #expect(try file.read() == KeyRing())

        let credential = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) }

        #expect(try file.read().access(of: credential, at: noon).right == .read)
        #expect(try mode(file.path) == 0o600 && mode(file.path + ".lock") == 0o600)
        #expect(try mode(directory / "a/b") == 0o700)
    }

    @Test("is replaced whole, and left as it was by a change that fails")
    func replacement() throws {
        let first = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) }
        // What a kill has left of a change before.
        try directory.write("keys.json.tmp", "half of a key r")
        chmod(directory / "keys.json", 0o400)
        let before = try contents(of: file.path)

        let unknown = KeyID.random()
        #expect(throws: KeysError.unknownKey(unknown)) { try file.update { ring throws(KeysError) in try ring.revoke(unknown) } }
        #expect(try contents(of: file.path) == before)
        _ = try file.update { ring throws(KeysError) in try ring.create(name: "l", right: .read, at: noon) }

        #expect(try file.read().count == 2 && file.read().refusal(of: first) == nil)
        #expect(try mode(file.path) == 0o600)
        #expect(try directory.names() == ["keys.json", "keys.json.lock"])
    }

    @Test("is refused when it is damaged, and not replaced")
    func damage() throws {
        _ = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) }
        let whole = try contents(of: file.path)

        for length in 0..<whole.count - 2 {
            try directory.write("keys.json", whole.prefix(length))
            guard case .damaged = file.problem else { Issue.record("\(length) bytes of it are taken for a ring"); continue }
        }
        #expect(throws: KeysError.self) { try file.update { $0 = KeyRing() } }
        #expect(try contents(of: file.path) == Array(whole.prefix(whole.count - 3)))
        try directory.write("keys.json", [UInt8](repeating: 0x20, count: (16 << 20) + 1))
        #expect(file.problem == .damaged(path: file.path, reason: "it is larger than any"))
    }

    @Test("is refused when others may write it, when it is no file, and when it cannot be read")
    func exposure() throws {
        _ = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) }
        for mode: mode_t in [0o620, 0o602, 0o666] {
            chmod(file.path, mode)
            #expect(file.problem == .exposed(path: file.path))
        }
        chmod(file.path, 0o644)
        #expect(file.problem == nil)

        unlink(file.path)
        mkfifo(file.path, 0o600)
        #expect(file.problem == .damaged(path: file.path, reason: "it is no file"))
        unlink(file.path)
        symlink("keys.json", file.path)
        #expect(file.problem == .storage(.ioFailed(operation: "stat", path: file.path, errno: ELOOP)))
        #expect(throws: KeysError.self) { try file.status() }
        for error in [file.problem!, .damaged(path: "/p", reason: "r"), .exposed(path: "/p")] {
            #expect(!error.summary.contains("/") && error.description.contains("/"))
        }
    }

    @Test("cannot be written where nothing can, and leaves nothing behind")
    func unwritable() throws {
        try directory.write("plain", "")
        let below = KeyRingFile(directory / "plain/more/keys.json")
        #expect(throws: KeysError.storage(.ioFailed(operation: "mkdir", path: directory / "plain/more", errno: ENOTDIR))) {
            try below.update { _ in }
        }

        mkdir(file.path, 0o700)
        #expect(throws: KeysError.self) { try file.update { _ in } }
        rmdir(file.path)
        mkdir(directory / "keys.json.tmp", 0o700)
        #expect(throws: KeysError.storage(.ioFailed(operation: "open", path: file.path + ".tmp", errno: EISDIR))) {
            try file.update { _ in }
        }
        rmdir(directory / "keys.json.tmp")
        symlink("elsewhere", directory / "keys.json.tmp")
        #expect(throws: KeysError.storage(.ioFailed(operation: "open", path: file.path + ".tmp", errno: ELOOP))) {
            try file.update { _ in }
        }
        unlink(file.path + ".lock")
        symlink("elsewhere", file.path + ".lock")
        #expect(throws: KeysError.storage(.ioFailed(operation: "open", path: file.path + ".lock", errno: ELOOP))) {
            try file.update { _ in }
        }
        #expect(try !directory.names().contains("elsewhere"))
    }

    @Test("belongs to whom it belonged to, or its directory, when root writes it", .enabled(if: geteuid() == 0))
    func ownership() throws {
        func owner() throws -> uid_t {
            var status = stat()
            try #require(stat(file.path, &status) == 0)
            return status.st_uid
        }
        chown(directory.path, 65_534, 65_534)
        try file.update { _ in }
        #expect(try owner() == 65_534)
        chown(file.path, 1, 1)
        try file.update { _ in }
        #expect(try owner() == 1)
    }

    @Test("has what a command has answered after a power loss, and the ring before or after a change that was cut off", arguments: 1...200)
    func powerLoss(seed: UInt64) throws {
        var generator = SplitMix(seed: seed)
        let failing = Int.random(in: 1...60, using: &generator)
        let fault: SimulatedFileSystem.Fault = [.fail(EIO), .partial(40, EIO), .short(7)].randomElement(using: &generator)!
        let disk = SimulatedFileSystem { $0.number == failing ? fault : nil }
        // The lock is a real file.
        let file = KeyRingFile(directory / "keys.json", on: disk)
        var answered = KeyRing()
        var cutOff: KeyRing?
        for _ in 0..<4 where cutOff == nil {
            var next = answered
            do throws(KeysError) {
                _ = try file.update { ring throws(KeysError) in
                    let credential = try ring.create(name: "k", right: .read, at: noon)
                    next = ring
                    return credential
                }
                answered = next
            } catch {
                cutOff = next
            }
        }

        let found = try KeyRingFile(file.path, on: SimulatedFileSystem(disk.filesAfterPowerLoss(&generator))).read()

        #expect(found == answered || found == cutOff)
    }

    @Test("is on disk with the directories above it, which are synced as long as there is no ring")
    func directoriesAreSynced() throws {
        let synced = Shared<[String]>([])
        let disk = SimulatedFileSystem { call in
            if call.operation == .synchronizeDirectory { synced.update { $0.append(call.path) } }
            return nil
        }
        let file = KeyRingFile(directory / "keys.json", on: disk)

        try file.update { _ in }
        let first = synced.current
        try file.update { _ in }

        let names = directory.path.split(separator: "/")
        #expect(first == names.indices.map { "/" + names[..<$0].joined(separator: "/") } + [directory.path])
        #expect(synced.current == first + [directory.path])
    }

    @Test("loses no change of several who make one at the same time")
    func concurrency() throws {
        let file = file

        try onThreads(4) { _ in
            for _ in 0..<25 { _ = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) } }
        }

        #expect(try file.read().count == 100)
    }
}
