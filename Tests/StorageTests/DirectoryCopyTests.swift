import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Copies of a directory")
struct DirectoryCopyTests {
    @Test("have every file but the lock, and are on disk")
    func copies() throws {
        let large = [UInt8](repeating: 3, count: 3 << 20)
        let files = ["data/a": [1, 2, 3], "data/b": large, "data/LOCK": [4], "other/c": [5]] as [String: [UInt8]]
        let fileSystem = SimulatedFileSystem(files)

        #expect(try fileSystem.copyDirectory("data", to: "copy").isEmpty)

        var generator = SplitMix(seed: 1)
        let after = fileSystem.filesAfterPowerLoss(&generator)
        #expect(after == files.merging(["copy/a": [1, 2, 3], "copy/b": large]) { $1 })
    }

    @Test("are not made where something is, and leave out what is no file")
    func refusals() throws {
        let (place, other) = (TemporaryDirectory(), TemporaryDirectory())
        try place.write("file", "x")
        let local = LocalFileSystem()
        _ = try local.makeDirectory(place / "directory")

        #expect(throws: StorageError.ioFailed(operation: "mkdir", path: place / "directory", errno: EEXIST)) {
            try local.copyDirectory(place.path, to: place / "directory")
        }
        #expect(try local.copyDirectory(place.path, to: other / "copy") == ["directory"])

        #expect(try local.list(other / "copy") == ["file"])
        #expect(try contents(of: other / "copy/file") == Array("x".utf8))
    }
}
