import Glibc
import StorageTestSupport
import TestSupport
import Testing

@testable import Storage

@Suite("Snapshot files")
struct SnapshotFileTests {
    /// Sections of several sizes, among them an empty one and one that needs padding.
    private static let sections: [(type: UInt16, payload: [UInt8])] = (1...6).map { (UInt16($0), payload($0 * 5)) } + [(7, [])]

    private func write(
        _ fileSystem: SimulatedFileSystem, sequence: Int = 1, sections: [(type: UInt16, payload: [UInt8])] = sections
    ) throws(StorageError) -> Snapshots.Info {
        try Snapshots(directory: directory, fileSystem: fileSystem).write(
            SequenceNumber(rawValue: UInt64(sequence)), of: testID, madeAt: 1_700_000_000_000
        ) { (writer) throws(StorageError) in
            for section in sections { try writer.write(type: section.type, isSkippable: section.type == 7, section.payload) }
        }
    }

    private func read(_ fileSystem: SimulatedFileSystem, _ name: String) throws(StorageError) -> [SnapshotSection] {
        let reader = try Snapshots(directory: directory, fileSystem: fileSystem).open(name)
        var sections: [SnapshotSection] = []
        while let section = try reader.next() { sections.append(section) }
        return sections
    }

    @Test("gives back what was written, and says of what and when")
    func roundTrip() throws {
        let fileSystem = SimulatedFileSystem()

        let info = try write(fileSystem, sequence: 42)

        let found = try read(fileSystem, info.name)
        #expect(found.map(\.type) == Self.sections.map(\.type))
        #expect(found.map(\.payload) == Self.sections.map(\.payload))
        #expect(found.map(\.isSkippable) == [false, false, false, false, false, false, true])
        #expect(found.allSatisfy { $0.isIntact })
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        #expect(try snapshots.list() == [info])
        #expect(info.bytes == UInt64(fileSystem.files["data/\(info.name)"]!.count))
        let reader = try snapshots.open(info.name)
        #expect(reader.databaseID == testID)
        #expect(reader.sequence.rawValue == 42)
    }

    @Test("writes what is larger than a section as several")
    func large() throws {
        let fileSystem = SimulatedFileSystem()
        let bytes = [UInt8](repeating: 7, count: SnapshotSection.maximumPayloadLength + 3)

        let info = try Snapshots(directory: directory, fileSystem: fileSystem).write(.zero.next, of: testID, madeAt: 0) {
            (writer) throws(StorageError) in
            try writer.writeAll(type: 9, bytes)
        }

        let found = try read(fileSystem, info.name)
        #expect(found.map(\.payload.count) == [SnapshotSection.maximumPayloadLength, 3])
        #expect(found.allSatisfy { $0.type == 9 && $0.isIntact })
    }

    @Test("a flipped bit at any byte is noticed, and spoils at most the payload that it is in")
    func flips() throws {
        let fileSystem = SimulatedFileSystem()
        let info = try write(fileSystem)
        let whole = fileSystem.files["data/\(info.name)"]!
        var refused = 0
        for offset in whole.indices {
            var bytes = whole
            bytes[offset] ^= 1 << UInt8(offset % 8)
            let damaged = SimulatedFileSystem(["data/\(info.name)": bytes])
            do {
                let found = try read(damaged, info.name)
                #expect(found.count { !$0.isIntact } == 1, "byte \(offset)")
                for (section, expected) in zip(found, Self.sections) where section.isIntact {
                    #expect(section.payload == expected.payload, "byte \(offset)")
                }
            } catch {
                #expect(error.category == .dataRefused, "byte \(offset): \(error)")
                refused += 1
            }
        }
        // The header of the file, and those of eight sections.
        #expect(refused == 64 + 8 * 24)
    }

    @Test("is refused when it is cut off at any byte")
    func truncation() throws {
        let fileSystem = SimulatedFileSystem()
        let info = try write(fileSystem)
        let whole = fileSystem.files["data/\(info.name)"]!
        for size in whole.indices {
            let damaged = SimulatedFileSystem(["data/\(info.name)": Array(whole.prefix(size))])
            #expect(throws: StorageError.self, "\(size) bytes") { try read(damaged, info.name) }
        }
    }

    @Test("a section of another snapshot is not taken for one of this")
    func foreignSection() throws {
        let (first, second) = (SimulatedFileSystem(), SimulatedFileSystem())
        let one = try write(first, sequence: 1)
        let two = try write(second, sequence: 2)
        var bytes = first.files["data/\(one.name)"]!
        let other = second.files["data/\(two.name)"]!
        bytes.replaceSubrange(64..<88, with: other[64..<88])

        #expect(throws: StorageError.self) { try read(SimulatedFileSystem(["data/\(one.name)": bytes]), one.name) }
    }

    @Test("a sequence number behind which no record can follow is refused")
    func lastSequence() throws {
        let path = "data/snapshot-18446744073709551615.snap"
        let bytes = SnapshotHeader(databaseID: testID, sequence: SequenceNumber(rawValue: .max), madeAt: 0).encoded().bytes

        #expect(
            throws: StorageError.damagedSnapshot(file: path, offset: 0, reason: "the snapshot header has an impossible sequence number")
        ) { try Snapshots(directory: directory, fileSystem: SimulatedFileSystem([path: bytes])).open("snapshot-18446744073709551615.snap") }
    }

    @Test("a newer format is refused as such")
    func newerFormat() throws {
        let fileSystem = SimulatedFileSystem()
        let info = try write(fileSystem)
        var bytes = fileSystem.files["data/\(info.name)"]!
        bytes.becomeVersion(2)

        #expect(throws: StorageError.unsupportedFormat(file: "data/\(info.name)", major: 2, minor: 0)) {
            try read(SimulatedFileSystem(["data/\(info.name)": bytes]), info.name)
        }
    }

    @Test("a start tries what CURRENT names, then the others, newest first; a damaged CURRENT changes nothing")
    func candidates() throws {
        let fileSystem = SimulatedFileSystem()
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        let names = try (1...3).map { try write(fileSystem, sequence: $0).name }
        #expect(try snapshots.candidates() == names.reversed())

        var files = fileSystem.files
        let whole = try #require(files["data/CURRENT"])
        for bit in 0..<8 * whole.count {
            files["data/CURRENT"]![bit / 8] = whole[bit / 8] ^ 1 << UInt8(bit % 8)
            #expect(try Snapshots(directory: directory, fileSystem: SimulatedFileSystem(files)).current() == .damaged, "bit \(bit)")
            #expect(try Snapshots(directory: directory, fileSystem: SimulatedFileSystem(files)).candidates() == names.reversed())
            files["data/CURRENT"] = whole
        }
        for count in 0..<whole.count {
            files["data/CURRENT"] = Array(whole[..<count])
            #expect(try Snapshots(directory: directory, fileSystem: SimulatedFileSystem(files)).candidates() == names.reversed())
        }
        files["data/CURRENT"] = nil
        #expect(try Snapshots(directory: directory, fileSystem: SimulatedFileSystem(files)).candidates() == names.reversed())
        // A crash after the third was renamed, before it was published.
        let published = SimulatedFileSystem()
        _ = try write(published, sequence: 2)
        files["data/CURRENT"] = published.files["data/CURRENT"]
        #expect(
            try Snapshots(directory: directory, fileSystem: SimulatedFileSystem(files)).candidates() == [names[1], names[2], names[0]])
    }

    @Test("the two newest are kept")
    func retention() throws {
        let fileSystem = SimulatedFileSystem()
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        #expect(try snapshots.removeOld() == nil)
        _ = try write(fileSystem, sequence: 5)
        // The log from its beginning is what stands in for a single one.
        #expect(try snapshots.removeOld() == nil)
        for sequence in [9, 12] { _ = try write(fileSystem, sequence: sequence) }

        #expect(try snapshots.removeOld()?.rawValue == 9)
        #expect(try snapshots.list().map(\.sequence.rawValue) == [9, 12])
    }

    @Test("without space there is no trace of it, and the one before is still the one to load")
    func noSpace() throws {
        let fileSystem = SimulatedFileSystem(capacity: 8192)
        let first = try write(fileSystem)

        let error = #expect(throws: StorageError.self) {
            try write(fileSystem, sequence: 2, sections: [(1, [UInt8](repeating: 1, count: 8192))])
        }

        guard case .insufficientSpace = error else { throw try #require(error) }
        #expect(fileSystem.files.keys.sorted() == ["data/CURRENT", "data/\(first.name)"])
        #expect(try Snapshots(directory: directory, fileSystem: fileSystem).candidates() == [first.name])
    }

    @Test("whatever call the power fails at, a whole snapshot is the one to load")
    func powerLoss() throws {
        let first = SimulatedFileSystem()
        _ = try write(first)
        let old = first.files
        var newIsLoaded = 0
        let losses = count("QUIRE_POWER_LOSSES", standard: 400)
        let firstSeed = seed("power losses, snapshots", standard: 0)
        for seed in (0..<losses).map({ firstSeed &+ UInt64($0) }) {
            var generator = SplitMix(seed: seed)
            let lastCall = Int.random(in: 1...45, using: &generator)
            let torn = Int.random(in: 0...700, using: &generator)
            let fileSystem = SimulatedFileSystem(old) { call in
                call.number < lastCall ? nil : call.number == lastCall ? .partial(torn, EIO) : .fail(EIO)
            }
            let succeeded: Bool
            do {
                _ = try write(fileSystem, sequence: 2)
                succeeded = true
            } catch {
                succeeded = false
            }
            let after = SimulatedFileSystem(fileSystem.filesAfterPowerLoss(&generator))
            let snapshots = Snapshots(directory: directory, fileSystem: after)
            try snapshots.removeTemporaryFiles()

            let loaded = try #require(try snapshots.candidates().first)
            #expect(try read(after, loaded).allSatisfy { $0.isIntact }, "seed \(seed)")
            let isNew = loaded.contains("2.snap")
            if succeeded { #expect(isNew, "seed \(seed): it was called written") }
            newIsLoaded += isNew ? 1 : 0
            #expect(after.files.keys.allSatisfy { !$0.hasSuffix(".tmp") })
        }
        #expect((losses / 10...losses * 9 / 10).contains(newIsLoaded))
    }
}
