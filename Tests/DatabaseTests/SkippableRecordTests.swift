import Storage
import TestSupport
import Testing

@testable import Database

@Suite("Records of a later version")
struct SkippableRecordTests {
    @Test("are left out when they may be, and the changes around them stay", arguments: [(99, 1), (3, 2), (255, 255)] as [(UInt8, UInt8)])
    func leftOut(type: UInt8, version: UInt8) throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try test.database.put(1, in: library, [chunk(1, [1, 0, 0, 0])])
        let before = try test.database.dump()
        try test.close()
        try append(to: test, type: type, version: version, flags: .skippable)

        try test.open()

        #expect(try test.database.dump().libraries == before.libraries)
        #expect(test.database.lastSequence == .number(3))
        // What is written behind it is read back as well.
        #expect(try test.database.put(2, in: library, [chunk(2, [0, 1, 0, 0])]).sequence == .number(4))
        let after = try test.database.dump()
        try test.reopen()
        #expect(try test.database.dump() == after)
    }

    @Test("are refused when they may not be left out", arguments: [(99, 1), (3, 2)] as [(UInt8, UInt8)])
    func refused(type: UInt8, version: UInt8) throws {
        let test = try TestDatabase()
        _ = try test.database.makeLibrary()
        try test.close()
        // Other flags do not make it skippable.
        try append(to: test, type: type, version: version, flags: RecordFlags(rawValue: 0xfffe))

        #expect {
            try test.open()
        } throws: { error in
            guard case .damaged(_, _, let sequence, let reason, _) = error as? StorageError, sequence == .number(2) else { return false }
            return reason == "unknown record type \(type), version \(version)"
        }
    }

    @Test("a flag does not excuse a payload of a known type that makes no sense")
    func malformed() throws {
        let test = try TestDatabase()
        try test.close()
        try append(to: test, type: 3, version: 1, flags: .skippable)

        #expect(throws: StorageError.self) { try test.open() }
    }

    private func append(to test: TestDatabase, type: UInt8, version: UInt8, flags: RecordFlags) throws {
        let log = try WriteAheadLog.open(
            directory: test.directory.path, fileSystem: test.fileSystem, policy: .os, replay: { _ in })
        _ = try log.append(type: type, version: version, flags: flags, payload: [1, 2, 3])
        try log.close()
    }
}
