import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

@Suite("Many threads")
struct ConcurrencyTests {
    @Test("that create one document at once have one winner")
    func oneWinner() throws {
        let test = try TestDatabase(syncs: .slow)
        let library = try test.database.makeLibrary()

        for round in 0..<10 {
            let winners = try onThreads(8) { thread in
                do throws(DatabaseError) {
                    // The chunks differ, so that only the document's id is fought for.
                    try test.database.put(round, in: library, [chunk(round * 8 + thread, [1, 0, 0, 0])], title: "\(thread)")
                    return thread as Int?
                } catch {
                    #expect(error == .documentExists(.number(round)))
                    return nil
                }
            }.compactMap { $0 }

            #expect(winners.count == 1)
            #expect(try test.database.document(.number(round)).document.metadata.title == winners.first.map(String.init))
        }
        #expect(try test.database.find([1, 0, 0, 0], in: library).count == 10)
        try expectReplayGivesSameState(test)
    }

    @Test("that bring one chunk id at once have one winner")
    func oneChunk() throws {
        let test = try TestDatabase(syncs: .slow)
        let libraries = [try test.database.makeLibrary(), try test.database.makeLibrary()]

        for round in 0..<10 {
            let winners = try onThreads(8) { thread in
                do throws(DatabaseError) {
                    try test.database.put(round * 8 + thread, in: libraries[thread % 2], [chunk(round, [1, 0, 0, 0])])
                    return thread as Int?
                } catch {
                    #expect(error == .chunkExists(.number(round)))
                    return nil
                }
            }.compactMap { $0 }
            #expect(winners.count == 1)
        }
        let found = try libraries.flatMap { try test.database.find([1, 0, 0, 0], in: $0) }
        #expect(found.sorted() == (0..<10).map(ChunkID.number))
        try expectReplayGivesSameState(test)
    }

    @Test("never put more documents than the limit")
    func limit() throws {
        let test = try TestDatabase(syncs: .slow)
        let library = try test.database.makeLibrary()

        let accepted = try onThreads(8) { thread in
            var accepted = 0
            for number in 0..<10 {
                do throws(DatabaseError) {
                    try test.database.put(thread * 10 + number, in: library, [], limit: 25)
                    accepted += 1
                } catch {
                    #expect(error == .tooManyDocuments(limit: 25))
                }
            }
            return accepted
        }

        #expect(accepted.reduce(0, +) == 25)
        #expect(try test.database.library(library).documentCount == 25)
    }

    @Test(
        "that write, update, delete, search by vectors and words, filter, count and rebuild at once see one order of things, the log's, and replay gives their state",
        arguments: IndexKind.allCases)
    func linearizable(kind: IndexKind) throws {
        let test = try TestDatabase(syncs: .slow)
        let index = IndexConfiguration(kind)
        let libraries = Shared(try (0..<3).map { _ in try test.database.makeLibrary(index: index) })
        let created = (1...3).map { SequenceNumber.number(UInt64($0)) }
        let recorder = Recorder(test)
        let writing = Shared(8)

        let events = try onThreads(12) { thread in
            var client = Client(seed: UInt64(thread), libraries: libraries, index: index, recorder: recorder)
            if thread < 8 {
                for round in 0..<60 {
                    client.write()
                    // One: from the second on, the log gives up the records that this test looks at.
                    if thread == 0, round == 30 { _ = try test.database.takeSnapshot() }
                }
                writing.update { $0 -= 1 }
            } else {
                // Bounded: a thousand reads are enough, however long the writers take.
                for _ in 0..<250 where writing.current > 0 {
                    client.read()
                    sched_yield()
                }
                // All of them may have come before the first document.
                for _ in 0..<20 { client.read() }
            }
            return client.events
        }.flatMap { $0 }

        let (live, mutations) = try expectReplayGivesSameState(test)
        #expect(mutations.prefix(3).map(\.recordType) == created.map { _ in .createLibrary })
        #expect(mutations.count > 60)
        let illegal = History(mutations).illegal(events)
        #expect(illegal.isEmpty, "\(illegal.count) of \(events.count): \(illegal.first.map { "\($0)" } ?? "")")
        #expect(live.lastSequence.rawValue == UInt64(mutations.count))
        let kinds = Set(events.map { String("\($0.observation)".prefix { $0 != "(" }) })
        #expect(kinds.count == 11, "\(kinds)")
    }

    /// Live state must be what the log gives to a new database, and what it gives to the model.
    @discardableResult
    private func expectReplayGivesSameState(_ test: TestDatabase) throws -> (live: Dump, mutations: [Mutation]) {
        let live = try test.database.dump()
        try test.close()
        var mutations: [Mutation] = []
        let log = try WriteAheadLog.open(
            directory: test.directory.path, fileSystem: test.fileSystem, policy: .os
        ) { mutations.append(try Mutation(record: $0)) }
        try log.close()
        var model = Model()
        for mutation in mutations {
            let refusal = model.refusal(of: mutation, .replace, limit: 0, expecting: nil)
            #expect(refusal == nil, "change \(model.sequence.next) should have been refused")
            model.apply(mutation)
        }
        #expect(live == model.dump())
        try test.open()
        #expect(try test.database.dump() == live)
        return (live, mutations)
    }
}
