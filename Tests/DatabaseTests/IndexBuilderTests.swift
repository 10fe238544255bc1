import FoundationEssentials
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("The builder of indexes")
struct IndexBuilderTests {
    /// A graph that is quick to build.
    private static let quick = IndexConfiguration(.hnsw, chosen: [.m: 2, .efConstruction: 8])

    @Test("serves a small library although a large one has much to do")
    func fairness() throws {
        // Who looks late, because it did not run for a while, sees both done.
        let isFair = try (0..<5).contains { _ in try servesSmallFirst() }
        #expect(isFair)
    }

    /// Whether the large library still had something to do when the small one was done.
    private func servesSmallFirst() throws -> Bool {
        let test = try TestDatabase(builderThreads: 1)
        // One that is slow to build, and one that is quick.
        let large = try test.database.makeLibrary("large", index: IndexConfiguration(.hnsw))
        let small = try test.database.makeLibrary("small", index: Self.quick)
        // All of it is there before the first is done.
        test.database.builder.pause()
        try test.database.fill(large, count: 10_000)
        try test.database.put(20_000, in: small, [chunk(20_000, [1, 0, 0, 0])])
        test.database.builder.resume()

        try test.database.waitUntilIndexed(small)

        let largeState = try test.database.indexStatus(of: large).statistics.state
        #expect(try test.database.indexStatus(of: small).statistics.state == .ready)
        try test.database.waitUntilIndexed(large)
        #expect(try test.database.indexStatus(of: large).statistics.indexed == 10_000)
        return largeState == .building
    }

    @Test("ends with its database, whatever it is at, and reading goes on")
    func close() throws {
        // It may have been quicker than who closes.
        let wasAtWork = try (0..<5).contains { _ in try closesAtWork() }
        #expect(wasAtWork)
    }

    /// Whether there was something left to do when the database was closed.
    private func closesAtWork() throws -> Bool {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(.hnsw))
        let vectors = try test.database.fill(library, count: 3000)
        let database = test.database

        try database.close()

        let state = try database.indexStatus(of: library).statistics.state
        for number in [0, 1500, 2999] {
            #expect(try database.find(vectors[number], in: library, count: 1) == [.number(number)])
        }
        // Nobody waits for what never comes.
        try database.waitUntilIndexed(library)
        try database.close()
        return state == .building
    }

    @Test("goes with a database that nobody closed")
    func abandoned() throws {
        weak var builder: IndexBuilder?
        let directory = TemporaryDirectory()
        do {
            let database = try Database(directory: directory.path, fileSystem: ControlledFileSystem(), builderThreads: 3)
            builder = database.builder
            #expect(builder != nil)
        }
        #expect(builder == nil)
    }

    @Test("keeps nothing of a library that is deleted while it is at it")
    func deletedLibrary() throws {
        let test = try TestDatabase()
        for _ in 0..<5 {
            let doomed = try test.database.makeLibrary("doomed", index: IndexConfiguration(.hnsw))
            try test.database.fill(doomed, count: 1500)
            weak let library = try test.database.existingLibrary(doomed)
            #expect(library != nil)

            try test.database.deleteLibrary(doomed)

            // When another library is clean, the builder has turned away from the one before.
            let other = try test.database.makeLibrary("other", index: Self.quick)
            try test.database.put(5000, in: other, [chunk(5000, [1, 0, 0, 0])])
            try test.database.waitUntilIndexed(other)
            // Whoever told of it may hold it for a moment longer.
            let deadline = ContinuousClock.now + .seconds(60)
            while library != nil, ContinuousClock.now < deadline { yieldThread() }
            #expect(library == nil)
            try test.database.deleteLibrary(other)
        }
    }

    @Test("begins with what the log left to do")
    func restart() throws {
        let test = try TestDatabase()
        let libraries = try (0..<4).map { try test.database.makeLibrary("\($0)", index: Self.quick) }
        for (number, library) in libraries.enumerated() { try test.database.fill(library, count: 100, from: 1000 * number) }

        try test.reopen()

        for library in libraries {
            try test.database.waitUntilIndexed(library)
            #expect(try test.database.indexStatus(of: library).statistics.indexed == 100)
        }
    }

    @Test("takes a lower priority")
    func priority() throws {
        let test = try TestDatabase()
        // A builder that has done something has begun and has its name.
        let library = try test.database.makeLibrary("any", index: Self.quick)
        try test.database.fill(library, count: 10)
        try test.database.waitUntilIndexed(library)

        let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
        let found = tasks.compactMap { task -> [Substring]? in
            guard let data = FileManager.default.contents(atPath: "/proc/self/task/\(task)/stat") else { return nil }
            let text = String(decoding: data, as: UTF8.self)
            guard text.contains("(quire-index-") else { return nil }
            return text.split(separator: ")").last?.split(separator: " ")
        }

        #expect(!found.isEmpty)
        // Field 19 of proc(5), the 17th behind the name.
        for fields in found { #expect(Int(fields[16]).map { $0 >= Int(IndexBuilder.niceness) } == true) }
        withExtendedLifetime(test) {}
    }
}
