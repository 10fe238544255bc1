import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("What a database says of itself")
struct MonitoringTests {
    @Test("every library's figures are those of its statistics, and its successor's beside them")
    func figures() throws {
        let test = try TestDatabase()
        let large = try test.database.makeLibrary("large", index: IndexConfiguration(.hnsw))
        let small = try test.database.makeLibrary("small")
        try test.database.fill(large, count: 500)
        try test.database.put(9000, in: small, [chunk(9000, [1, 2, 3, 4])])
        try test.database.deleteDocument(.number(100))
        for library in [large, small] { try test.database.waitUntilIndexed(library) }
        try test.database.beginReembedding(of: small, as: EmbeddingSource(model: "other", dimension: 3))

        let figures = test.database.figures()

        #expect(figures.libraries.map(\.id) == [large, small])
        #expect(figures.successors.map(\.model) == ["other"])
        #expect(figures.all.count == 3)
        for library in figures.libraries {
            let statistics = try test.database.statistics(of: library.id)
            #expect(library.documents == statistics.library.documentCount && library.chunks == statistics.library.chunkCount)
            #expect(library.index == statistics.index.statistics)
            #expect(library.freeRows == statistics.vectors.freeRows && library.vectorBytes == statistics.vectors.bytes)
            #expect(library.textIndexBytes > 0 && library.busyFor == nil)
        }
        #expect(figures.libraries[0].documents > 1 && figures.libraries[1].chunks == 1)
    }

    @Test("the memory of documents, texts and columns is counted as they come, change and go, and by a start, and is about what they take")
    func memory() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        func figures() -> LibraryFigures { test.database.figures().libraries[0] }
        func document(_ number: Int, text: Int) -> [ChunkRecord] {
            [chunk(number, [1, 2, 3, Float(number)], text: String(repeating: "x", count: text))]
        }
        let before = figures()
        #expect(before.textBytes == 0 && before.documentBytes == 0 && before.columnBytes == 0)

        for number in 1...300 { try test.database.put(number, in: library, document(number, text: 1000), title: "title \(number)") }
        let full = figures()
        #expect((300_000...330_000).contains(full.textBytes))
        #expect((30_000...300_000).contains(full.documentBytes))
        #expect((10_000...300_000).contains(full.columnBytes))
        _ = try test.database.replaceDocument(
            .number(1), metadata: DocumentMetadata(title: "title 1"), chunks: document(1, text: 3000))
        #expect(figures().textBytes == full.textBytes + 2000)
        _ = try test.database.replaceDocument(
            .number(1), metadata: DocumentMetadata(title: "title 1"), chunks: document(1, text: 1000))
        #expect(figures().textBytes == full.textBytes)

        _ = try test.database.takeSnapshot()
        try test.database.put(301, in: library, document(301, text: 1000))
        let last = figures()
        try test.reopen()
        let restarted = figures()
        #expect(restarted.textBytes == last.textBytes && last.textBytes > full.textBytes)
        #expect(restarted.documentBytes > 30_000 && restarted.columnBytes > 10_000)

        for number in 1...301 { try test.database.deleteDocument(.number(number)) }
        let after = figures()
        #expect(after.textBytes == 0)
        // What tables have grown to they keep.
        #expect(after.documentBytes < full.documentBytes / 2 && after.columnBytes < full.columnBytes / 2)
    }

    @Test("the recall of searches that are not exact is estimated by repeating them, and forgotten with the index that had it")
    func recall() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.ivf, chosen: [.nlist: 40, .nprobe: 1]))
        let vectors = try test.database.fill(library, count: 2000)
        try test.database.waitUntilIndexed(library)
        func estimate() -> RecallEstimate? { test.database.figures().libraries[0].recall }
        func distances(_ query: [Float], isExact: Bool) throws -> [Float] {
            try test.database.search(in: library, query: query, count: 10, isExact: isExact).hits.map { $0.distance! }
        }
        var found = 0
        for (number, query) in vectors.prefix(12).enumerated() {
            let last = try #require(distances(query, isExact: true).last)
            #expect(try test.database.search(in: library, query: query, count: 10, filter: .all([])).hits.count == 10)
            // As many as all these are looked at, and too few.
            if number == 9 { #expect(estimate() == nil) }
            found += try distances(query, isExact: false).count { $0 <= last }
        }

        let deadline = ContinuousClock.now + .seconds(600)
        while estimate()?.searches != 12, ContinuousClock.now < deadline { yieldThread() }

        let first = try #require(estimate())
        #expect(first.searches == 12 && abs(first.recall - Double(found) / 120) < 1e-9)
        #expect(first.recall < 0.95)
        _ = try test.database.updateLibrary(library, LibraryChange(indexParameters: [.nprobe: 30]))
        #expect(estimate() == nil)
        var next = 0
        while estimate()?.searches != 50, ContinuousClock.now < deadline {
            _ = try distances(vectors[next % vectors.count], isExact: false)
            next += 1
        }
        #expect(estimate()?.searches == 50 && estimate()?.recall ?? 0 > first.recall)
        try test.close()
    }

    @Test("a library is busy from a change until its index has nothing left to do")
    func busy() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        test.database.builder.pause()

        try test.database.put(1, in: library, [chunk(1, [1, 2, 3, 4])])
        let first = try #require(test.database.figures().libraries[0].busyFor)
        try test.database.put(2, in: library, [chunk(2, [4, 3, 2, 1])])
        let second = try #require(test.database.figures().libraries[0].busyFor)

        // Since the first change, whatever came later.
        #expect(first >= .zero && second > first)
        #expect(test.database.librariesWithIndexWork == 1)
        test.database.builder.resume()
        try test.database.waitUntilIndexed(library)
        #expect(test.database.figures().libraries[0].busyFor == nil && test.database.librariesWithIndexWork == 0)
        test.database.builder.pause()
        try test.database.put(3, in: library, [chunk(3, [4, 3, 2, 2])])
        #expect(test.database.librariesWithIndexWork == 1)
        try test.database.deleteLibrary(library)
        #expect(test.database.librariesWithIndexWork == 0)
        test.database.builder.resume()
    }

    @Test("snapshots are counted with their time and size, failures until one succeeds, and the last is known after a start")
    func snapshots() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        #expect(test.database.snapshotStatistics.last == nil && test.database.snapshotStatistics.growth > 0)

        // In the way of the file that it is written to.
        let obstacle = test.directory / "snapshot-0000000000000001.snap.tmp"
        #expect(mkdir(obstacle, 0o700) == 0)
        #expect(throws: DatabaseError.self) { try test.database.takeSnapshot() }
        let failed = test.database.snapshotStatistics
        #expect(rmdir(obstacle) == 0)
        let info = try test.database.takeSnapshot()
        // Nothing has changed: no other one is made.
        #expect(try test.database.takeSnapshot() == info)
        let taken = test.database.snapshotStatistics
        try test.database.put(1, in: library, [chunk(1, [1, 2, 3, 4])])
        let later = test.database.snapshotStatistics
        try test.reopen()
        let restarted = test.database.snapshotStatistics

        #expect(failed.failed == 1 && failed.failure != nil && failed.taken == 0)
        #expect(taken.taken == 1 && taken.failed == 1 && taken.failure == nil && taken.last == info)
        #expect(taken.growth == 0 && later.growth > 0 && restarted.growth == later.growth)
        #expect(try #require(taken.lastDuration) == taken.duration && taken.duration > .zero)
        #expect(restarted.last == info && restarted.lastDuration == nil && restarted.taken == 0)
    }

    @Test("what there is of memory and disk is asked of the system each time")
    func resources() throws {
        let memory = Shared(100)
        let test = try TestDatabase(budget: Budget(memoryBytes: 1000, diskReserveBytes: 10), memoryInUse: { memory.current })
        test.fileSystem.setFreeBytes(77)

        let before = try test.database.resources()
        memory.set(200)
        test.fileSystem.setFreeBytes(66)
        let after = try test.database.resources()

        #expect(before.memoryInUse == 100 && before.freeDisk == 77)
        #expect(after.memoryInUse == 200 && after.freeDisk == 66)
        #expect(after.budget.memoryBytes == 1000 && after.budget.diskReserveBytes == 10)
    }
}
