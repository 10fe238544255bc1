import FoundationEssentials
import Storage
import TestSupport
import Testing

@testable import Database

@Suite("Data directories of every version")
struct StoredDirectoryTests {
    /// A copy to work with: what is in the tree is never changed.
    private func copy(_ name: String) throws -> TemporaryDirectory {
        let directory = TemporaryDirectory()
        for (file, bytes) in try StoredDirectory.files(of: name) { try directory.write(file, bytes) }
        return directory
    }

    @Test("there is one for each version of the format")
    func versions() {
        let records = (1...6).map { "records-\($0)" }
        #expect(StoredDirectory.names == records + ["segments-2", "snapshots-1", "snapshots-2"])
    }

    @Test("open with all that they held, more than once, and take changes", arguments: StoredDirectory.names)
    func opens(name: String) throws {
        let directory = try copy(name)
        let state = try StoredDirectory.state(of: name)
        #expect(state.split(separator: "\n").count > 5)

        for _ in 0..<2 {
            let database = try Database(directory: directory.path, builderThreads: 0)
            #expect(try database.text() == state)
            #expect(try database.verify().isIntact)
            try database.close()
        }

        let database = try Database(directory: directory.path, builderThreads: 0)
        let last = database.lastSequence
        _ = try database.takeSnapshot()
        #expect(try database.makeLibrary() != .number(0))
        #expect(database.lastSequence == last.next)
        try database.close()
        #expect(try Verification.ofDirectory(directory.path).isIntact)
    }

    @Test("are intact, and a start of them repairs, cuts and builds nothing", arguments: StoredDirectory.names)
    func intact(name: String) throws {
        let directory = try copy(name)

        #expect(try Verification.ofDirectory(directory.path).isIntact)
        #expect(try Repair(directory: directory.path) == nil)
        let database = try Database(directory: directory.path, builderThreads: 0)
        #expect(database.recovery.truncatedBytes == 0 && database.recovery.sealed)
        #expect(database.loaded.refused.isEmpty && database.loaded.rebuiltIndexes == 0 && database.loaded.rebuiltTextIndexes == 0)
        try database.close()
    }

    @Test("of a version to come are refused, and not a byte or a time of theirs changes", arguments: StoredDirectory.names)
    func newer(name: String) throws {
        let directory = try copy(name)
        for file in try directory.names() where file != "CURRENT" {
            var bytes = try contents(of: directory / file)
            bytes[8] = 3
            let checksum = crc32c(Array(bytes[..<60]))
            bytes.replaceSubrange(60..<64, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) })
            try directory.write(file, bytes)
        }
        let before = try Files(in: directory)

        for _ in 0..<2 {
            #expect {
                _ = try Database(directory: directory.path)
            } throws: {
                if case .unsupportedFormat(_, 3, 0) = $0 as? StorageError { true } else { false }
            }
        }

        #expect(try Files(in: directory) == before)
    }

    /// CRC-32C by its definition (RFC 3720, appendix B.4).
    private func crc32c(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0 as UInt32) { checksum, byte in
            (0..<8).reduce(checksum ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
        }
    }

    private struct Files: Equatable {
        var bytes: [String: [UInt8]] = [:]
        var times: [String: Date] = [:]

        init(in directory: TemporaryDirectory) throws {
            for name in try directory.names() where name != DirectoryLock.fileName {
                bytes[name] = try contents(of: directory / name)
                times[name] = try FileManager.default.attributesOfItem(atPath: directory / name)[.modificationDate] as? Date
            }
        }
    }

    @Test("the next one is written when it is asked for", .enabled(if: StoredDirectory.newDirectory != nil))
    func makesNext() throws {
        try StoredDirectory.make(in: try #require(StoredDirectory.newDirectory))
    }
}
