import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("Indexes")
struct IndexTests {
    let test: TestDatabase
    var database: Database { test.database }

    init() throws { test = try TestDatabase() }

    @Test("take in what a library holds, and let go what it no longer holds", arguments: IndexKind.allCases)
    func takeIn(kind: IndexKind) throws {
        let library = try database.makeLibrary(index: IndexConfiguration(kind))
        let vectors = try database.fill(library, count: 500)
        try database.waitUntilIndexed(library)

        let full = try database.indexStatus(of: library)
        #expect(full.configuration == IndexConfiguration(kind))
        #expect(full.statistics.state == .ready)
        #expect(full.statistics.indexed == 500)
        #expect(full.statistics.pending == 0)
        #expect(full.statistics.progress == 1)

        // Four documents of five.
        for first in [0, 100, 200, 400] { try database.deleteDocument(.number(first)) }
        try database.waitUntilIndexed(library)
        let statistics = try database.statistics(of: library)
        #expect(statistics.index.statistics.indexed == 100)
        #expect(statistics.vectors.uniqueVectors == 100)
        let found = try database.find(vectors[0], in: library, count: 1000)
        #expect(Set(found) == Set((300..<400).map(ChunkID.number)))
    }

    @Test("that nobody builds are searched exactly", arguments: IndexKind.allCases)
    func unbuilt(kind: IndexKind) throws {
        let test = try TestDatabase(builderThreads: 0)
        let library = try test.database.makeLibrary(index: IndexConfiguration(kind))
        let vectors = try test.database.fill(library, count: 300)

        // There is nobody to wait for.
        try test.database.waitUntilIndexed(library)

        for (number, vector) in vectors.enumerated() {
            let result = try test.database.search(in: library, query: vector, count: 1)
            #expect(result.hits.map(\.chunk.id) == [.number(number)])
            #expect(result.isExact && result.indexKind == .bruteForce)
        }
    }

    @Test("are found by the kind that was asked for when they are built", arguments: [IndexKind.kdTree, .lsh, .hnsw, .ivf])
    func used(kind: IndexKind) throws {
        let library = try database.makeLibrary(index: IndexConfiguration(kind))
        let vectors = try database.fill(library, count: 1000)
        try database.waitUntilIndexed(library)

        var found = 0
        for (number, vector) in vectors.enumerated() where number % 10 == 0 {
            let result = try database.search(in: library, query: vector, count: 1)
            #expect(result.indexKind == kind)
            #expect(result.isExact || !kind.isExact)
            #expect(result.ef == (kind == .hnsw ? 64 : nil))
            if result.hits.map(\.chunk.id) == [.number(number)] { found += 1 }
            let exact = try database.search(in: library, query: vector, count: 1, isExact: true)
            #expect(exact.hits.map(\.chunk.id) == [.number(number)] && exact.isExact)
        }
        #expect(found >= 95, "a vector is its own nearest")
    }

    @Test("are searched as a search asks")
    func asked() throws {
        let library = try database.makeLibrary(index: IndexConfiguration(.hnsw, chosen: [.efSearch: 12]))
        let vectors = try database.fill(library, count: 400)
        try database.waitUntilIndexed(library)
        func search(ef: Int? = nil, isExact: Bool = false) throws -> SearchResult {
            try database.search(in: library, query: vectors[7], count: 3, ef: ef, isExact: isExact)
        }

        #expect(try search().ef == 12)
        #expect(try search(ef: 200).ef == 200)
        #expect(try search(ef: 200).scored > search().scored)
        #expect(try search(isExact: true).scored == 400)
        #expect(try search(isExact: true).ef == nil)
        _ = try database.updateLibrary(library, LibraryChange(indexParameters: [.efSearch: 30]))
        #expect(try search().ef == 30)
    }

    @Test("change live only by parameters that they have")
    func unknownParameters() throws {
        let library = try database.makeLibrary(index: IndexConfiguration(.hnsw))

        #expect(throws: DatabaseError.unknownIndexParameter(.nprobe, of: .hnsw)) {
            try database.updateLibrary(library, LibraryChange(name: "x", indexParameters: [.nprobe: 1, .efSearch: 1]))
        }

        #expect(try database.library(library).sequence == .number(1))
        #expect(try database.library(library).record.name == "library")
    }

    @Test("serve on while another one is built, which is the only one at a time, and are built anew in its form after a restart")
    func building() throws {
        let library = try database.makeLibrary(index: IndexConfiguration(.hnsw))
        let vectors = try database.fill(library, count: 300)
        try database.waitUntilIndexed(library)
        let next = IndexConfiguration(.ivf, chosen: [.nlist: 4])
        // Nothing is built from here on.
        database.builder.stop()

        let status = try database.rebuildIndex(of: library, as: next)

        #expect(status.configuration == IndexConfiguration(.hnsw))
        #expect(status.statistics.target == next)
        #expect(status.statistics.active == .hnsw)
        #expect(status.statistics.state == .building)
        #expect(try database.library(library).record.index == next)
        let changing = DatabaseError.indexIsChanging(library)
        #expect(throws: changing) { try database.rebuildIndex(of: library) }
        #expect(throws: changing) { try database.rebuildIndex(of: library, as: IndexConfiguration(.auto)) }
        #expect(throws: changing) { try database.updateLibrary(library, LibraryChange(indexParameters: [.nprobe: 2])) }
        #expect(try database.updateLibrary(library, LibraryChange(name: "new")).record.name == "new")
        #expect(try database.search(in: library, query: vectors[5], count: 1).indexKind == .hnsw)
        try database.put(1000, in: library, [chunk(1000, [5, 5, 5, 5])])
        #expect(try database.find([5, 5, 5, 5], in: library, count: 1) == [.number(1000)])

        try test.reopen()
        try database.waitUntilIndexed(library)
        let after = try database.indexStatus(of: library)
        #expect(after.configuration == next)
        #expect(after.statistics.target == nil)
        #expect(after.statistics.state == .ready)
        #expect(after.statistics.indexed == 301)
        // One can be asked for again.
        #expect(throws: Never.self) { try database.rebuildIndex(of: library) }
    }

    @Test("of an empty library are what they were asked to be at once")
    func emptyRebuild() throws {
        let library = try database.makeLibrary()

        for kind in IndexKind.allCases {
            try database.rebuildIndex(of: library, as: IndexConfiguration(kind))
            let status = try database.indexStatus(of: library)
            #expect(status.configuration == IndexConfiguration(kind))
            #expect(status.statistics.target == nil)
            #expect(status.statistics.state == .ready)
        }
    }

    @Test(
        "become one another under searches and changes that miss nothing",
        arguments: zip(IndexKind.allCases, IndexKind.allCases.dropFirst() + [.auto]))
    func underLoad(from: IndexKind, to: IndexKind) throws {
        let library = try database.makeLibrary(index: IndexConfiguration(from))
        let kept = try database.fill(library, count: 400)
        try database.waitUntilIndexed(library)
        let isBuilding = Shared(true)
        let test = test

        let shares = try onThreads(5) { thread in
            let database = test.database
            var generator = SplitMix(seed: UInt64(thread))
            var (searches, found) = (0, 0)
            switch thread {
            case 0:
                defer { isBuilding.set(false) }
                for index in [to, from, to].map({ IndexConfiguration($0) }) {
                    try database.rebuildIndex(of: library, as: index)
                    try database.waitUntilIndexed(library)
                    #expect(try database.indexStatus(of: library).configuration == index)
                }
            case 1:
                // Comes and goes, and is found and not found at once.
                for number in 0..<300 where isBuilding.current || number < 50 {
                    let vector = generator.vector().map { $0 + 10 }
                    try database.put(10_000, in: library, [chunk(10_000, vector)])
                    #expect(try database.find(vector, in: library, count: 1) == [.number(10_000)], "\(from) to \(to), \(number)")
                    try database.deleteDocument(.number(10_000))
                    #expect(try database.find(vector, in: library, count: 1) != [.number(10_000)], "\(from) to \(to), \(number)")
                }
            default:
                while isBuilding.current || searches < 50 {
                    let number = Int.random(in: 0..<kept.count, using: &generator)
                    let result = try database.search(in: library, query: kept[number], count: 3)
                    #expect(result.hits.count == 3)
                    searches += 1
                    if result.hits.first?.chunk.id == .number(number) { found += 1 }
                    if result.isExact { #expect(result.hits.first?.chunk.id == .number(number)) }
                }
            }
            return (searches, found)
        }

        let (searches, found) = shares.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
        #expect(searches >= 150)
        #expect(Double(found) >= 0.95 * Double(searches), "\(from) to \(to): \(found) of \(searches)")
        try database.waitUntilIndexed(library)
        let live = try database.dump()
        try self.test.reopen()
        #expect(try database.dump() == live)
    }
}
