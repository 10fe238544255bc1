import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// A file system that believes to have space which the disk below it has not: a sparse image on a small tmpfs. Proves with a real kernel
/// what the simulated disk does with a simulated one: it reports a failed sync once, holds the lost pages for written, and shows them.
@Suite("Faults: pages that a real file system loses", .enabled("needs root, a loop device and mkfs.ext4") { ThinDisk.isAvailable })
struct LostPagesTests {
    @Test("writes are answered with 503 from the first failed sync on, and all that were acknowledged, before and after, are on the disk")
    func failedSync() throws {
        var chance = SplitMix(seed: seed("lost pages", standard: 11))
        let disk = try ThinDisk()
        let library = try disk.quire.createVectorLibrary()
        var acknowledged: [Oracle.Document] = []
        func put() throws -> Int {
            var document = chance.document(chunks: 1, dimension: Load.dimension)
            document.chunks[0].text += String(repeating: ".", count: 9000)
            let status = try disk.quire.put(document, in: library).status
            if status == 201 { acknowledged.append(document) }
            return status
        }
        for _ in 1...10 { #expect(try put() == 201) }

        try disk.fill()
        var last = 201
        while last == 201, acknowledged.count < 2000 { last = try put() }
        #expect(last == 503)
        let before = acknowledged.count
        for _ in 1...20 { _ = try put() }
        try disk.free()
        disk.quire.signalServer(SIGHUP)
        try disk.quire.waitUntilReady()
        for _ in 1...5 { #expect(try put() == 201) }
        #expect(disk.quire.log.contains("exit code 70: its storage failed"))

        // What the page cache alone has goes; the next responder reads what the disk has.
        try disk.dropCaches()
        try disk.quire.killResponder(restartingAtOnce: true)
        var missing = 0
        for document in acknowledged where try disk.quire.document(document.id) != document { missing += 1 }
        #expect(missing == 0)
        report("acknowledged documents on a file system that lost pages, missing", "\(missing) of \(acknowledged.count)")
        #expect(before > 10)
    }
}

/// ext4 without a journal on a sparse file of 64 MiB, on a tmpfs of 6 MiB, for the data of one Quire. Nobody sees it but the server's
/// processes, and others through /proc. It goes with them.
private struct ThinDisk {
    let quire: QuireInstance
    private var below: String { quire.dataDirectoryOfServer + ".below" }

    private static let makeFileSystem = "/usr/sbin/mkfs.ext4"

    static var isAvailable: Bool {
        geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0 && access(makeFileSystem, X_OK) == 0
    }

    init() throws {
        let mount = """
            set -e; data=$VECTOR_DB_DATA_DIR below=$VECTOR_DB_DATA_DIR.below
            mkdir -p "$data" "$below"
            mount -t tmpfs -o size=6m none "$below"
            truncate -s 64M "$below/image"
            \(Self.makeFileSystem) -q -O ^has_journal -m 0 "$below/image"
            mount -o loop "$below/image" "$data"
            exec "$@"
            """
        quire = try QuireInstance(
            noModel.merging(["DISK_RESERVE_BYTES": "1048576"]) { $1 },
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
}
