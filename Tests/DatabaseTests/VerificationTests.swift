import StorageTestSupport
import TestSupport
import Testing

@testable import Database
@testable import Storage
@testable import VectorSearch

@Suite("Verification")
struct VerificationTests {
    private func makeDatabase(_ index: IndexKind = .hnsw) throws -> (test: TestDatabase, library: LibraryID) {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(index))
        try test.database.fill(library, count: 300)
        try test.database.waitUntilIndexed(library)
        return (test, library)
    }

    private func component(_ kind: CheckedComponent.Kind, of verification: Verification) throws -> CheckedComponent {
        try #require(verification.components.first { $0.kind == kind })
    }

    // MARK: Offline

    @Test("reads every file and loads what a start would, in numbers, and changes nothing")
    func offline() throws {
        let (test, library) = try makeDatabase()
        _ = try test.database.takeSnapshot()
        try test.database.deleteDocument(.number(0))
        try test.database.waitUntilIndexed(library)
        _ = try test.database.takeSnapshot()
        try test.database.put(900, in: library, [chunk(900, [1, 2, 3, 4])])
        try test.close()
        let names = try test.directory.names()

        let verification = try Verification.ofDirectory(test.directory.path)

        #expect(verification.isIntact)
        #expect(verification.components.map(\.kind) == [.current, .snapshot, .snapshot, .segment, .segment, .state, .library, .index])
        #expect(try component(.snapshot, of: verification).figure(.sections) == 5)
        #expect(verification.components.filter { $0.kind == .segment }.map { $0.figure(.records) } == [1, 1])
        let state = try component(.state, of: verification)
        #expect(state.figure(.libraries) == 1 && state.figure(.documents) == 3 && state.figure(.records) == 1)
        #expect(state.figure(.chunks) == 201 && state.figure(.vectors) == 201)
        let index = try component(.index, of: verification)
        #expect(index.figure(.rows) == 200 && index.figure(.links) > 200 && index.figure(.outOfBounds) == 0)
        #expect(try test.directory.names() == names)
        try test.open()
    }

    @Test("a flipped bit anywhere in a file that a database has is found, and so is what a start would be refused for")
    func flips() throws {
        let (test, _) = try makeDatabase()
        _ = try test.database.takeSnapshot()
        try test.database.deleteDocument(.number(0))
        _ = try test.database.takeSnapshot()
        try test.close()
        var files: [String: [UInt8]] = [:]
        for name in try test.directory.names() where name != DirectoryLock.fileName {
            files[name] = try contents(of: test.directory / name)
        }
        let last = files.keys.filter(LogFiles.isSegment).max()!
        let step = count("QUIRE_VERIFY_FLIP_STEP", standard: 1024)
        var tried = 0

        // The current segment has no record: behind its header there are zeros, where a flip is a torn tail.
        for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
            for offset in stride(from: 0, to: name == last ? 64 : bytes.count, by: min(step, bytes.count / 2)) {
                var damaged = bytes
                damaged[offset] ^= 1 << UInt8(offset % 8)
                try test.directory.write(name, damaged)

                let verification = try Verification.ofDirectory(test.directory.path)

                #expect(verification.components.contains { $0.name == name && $0.damaged > 0 }, "\(name) byte \(offset)")
                tried += 1
            }
            try test.directory.write(name, bytes)
        }
        #expect(tried > 20)
        #expect(try Verification.ofDirectory(test.directory.path).isIntact)
        report("verify: flipped bits", "\(tried) of \(tried) found")
        try test.open()
    }

    @Test("a torn tail is no damage: it is counted, as a start would cut it")
    func tornTail() throws {
        let test = try TestDatabase()
        _ = try test.database.makeLibrary()
        try test.close()
        let log = "wal-0000000000000001.log"
        var bytes = try contents(of: test.directory / log)
        // Behind the record, its seal and 8 zeros.
        let end = bytes.count - bytes.reversed().prefix { $0 == 0 }.count
        bytes[(end + 7) & ~7 + 8] = 7
        try test.directory.write(log, bytes)

        let verification = try Verification.ofDirectory(test.directory.path)

        #expect(verification.isIntact)
        #expect(try component(.segment, of: verification).figure(.tornBytes) == 9)
        #expect(try component(.state, of: verification).figure(.tornBytes) == 9)
        #expect(try contents(of: test.directory / log) == bytes)
        try test.open()
    }

    // MARK: Online

    @Test("finds nothing in a database that works, whatever its index", arguments: IndexKind.allCases)
    func intact(kind: IndexKind) throws {
        let (test, library) = try makeDatabase(kind)
        try test.database.put(3, in: library, (0..<5).map { chunk(5000 + $0, [1, 2, 3, 4]) })
        try test.database.deleteDocument(.number(100))

        let verification = try test.database.verify()

        #expect(verification.isIntact, "\(verification.components.flatMap(\.problems))")
        let content = try component(.library, of: verification)
        #expect(content.figure(.documents) == 3 && content.figure(.chunks) == 205 && content.figure(.vectors) == 201)
        let index = try component(.index, of: verification)
        #expect(index.figure(.outOfBounds) == 0)
        if kind != .bruteForce, kind != .auto { #expect(index.figure(.links) >= 200) }
    }

    @Test("finds what is damaged in memory")
    func plantedInMemory() throws {
        func problems(_ plant: (Library) throws -> Void) throws -> [String] {
            let (test, id) = try makeDatabase()
            try plant(try #require(test.database.repository.library(id)))
            let verification = try test.database.verify()
            #expect(!verification.isIntact)
            return verification.components.flatMap(\.problems)
        }

        #expect(try problems { $0.vectors.store.vectors.base[17] += 1 }.count == 1)
        #expect(try problems { _ = $0.vectors.store.insert([0.5, 0.5, 0.5, 0.25].span) }.contains { $0.contains("are counted") })
        #expect(try problems { $0.vectors.release(Row(5)) }.contains { $0.contains("held 1 times") })
        #expect(
            try problems { library in
                let graph = try #require(library.vectors.current.index as? HNSWIndex)
                graph.links(of: 7, on: 0)[1] = 1_000_000
            } == ["1 links lead to no row of the index"])
        #expect(
            try problems { library in
                let document = library.documents[1]
                library.restore(document)
            }.contains { $0.contains("documents are counted") })
    }

    @Test("finds files that are damaged or missing, and says which")
    func damagedFiles() throws {
        let (test, library) = try makeDatabase()
        let first = try test.database.takeSnapshot()
        try test.database.put(900, in: library, [chunk(900, [1, 2, 3, 4])])
        let second = try test.database.takeSnapshot()
        let finished = try #require(try test.directory.names().first(where: LogFiles.isSegment))
        for name in [first.name, second.name, finished] {
            var bytes = try contents(of: test.directory / name)
            bytes[bytes.count / 2] ^= 1
            try test.directory.write(name, bytes)
        }

        var verification = try test.database.verify()
        #expect(Set(verification.components.filter { $0.damaged > 0 }.map(\.name)) == [first.name, second.name, finished])

        for name in [second.name, finished] { try LocalFileSystem().remove(test.directory / name) }
        verification = try test.database.verify()
        #expect(Set(verification.components.filter { $0.damaged > 0 }.map(\.name)) == ["CURRENT", first.name, finished])
    }

    @Test("finds a snapshot under the name of another, and that none is named")
    func wrongNames() throws {
        let (test, library) = try makeDatabase()
        let first = try test.database.takeSnapshot()
        try test.database.put(900, in: library, [chunk(900, [1, 2, 3, 4])])
        let second = try test.database.takeSnapshot()
        try LocalFileSystem().rename(test.directory / first.name, to: test.directory / second.name)
        try LocalFileSystem().remove(test.directory / Snapshots.currentName)

        let problems = try test.database.verify().components.flatMap(\.problems)

        #expect(problems == ["it is missing, and there are snapshots", "it is of record \(first.sequence)"])
    }

    @Test("is not fooled by snapshots, rotations and changes beside it")
    func besideTraffic() throws {
        let test = try TestDatabase(syncs: .slow)
        let libraries = try [IndexKind.hnsw, .ivf].map { try test.database.makeLibrary(index: IndexConfiguration($0)) }
        let isOver = Shared(false)
        let writers = (0..<2).map { writer in
            Background {
                var generator = SplitMix(seed: UInt64(writer))
                var round = 0
                while !isOver.current {
                    let number = 100_000 * (writer + 1) + round
                    try test.database.put(number, in: libraries[round % 2], [chunk(number, generator.vector())])
                    if round % 3 == 2 { try test.database.deleteDocument(.number(number - 1)) }
                    round += 1
                }
            }
        }
        let maker = Background {
            while !isOver.current {
                let library = try test.database.makeLibrary()
                try test.database.put(7, in: library, [chunk(7, [1, 1, 1, 1])])
                _ = try test.database.takeSnapshot()
                try test.database.deleteLibrary(library)
            }
        }

        var (checked, wrong) = (0, 0)
        let rounds = count("QUIRE_VERIFICATIONS", standard: 30)
        for _ in 0..<rounds {
            let verification = try test.database.verify()
            #expect(verification.isIntact, "\(verification.components.flatMap(\.problems))")
            checked += verification.components.count
            wrong += verification.components.count { !$0.problems.isEmpty }
        }

        isOver.update { $0 = true }
        for writer in writers { try writer.value() }
        try maker.value()
        #expect(checked > 4 * rounds)
        report("verify beside traffic", "\(wrong) of \(checked) components wrongly called damaged")
    }
}
