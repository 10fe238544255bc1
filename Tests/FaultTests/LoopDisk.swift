import Database
import FoundationEssentials
import Glibc
import Storage
import TestSupport
import Testing

/// A disk that a real file system finds faults with: ext4 without a journal on a sparse file of 64 MiB, on a tmpfs of its own, for the data
/// of one Quire. Nobody sees it but the server's processes, and others through /proc. It goes with them.
struct LoopDisk {
    let quire: QuireInstance
    private let directory = TemporaryDirectory()
    private var below: String { quire.dataDirectoryOfServer + ".below" }

    private static let makeFileSystem = "/usr/sbin/mkfs.ext4"

    static var isAvailable: Bool {
        geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0 && access(makeFileSystem, X_OK) == 0
    }

    /// - Parameters:
    ///   - megabytesBelow: what the tmpfs has. With less than 64 the file system believes to have space which the disk below it has not.
    ///   - faults: lines for the library that CFaultInjection is.
    init(megabytesBelow: Int, faults: [String] = []) throws {
        let mount = """
            set -e; data=$VECTOR_DB_DATA_DIR below=$VECTOR_DB_DATA_DIR.below
            mkdir -p "$data" "$below"
            mount -t tmpfs -o size=\(megabytesBelow)m none "$below"
            truncate -s 64M "$below/image"
            \(Self.makeFileSystem) -q -O ^has_journal -m 0 "$below/image"
            mount -o loop,errors=\(megabytesBelow < 64 ? "continue" : "remount-ro") "$below/image" "$data"
            exec "$@"
            """
        let environment = faults.isEmpty ? [:] : try Faults.environment(directory / "faults", faults)
        quire = try QuireInstance(
            noModel.merging(["DISK_RESERVE_BYTES": "1048576"]) { $1 }.merging(environment) { $1 },
            launcher: ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount, "sh"])
    }

    /// Takes all space below the file system.
    func fill() throws {
        let descriptor = open(below + "/filler", O_WRONLY | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw QuireInstance.Failed(what: "\(below)/filler: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        while write(descriptor, zeros, zeros.count) > 0 {}
    }

    func free() throws {
        try FileManager.default.removeItem(atPath: below + "/filler")
    }

    /// Has the kernel forget the pages of the data that it holds for written.
    func dropCaches() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectoryOfServer) {
            let descriptor = open("\(quire.dataDirectoryOfServer)/\(name)", O_RDONLY)
            guard descriptor >= 0 else { continue }
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            close(descriptor)
        }
    }

    /// Has the kernel find an error in the file system, which is read-only then, for good: `mount -o remount,ro` is refused as long as a
    /// file is open for writing.
    func makeReadOnly() throws {
        let file = FileManager.default.contents(atPath: "/proc/\(try #require(quire.responder))/mountinfo")
        let mounts = String(decoding: try #require(file), as: UTF8.self)
        let line = try #require(mounts.split(separator: "\n").first { $0.contains(" \(quire.dataDirectory) ") })
        let device = try #require(line.split(separator: " ").first { $0.hasPrefix("/dev/loop") })
        try Data("1".utf8).write(to: URL(filePath: "/sys/fs/ext4/\(device.dropFirst("/dev/".count))/trigger_fs_error"))
    }

    /// The ids of the documents that a start would find on the disk; none if it would refuse what is there.
    func documentsOnDisk() throws -> Set<String> {
        let copy = directory / "copy"
        try FileManager.default.copyItem(atPath: quire.dataDirectoryOfServer, toPath: copy)
        guard let database = try? Database(directory: copy, durability: .os) else { return [] }
        defer { #expect(throws: Never.self) { try database.close() } }
        var found: Set<String> = []
        for library in database.libraries(after: nil, limit: 1000).elements {
            for document in try database.documents(in: library.record.id, after: nil, limit: 10_000).elements {
                found.insert("\(document.id)")
            }
        }
        return found
    }
}
