import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

/// Giving back what deletions left.
struct PurgeTests {
    @Test("moves vectors together, frees the rows behind them, and changes nothing else", arguments: [IndexKind.hnsw, .bruteForce, .ivf])
    func compacts(kind: IndexKind) throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary(index: IndexConfiguration(kind))
        try test.database.fill(library, count: 2000)
        // Two documents with the same vector, one of them behind all others.
        try test.database.put(5000, in: library, [chunk(5000, [9, 9, 9, 9])])
        try test.database.put(5001, in: library, [chunk(5001, [9, 9, 9, 9])])
        try test.database.waitUntilIndexed(library)
        for number in stride(from: 0, to: 1800, by: 100) { try test.database.deleteDocument(.number(number)) }
        let before = try test.database.dump().libraries
        let tags = try test.database.document(.number(1900)).document.sequence

        let status = try test.purge()

        #expect(status.state == .done)
        #expect(status.librariesDone == 1 && status.libraries == 1)
        #expect(status.documentsMoved > 0 && status.rowsFreed == 1800)
        #expect(try test.database.dump().libraries == before)
        #expect(try test.database.document(.number(1900)).document.sequence == tags)
        let vectors = try test.database.statistics(of: library).vectors
        #expect(vectors.capacity == 201 && vectors.uniqueVectors == 201 && vectors.freeRows == 0)
        #expect(try test.database.find([9, 9, 9, 9], in: library, count: 2) == [.number(5000), .number(5001)])
        try test.reopen()
        #expect(try test.database.dump().libraries == before)
    }

    @Test("leaves nothing of a deleted document in any file")
    func forgets() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        let secret = "what was said in confidence"
        try test.database.put(1, in: library, [ChunkRecord(id: .random(), text: secret, pageNumber: nil, embedding: [1, 2, 3, 4])])
        try test.database.put(2, in: library, [chunk(2, [4, 3, 2, 1])])
        _ = try test.database.takeSnapshot()
        try test.database.deleteDocument(.number(1))
        #expect(try test.directory.contents().contains(secret))

        let status = try test.purge()

        #expect(try !test.directory.contents().contains(secret))
        #expect(try test.database.listSnapshots().count == 2)
        let disk = try #require(status.diskBytes)
        #expect(disk.after < disk.before)
        // The record that only counts is skipped by a start.
        try test.reopen()
        #expect(try test.database.library(library).documentCount == 1)
    }

    @Test("goes on beside changes and searches, which see nothing of it")
    func besideOthers() throws {
        let test = try TestDatabase(syncs: .slow)
        let library = try test.database.makeLibrary()
        let vectors = try test.database.fill(library, count: 3000)
        for number in stride(from: 0, to: 1500, by: 100) { try test.database.deleteDocument(.number(number)) }
        let isDone = Shared(false)
        let begun = Shared(0)
        let searches = Background {
            var found = 0
            begun.update { $0 += 1 }
            repeat {
                for number in stride(from: 1500, to: 3000, by: 37) {
                    let nearest = try test.database.find(vectors[number], in: library, count: 1)
                    #expect(nearest == [.number(number)])
                    found += 1
                }
            } while !isDone.current
            return found
        }
        let changes = Background {
            var number = 10_000
            begun.update { $0 += 1 }
            repeat {
                try test.database.put(number, in: library, [chunk(number, [Float(number), 0, 0, 0])])
                let document = try test.database.document(.number(number), withEmbeddings: true)
                #expect(document.embeddings == [[Float(number), 0, 0, 0]])
                number += 1
            } while !isDone.current
            return number
        }
        begun.wait { $0 == 2 }

        for _ in 0..<3 { #expect(try test.purge().state == .done) }
        isDone.update { $0 = true }

        #expect(try searches.value() > 0)
        let last = try changes.value()
        #expect(try test.database.library(library).documentCount == 15 + last - 10_000)
        let state = try test.database.dump()
        try test.reopen()
        #expect(try test.database.dump() == state)
    }

    @Test("one runs at a time, ends with the database, and says so when it fails")
    func oneAtATime() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try test.database.fill(library, count: 100)
        #expect(test.database.purgeStatus.state == .none)
        test.fileSystem.holdSyncs()
        let change = test.pending { try $0.put(7, in: library, []) }
        test.fileSystem.waitUntilSyncIsHeld()

        // Its snapshot waits for the log.
        #expect(try test.database.startPurge().state == .running)
        #expect(throws: DatabaseError.purgeIsRunning) { try test.database.startPurge() }
        test.fileSystem.releaseSyncs()
        _ = try change.value()
        while test.database.purgeStatus.state == .running { yieldThread() }
        #expect(test.database.purgeStatus.state == .done)

        test.fileSystem.failDirectorySync(5, after: 0)
        let failed = try test.purge()
        guard case .failed(.storage(let error)) = failed.state else {
            Issue.record("\(failed.state)")
            return
        }
        #expect(error.category == .storageFailed)
    }
}

extension TestDatabase {
    /// Runs a purge to its end.
    fileprivate func purge() throws -> PurgeStatus {
        _ = try database.startPurge()
        while database.purgeStatus.state == .running { yieldThread() }
        return database.purgeStatus
    }
}

extension TemporaryDirectory {
    /// What all files hold, one after the other.
    fileprivate func contents() throws -> String {
        try names().sorted().map { String(decoding: try TestSupport.contents(of: self / $0), as: UTF8.self) }.joined()
    }
}
