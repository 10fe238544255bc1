import FoundationEssentials
import Glibc
import Storage
import TestSupport
import Testing
import TextSearch
import VectorSearch

@testable import Database

@Suite("Snapshots")
struct SnapshotTests {
    /// Libraries of all kinds with a history of replaced and deleted documents, shared vectors and released rows.
    private func fillVariously(_ database: Database) throws {
        for (number, kind) in IndexKind.allCases.enumerated() {
            for quantization in kind.quantizations {
                let metric = Metric.allCases[number % Metric.allCases.count]
                let library = try database.makeLibrary(
                    "\(kind.rawValue) \(quantization.rawValue)", metric: metric, index: IndexConfiguration(kind, quantization: quantization)
                )
                let start = 10_000 * number + (quantization == .int8 ? 5000 : 0)
                try database.fill(library, count: 400, from: start, seed: UInt64(number))
                try database.put(start + 900, in: library, [chunk(start + 900, [1, 2, 3, 4]), chunk(start + 901, [1, 2, 3, 4])])
                try database.deleteDocument(.number(start + 100))
                try database.put(
                    start + 200, in: library, [chunk(start + 950, [4, 3, 2, 1], page: 7)], title: "replaced", onConflict: .replace)
                try database.waitUntilIndexed(library)
            }
        }
        let doomed = try database.makeLibrary("doomed")
        try database.put(99_000, in: doomed, [chunk(99_000, [1, 1, 1, 1])])
        try database.deleteLibrary(doomed)
        _ = try database.makeLibrary("empty")
    }

    @Test("a start from a snapshot gives the state that was written, and replays only what came later")
    func sameState() throws {
        let test = try TestDatabase()
        try fillVariously(test.database)
        let written = try test.database.dump()

        let info = try test.database.takeSnapshot()
        #expect(info.sequence == test.database.lastSequence)
        try test.reopen()

        #expect(test.database.loaded.snapshot == info.name)
        #expect(test.database.loaded.refused.isEmpty)
        #expect(test.database.loaded.rebuiltIndexes == 0 && test.database.loaded.rebuiltTextIndexes == 0)
        #expect(test.database.recovery.recordsReplayed == 0)
        #expect(try test.database.dump() == written)

        let library = written.libraries[0].record.id
        try test.database.put(99_500, in: library, [chunk(99_500, [9, 9, 9, 9])])
        try test.database.deleteDocument(.number(300))
        let later = try test.database.dump()
        for round in 1...2 {
            try test.reopen()

            #expect(test.database.recovery.recordsReplayed == 2, "round \(round)")
            #expect(try test.database.dump() == later, "round \(round)")
        }
    }

    @Test("indexes are there at once, and find what they found before")
    func indexes() throws {
        let test = try TestDatabase()
        try fillVariously(test.database)
        let libraries = test.database.listLibraries().map(\.record.id)
        var generator = SplitMix(seed: 3)
        let queries = (0..<20).map { _ in generator.vector() }
        func answers(_ database: Database) throws -> [[ChunkID]] {
            try libraries.flatMap { library in try queries.map { try database.find($0, in: library, count: 10) } }
        }
        let before = try answers(test.database)
        let kinds = try libraries.map { try test.database.indexStatus(of: $0).statistics.active }
        _ = try test.database.takeSnapshot()
        try test.close()

        // Nobody builds anything here.
        let idle = try Database(directory: test.directory.path, fileSystem: test.fileSystem, builderThreads: 0)
        defer { #expect(throws: Never.self) { try idle.close() } }

        for (library, kind) in zip(libraries, kinds) {
            let statistics = try idle.indexStatus(of: library).statistics
            #expect(statistics.active == kind)
            #expect(statistics.pending == 0)
        }
        #expect(try answers(idle) == before)
    }

    @Test("rows that were released while an index knew them are used again after a start")
    func releasedRows() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        try test.database.fill(library, count: 1000)
        try test.database.waitUntilIndexed(library)
        try test.database.deleteDocument(.number(0))
        _ = try test.database.takeSnapshot()
        try test.reopen()

        try test.database.deleteDocument(.number(100))
        try test.database.waitUntilIndexed(library)
        try test.database.fill(library, count: 200, from: 2000, seed: 9)

        let vectors = try test.database.statistics(of: library).vectors
        #expect(vectors.uniqueVectors == 1000)
        // What was given back before the last two hundred came was enough for them, or nearly.
        #expect(vectors.capacity <= 1100)
    }

    @Test("a damaged snapshot is put aside: the one before it and the log say the same")
    func fallsBack() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try test.database.fill(library, count: 200)
        let old = try test.database.takeSnapshot()
        try test.database.fill(library, count: 100, from: 500, seed: 2)
        let new = try test.database.takeSnapshot()
        try test.database.deleteDocument(.number(0))
        let state = try test.database.dump()
        try test.close()
        try flip(new.name, in: test, at: Int(new.bytes) / 2)

        try test.open()

        #expect(test.database.loaded.snapshot == old.name)
        #expect(test.database.loaded.refused.count == 1)
        #expect(test.database.recovery.recordsReplayed == 2)
        #expect(try test.database.dump() == state)
        #expect(try test.directory.names().contains("\(new.name).damaged"))
        // It is not among the two that count.
        let next = try test.database.takeSnapshot()
        #expect(try test.database.listSnapshots().map(\.name) == [old.name, next.name])
    }

    @Test("without any intact snapshot, and with a log that no longer has everything, nothing is opened or changed")
    func refuses() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        for round in 0..<3 {
            try test.database.fill(library, count: 100, from: 1000 * round)
            _ = try test.database.takeSnapshot()
        }
        let snapshots = try test.database.listSnapshots()
        #expect(snapshots.count == 2)
        try test.close()
        for snapshot in snapshots { try flip(snapshot.name, in: test, at: Int(snapshot.bytes) / 2) }
        let before = try files(of: test)

        let error = #expect(throws: StorageError.self) { try test.open() }

        guard case .damagedSnapshot = error else { throw try #require(error) }
        #expect(try files(of: test) == before)
    }

    @Test("rows that the file has no vectors for are refused before they are given memory")
    func impossibleRows() throws {
        let before = peakMemory()

        #expect(throws: StorageError.self) { try loadLibrary(created: 1, changed: 1, rows: UInt32(VectorStore.maxRows)) }

        // They would be eight gibibytes; other tests take some of it meanwhile.
        #expect(peakMemory() - before < 4 << 30)
    }

    @Test("what was created or changed after the snapshot is refused", arguments: [(1, 2), (2, 2), (2, 1)] as [(Int64, Int64)])
    func laterThanItself(created: Int64, changed: Int64) throws {
        #expect(throws: Never.self) { try loadLibrary(created: 1, changed: 1, rows: 0) }

        #expect(throws: StorageError.self) { try loadLibrary(created: created, changed: changed, rows: 0) }
    }

    /// Writes a snapshot of sequence 1 with one library, as it may be written by somebody else, and loads it.
    private func loadLibrary(created: Int64, changed: Int64, rows: UInt32) throws {
        let directory = TemporaryDirectory()
        let snapshots = Snapshots(directory: directory.path, fileSystem: LocalFileSystem())
        var library = BinaryWriter()
        library.write(
            LibraryRecord(
                id: .number(1), name: "", description: nil, metric: .l2, dimension: 1, model: "", index: IndexConfiguration(.bruteForce),
                createdAt: Timestamp(milliseconds: 0)))
        for number in [created, changed, 0] { library.write(number) }
        for number in [0, rows] { library.write(number) }
        let info = try snapshots.write(.number(1), of: .random(), madeAt: 0) { (writer) throws(StorageError) in
            try writer.write(type: SnapshotCoding.SectionType.library.rawValue, library.bytes)
        }
        var loader = SnapshotLoader(try snapshots.open(info.name), into: Repository(builder: IndexBuilder(threads: 0)))
        try loader.load()
    }

    /// Of this process, in bytes.
    private func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }

    @Test("a damaged index is built again, and nothing else is lost")
    func damagedIndex() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        try test.database.fill(library, count: 1000)
        try test.database.waitUntilIndexed(library)
        let state = try test.database.dump()
        let info = try test.database.takeSnapshot()
        try test.close()
        // The index is the last section before the end, which has 24 bytes.
        try flip(info.name, in: test, at: Int(info.bytes) - 1000)

        try test.open()

        #expect(test.database.loaded.snapshot == info.name)
        #expect(test.database.loaded.rebuiltIndexes == 1)
        #expect(try test.database.dump() == state)
        try test.database.waitUntilIndexed(library)
        #expect(try test.database.indexStatus(of: library).statistics.indexed == 1000)
    }

    enum TextDamage: CaseIterable {
        case flipped, ofOtherVersion, ofOtherSlots, empty
    }

    @Test(
        "an index of texts that is damaged or of another version is made again from the texts, and that is said",
        arguments: TextDamage.allCases)
    func damagedTexts(_ damage: TextDamage) throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try fillWithTexts(test.database, library)
        let state = try test.database.dump()
        let info = try test.database.takeSnapshot()
        try test.close()
        switch damage {
        case .flipped: try flip(info.name, in: test, at: try offsetOfTexts(info, in: test) + 100)
        case .ofOtherVersion: try rewriteTexts(info, in: test) { $0[0] += 1 }
        case .ofOtherSlots:
            let other = TextIndex()
            other.insert("a fox", at: 1000)
            try rewriteTexts(info, in: test) { $0 = other.encoded(slotOrdinals: (0...1000).map { $0 }) }
        case .empty: try rewriteTexts(info, in: test) { $0 = [1] }
        }

        let verification = try Verification.ofDirectory(test.directory.path)
        try test.open()

        #expect(test.database.loaded.snapshot == info.name && test.database.loaded.refused.isEmpty)
        #expect(test.database.loaded.rebuiltTextIndexes == 1 && test.database.loaded.rebuiltIndexes == 0)
        #expect(try test.database.dump() == state)
        let problems = verification.components.first { $0.kind == .state }?.problems
        #expect(problems == ["an index of texts is damaged, or of another version; a start makes it again from the texts"])
    }

    @Test("an index of other texts, with checksums that hold, is what a test that compares dumps would see")
    func plantedTexts() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try fillWithTexts(test.database, library)
        let state = try test.database.dump()
        let info = try test.database.takeSnapshot()
        try test.close()
        let other = TextIndex()
        for (slot, chunk) in state.libraries[0].documents.flatMap(\.chunks).enumerated() {
            other.insert(slot == 7 ? "a badger" : chunk.text, at: UInt32(slot))
        }
        try rewriteTexts(info, in: test) { $0 = other.encoded(slotOrdinals: (0..<UInt32(other.count)).map { $0 }) }

        try test.open()

        #expect(test.database.loaded.refused.isEmpty && test.database.loaded.rebuiltTextIndexes == 0)
        let found = try test.database.dump()
        #expect(found != state && found.libraries[0] != found.libraries[0].withExpectedSearch())
        #expect(found.libraries[0].documents == state.libraries[0].documents && found.libraries[0].flaws.isEmpty)
    }

    private func offsetOfTexts(_ info: Snapshots.Info, in test: TestDatabase) throws -> Int {
        let reader = try Snapshots(directory: test.directory.path, fileSystem: test.fileSystem).open(info.name)
        while let section = try reader.next() {
            if section.type == SnapshotCoding.SectionType.texts.rawValue { return Int(section.offset) }
        }
        return try #require(nil as Int?)
    }

    /// Writes the snapshot anew, with other bytes of the index of texts.
    private func rewriteTexts(_ info: Snapshots.Info, in test: TestDatabase, _ change: (inout [UInt8]) -> Void) throws {
        let snapshots = Snapshots(directory: test.directory.path, fileSystem: test.fileSystem)
        let reader = try snapshots.open(info.name)
        var sections: [(SnapshotSection, [UInt8])] = []
        while let section = try reader.next() {
            var payload = section.payload
            if section.type == SnapshotCoding.SectionType.texts.rawValue { change(&payload) }
            sections.append((section, payload))
        }
        #expect(sections.contains { $0.0.payload != $0.1 })
        _ = try snapshots.write(reader.sequence, of: reader.databaseID, madeAt: 0) { (writer) throws(StorageError) in
            for (section, payload) in sections {
                try writer.write(type: section.type, isSkippable: section.isSkippable, payload)
            }
        }
    }

    enum Damage: CaseIterable {
        case flipped, cutOff
    }

    @Test(
        "a newest snapshot with a flipped bit anywhere, or cut off anywhere, changes nothing that is read or found, by vectors and words",
        arguments: Damage.allCases, 0..<2)
    func damaged(_ damage: Damage, part: Int) throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        try fillWithTexts(test.database, library)
        try test.database.waitUntilIndexed(library)
        let info = try test.database.takeSnapshot()
        let state = try test.database.dump()
        #expect(state.libraries[0] == state.libraries[0].withExpectedSearch())
        try test.close()
        let kept = try files(of: test)
        let step = count("QUIRE_SNAPSHOT_FLIP_STEP", standard: 32)
        for offset in stride(from: part * step, to: Int(info.bytes), by: 2 * step) {
            for name in try test.directory.names() where kept[name] == nil {
                try FileManager.default.removeItem(atPath: test.directory / name)
            }
            for (name, bytes) in kept { try test.directory.write(name, bytes) }
            switch damage {
            case .flipped: try flip(info.name, in: test, at: offset)
            case .cutOff: try test.directory.write(info.name, Array(kept[info.name]![..<offset]))
            }

            try test.open()

            #expect(try test.database.dump() == state, "byte \(offset)")
            let loaded = test.database.loaded
            #expect(
                !loaded.refused.isEmpty || loaded.rebuiltIndexes + loaded.rebuiltTextIndexes == 1, "byte \(offset): it was not noticed")
            try test.close()
        }
    }

    /// Thirty chunks whose texts share some of their words, one of them replaced and one of them gone.
    private func fillWithTexts(_ database: Database, _ library: LibraryID) throws {
        let words = ["a fox", "two foxes", "the river bank", "stones", "a stone in the river", ""]
        var generator = SplitMix(seed: 1)
        for document in 0..<10 {
            let chunks = (0..<3).map { number in
                chunk(3 * document + number, generator.vector(), text: "\(words[(document + number) % words.count]) \(document)")
            }
            _ = try database.putDocument(id: .number(document), in: library, metadata: generator.metadata(), chunks: chunks)
        }
        try database.put(1, in: library, [chunk(100, generator.vector(), text: "another fox")], onConflict: .replace)
        try database.deleteDocument(.number(2))
    }

    @Test("the log gives up what no snapshot needs, and no more")
    func logIsShortened() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        var segments: [[String]] = []
        for round in 0..<4 {
            try test.database.fill(library, count: 100, from: 1000 * round)
            _ = try test.database.takeSnapshot()
            segments.append(try test.directory.names().filter { $0.hasPrefix("wal-") })
        }

        // The one before the first snapshot goes with the second; then one is between the two that are kept, and one is new.
        #expect(segments.map(\.count) == [2, 2, 2, 2])
        #expect(Set(segments.map(\.first)).count == 4)
        let state = try test.database.dump()
        try test.reopen()
        #expect(try test.database.dump() == state)
    }

    @Test("holds documents as large as a request may be")
    func largeDocument() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try test.database.put(1, in: library, [chunk(1, [1, 0, 0, 0])])
        let text = String(repeating: "x", count: 20 << 20)
        try test.database.put(2, in: library, [chunk(2, [0, 1, 0, 0], text: text)])
        let state = try test.database.dump()

        _ = try test.database.takeSnapshot()
        try test.reopen()

        #expect(test.database.recovery.recordsReplayed == 0)
        #expect(try test.database.dump() == state)
    }

    @Test("without a change, the last one is the answer")
    func unchanged() throws {
        let test = try TestDatabase()
        _ = try test.database.makeLibrary()
        let first = try test.database.takeSnapshot()

        #expect(try test.database.takeSnapshot() == first)
        #expect(try test.database.listSnapshots() == [first])
    }

    @Test("is taken beside writers, deleters and searches, and the next start has all that was acknowledged")
    func whileWriting() throws {
        let test = try TestDatabase(syncs: .slow)
        let libraries = try [IndexKind.hnsw, .bruteForce].map { try test.database.makeLibrary(index: IndexConfiguration($0)) }
        let isOver = Shared(false)
        let taken = Shared(0)
        let writers = (0..<4).map { writer in
            Background {
                var generator = SplitMix(seed: UInt64(writer))
                for round in 0..<60 {
                    // However late whoever takes snapshots gets its turn.
                    if round % 20 == 0 { taken.wait { $0 >= round / 20 } }
                    let number = 1000 * (writer + 1) + round
                    let text = "fox \(round % 5)"
                    try test.database.put(number, in: libraries[round % 2], [chunk(number, generator.vector(), text: text)])
                    if round % 3 == 2 { try test.database.deleteDocument(.number(number - 1)) }
                }
            }
        }
        let reader = Background {
            var generator = SplitMix(seed: 77)
            while !isOver.current {
                _ = try test.database.find(generator.vector(), in: libraries[0], count: 5)
                _ = try test.database.search(in: libraries[1], SearchQuery(.hybrid, vector: generator.vector(), text: "fox 3", count: 5))
            }
        }
        while writers.contains(where: { !$0.hasEnded }) {
            _ = try test.database.takeSnapshot()
            taken.update { $0 += 1 }
        }
        for writer in writers { try writer.value() }
        isOver.update { $0 = true }
        try reader.value()
        #expect(taken.current >= 2)
        let state = try test.database.dump()
        #expect(state.libraries.reduce(0) { $0 + $1.documents.count } == 4 * 40)
        #expect(state.libraries == state.libraries.map { $0.withExpectedSearch() })

        try test.reopen()

        #expect(test.database.loaded.snapshot != nil)
        #expect(try test.database.dump() == state)
    }

    @Test("holds the changes up to its sequence and no others, whoever writes meanwhile")
    func stateAtSequence() throws {
        let first = seed("snapshots beside writers", standard: 22)
        let test = try TestDatabase(syncs: .slow)
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        let versions = Shared<[Document]>([])
        let isOver = Shared(false)
        let writers = (0..<8).map { writer in
            Background {
                var generator = SplitMix(seed: first &+ UInt64(writer))
                while !isOver.current {
                    // Few documents of its own, so that most are replaced and rows are used again.
                    let number = 100 * writer + Int.random(in: 0..<20, using: &generator)
                    let title = "\(generator.next())"
                    let document = try test.database.put(
                        number, in: library, [chunk(number, generator.vector(), text: title)], title: title, onConflict: .replace)
                    versions.update { $0.append(document) }
                }
            }
        }

        var copies: [(directory: String, sequence: SequenceNumber)] = []
        for number in 0..<count("QUIRE_SNAPSHOTS_BESIDE_WRITERS", standard: 10) {
            let goal = versions.current.count + 40
            versions.wait { $0.count >= goal }
            let info = try test.database.takeSnapshot()
            let copy = test.directory / "copy-\(number)"
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
            try FileManager.default.copyItem(atPath: test.directory / info.name, toPath: "\(copy)/\(info.name)")
            copies.append((copy, info.sequence))
        }
        isOver.set(true)
        for writer in writers { try writer.value() }

        #expect(!copies.isEmpty)
        for copy in copies {
            var loaded = Database.Loaded()
            let builder = IndexBuilder(threads: 0)
            let snapshots = Snapshots(directory: copy.directory, fileSystem: test.fileSystem)
            let state = try #require(try Database.loadSnapshot(snapshots, try snapshots.candidates(), builder, &loaded))
            #expect(loaded.refused.isEmpty && loaded.rebuiltIndexes == 0 && loaded.rebuiltTextIndexes == 0)
            var expected: [DocumentID: Document] = [:]
            for version in versions.current where version.sequence <= copy.sequence {
                if version.sequence > expected[version.id]?.sequence ?? .zero { expected[version.id] = version }
            }
            #expect(state.sequence == copy.sequence)
            #expect(state.repository.library(library)?.documents.count == expected.count)
            for (id, version) in expected {
                let found = state.repository.document(id)
                #expect(found?.sequence == version.sequence && found?.chunks.map(\.text) == [version.metadata.title])
            }
            // What its words find is what is in it, too.
            #expect(try #require(state.repository.library(library)).findsItsTexts)
        }
    }

    @Test("is taken when the log has grown")
    func byGrowth() throws {
        let test = try TestDatabase(snapshotLogBytes: 10_000)
        let library = try test.database.makeLibrary()
        var number = 0
        while try test.database.listSnapshots().isEmpty {
            try test.database.put(number, in: library, [chunk(number, [1, 2, 3, Float(number)])])
            number += 1
        }

        // A record has some hundred bytes.
        #expect(number > 20)
        let state = try test.database.dump()
        try test.reopen()
        #expect(try test.database.dump() == state)
    }

    // MARK: Help

    private func flip(_ name: String, in test: TestDatabase, at offset: Int) throws {
        var bytes = try contents(of: test.directory / name)
        bytes[offset] ^= 0x10
        try test.directory.write(name, bytes)
    }

    private func files(of test: TestDatabase) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try test.directory.names() where name != "LOCK" { files[name] = try contents(of: test.directory / name) }
        return files
    }
}
