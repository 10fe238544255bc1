import FoundationEssentials
import Glibc
import TestSupport

/// A small disk for the data of one Quire: a tmpfs that nobody sees but the server's processes, and others through /proc. It goes with
/// them. No rights are needed to make one.
struct SmallDisk {
    let quire: QuireInstance
    private var filler: String { quire.dataDirectoryOfServer + "/filler" }

    init(megabytes: Int, _ settings: [String: String] = [:]) throws {
        let mount = #"mkdir -p "$VECTOR_DB_DATA_DIR" && mount -t tmpfs -o size=\#(megabytes)m none "$VECTOR_DB_DATA_DIR" && exec "#
        let (unshare, become) =
            geteuid() == 0
            ? (["--mount"], "")
            // Root of a namespace of its own may mount; the server is the user that started it again.
            : (["--map-root-user", "--mount"], "unshare --user --map-user=\(geteuid()) --map-group=\(getegid()) ")
        quire = try QuireInstance(
            noModel.merging(settings) { $1 },
            launcher: ["/usr/bin/unshare"] + unshare + ["/bin/sh", "-c", mount + become + #""$@""#, "sh"])
    }

    /// Takes space until this much is left.
    func fill(leaving bytes: Int) throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else { throw QuireInstance.Failed(what: "\(filler): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        while case let excess = freeBytes - bytes, excess > 0 {
            guard write(descriptor, zeros, min(zeros.count, excess)) > 0 else { return }
        }
    }

    /// Gives back what was taken.
    func free() throws {
        try FileManager.default.removeItem(atPath: filler)
    }

    private var freeBytes: Int {
        var status = statvfs()
        guard statvfs(quire.dataDirectoryOfServer, &status) == 0 else { return 0 }
        return Int(status.f_bavail) * Int(status.f_bsize)
    }

    /// The files of the data directory.
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectoryOfServer).sorted() }
}
