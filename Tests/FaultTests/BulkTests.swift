import Glibc
import TestSupport
import Testing

/// Batches and streams of documents: one of which is wrong, and such as a kill ends in the middle. Proves that each document is for
/// itself as the interface says: stored whole or not at all, whatever became of the request, and there for good once it was acknowledged
/// or seen.
@Suite("Faults: many documents in one request", .serialized)
struct BulkTests {
    // MARK: One that is wrong

    @Test("one wrong document of a hundred is refused alone: the others are acknowledged, and stay", arguments: BulkForm.allCases)
    func oneWrong(form: BulkForm) throws {
        var chance = SplitMix(seed: seed("a wrong document in a \(form)", standard: 91))
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary()
        let oracle = Oracle()
        let stored = documents(100, &chance)
        #expect(try form.put(stored, in: library, of: quire, oracle).allSatisfy { $0 == .acknowledged })

        for (number, flaw) in Flaw.allCases.enumerated() {
            let place = [0, 49, 99][number % 3]
            var documents = documents(100, &chance)
            flaw.spoil(&documents[place], stored: stored[7])

            let outcomes = try form.put(documents, in: library, of: quire, oracle)

            #expect(outcomes[place] == .refused, "\(flaw)")
            #expect(outcomes.count { $0 == .acknowledged } == 99, "\(flaw)")
        }

        try quire.killResponder(restartingAtOnce: true)
        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments)
        #expect(contents.documents.count == 100 + 99 * Flaw.allCases.count)
        #expect(oracle.violations(in: contents) == [])
    }

    private enum Flaw: CaseIterable {
        case noTitle, lastVectorTooShort, chunkTwice, idTaken, chunkOfAnother

        func spoil(_ document: inout Oracle.Document, stored: Oracle.Document) {
            let last = document.chunks.count - 1
            switch self {
            case .noTitle: document.title = ""
            case .lastVectorTooShort: document.chunks[last].vector.removeLast()
            case .chunkTwice: document.chunks[last].id = document.chunks[0].id
            case .idTaken: document.id = stored.id
            case .chunkOfAnother: document.chunks[last].id = stored.chunks[0].id
            }
        }
    }

    // MARK: Kills

    @Test(
        "killed in the middle of its write, a request leaves each document whole or absent; sent again, it adds those that are absent",
        arguments: BulkForm.allCases)
    func killedInWrite(form: BulkForm) throws {
        let kills = count("QUIRE_BULK_KILLS", standard: 8)
        var chance = SplitMix(seed: seed("kills in the write of a \(form)", standard: 92))
        let faulty = try FaultyQuire()
        let library = try faulty.quire.createVectorLibrary()
        let oracle = Oracle()
        var violations: [Oracle.Violation] = []
        var partial = 0

        for _ in 0..<kills {
            let documents = documents(form == .batch ? 100 : 300, &chance)
            try kill(faulty, after: Int.random(in: 0...25_000, using: &chance), ofWriteOf: documents, form, library, oracle, &chance)

            let contents = try Contents(of: faulty.quire, library: library, asking: oracle.changedSinceCheck)
            violations += oracle.violations(in: contents)
            let isThere = documents.map { contents.documents[$0.id] != nil }
            if Set(isThere).count == 2 { partial += 1 }

            let again = try form.put(documents, in: library, of: faulty.quire, oracle)
            #expect(again == isThere.map { $0 ? .refused : .acknowledged })
        }

        let contents = try Contents(of: faulty.quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        violations += oracle.violations(in: contents)
        #expect(violations == [])
        #expect(contents.documents.count >= kills * (form == .batch ? 100 : 300))
        #expect(partial > kills / 2, "\(partial) of \(kills) kills came in the middle")
        report("lost, altered or half documents after kills in the write of a \(form)", "\(violations.count) of \(contents.asked.count)")
    }

    /// Sends documents while the sync of another one is held, so that they are one write, which ends the responder after so many bytes.
    /// Of a stream it is the first group of lines, and those that follow.
    private func kill(
        _ faulty: FaultyQuire, after bytes: Int, ofWriteOf documents: [Oracle.Document], _ form: BulkForm, _ library: String,
        _ oracle: Oracle, _ chance: inout SplitMix
    ) throws {
        let quire = faulty.quire
        @Sendable func lastSequence() throws -> Int { try #require(try quire.get("/ready").json["last_sequence"]?.integer) }
        let before = try lastSequence()
        let first = chance.document(chunks: 1, dimension: Load.dimension)
        try faulty.setFaults(["fdatasync */wal-*.log * hold 0"])
        let single = Background {
            try oracle.put(first) { try #require(Oracle.Outcome(of: quire.put(first, in: library), success: 201)) }
        }
        try faulty.waitUntilHeld()
        let many = Background { try form.put(documents, in: library, of: quire, oracle) }
        try quire.waitUntil("the documents wait for their write") {
            // A stream stores the lines that have come while it stored others: the first group may be a single one.
            (try? lastSequence()) ?? 0 > before + (form == .batch ? documents.count : 1)
        }

        try faulty.setFaults(["pwrite */wal-*.log * kill \(bytes)"])
        faulty.release()
        _ = try single.value()
        _ = try many.value()
        try faulty.setFaults([])
        quire.signalServer(SIGHUP)
        try quire.waitUntilReady()
    }

    @Test("under kills, every document that was acknowledged or seen before stays, of all batches and streams at once")
    func killedUnderLoad() throws {
        let kills = count("QUIRE_BULK_KILLS", standard: 5)
        let first = seed("kills among batches and streams", standard: 93)
        let quire = try QuireInstance(noModel)
        var violations: [Oracle.Violation] = []
        var (seen, vanished, acknowledged, unknown) = (0, 0, 0, 0)

        for kill in 0..<kills {
            let library = try quire.createVectorLibrary(index: "hnsw")
            let oracle = Oracle()
            let isOver = Shared(false)
            let clients = (0..<4).map { client in
                Background {
                    var chance = SplitMix(seed: first &+ UInt64(4 * kill + client))
                    // Not for ever: what they add is compared.
                    for _ in 0..<(client < 2 ? 12 : 4) where !isOver.current {
                        let form = client < 2 ? BulkForm.batch : .stream
                        try form.put(documents(form == .batch ? 100 : 300, &chance), in: library, of: quire, oracle)
                    }
                }
            }
            try quire.waitUntil("documents are acknowledged") { oracle.acknowledgements > 50 * (kill % 8) }
            let listed = try Set(quire.listDocuments(of: library))
            isOver.set(true)
            try quire.killResponder(restartingAtOnce: true)
            for client in clients { try client.value() }

            let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments)
            violations += oracle.violations(in: contents)
            seen += listed.count
            vanished += listed.subtracting(contents.listed).count
            acknowledged += oracle.acknowledgements
            unknown += oracle.unknowns
        }

        #expect(violations == [])
        #expect(vanished == 0 && seen > 0)
        #expect(unknown > 0 && acknowledged > 0)
        report("kill -9 among batches and streams: documents seen before, missing after", "\(vanished) of \(seen)")
        report("kill -9 among batches and streams: outcome acknowledged, unknown", "\(acknowledged), \(unknown)")
    }

    @Test("the oracle says so when documents are acknowledged whose write never came to the disk", arguments: BulkForm.allCases)
    func plantedBug(form: BulkForm) throws {
        var chance = SplitMix(seed: 94)
        let faulty = try FaultyQuire()
        let library = try faulty.quire.createVectorLibrary()
        let oracle = Oracle()
        try form.put(documents(100, &chance), in: library, of: faulty.quire, oracle)
        let lost = documents(100, &chance)

        try faulty.setFaults(["pwrite */wal-*.log * drop 0"])
        #expect(try form.put(lost, in: library, of: faulty.quire, oracle).allSatisfy { $0 == .acknowledged })
        try faulty.quire.killResponder(restartingAtOnce: true)
        try faulty.setFaults([])

        let contents = try Contents(of: faulty.quire, library: library, asking: oracle.allDocuments)
        #expect(Set(oracle.violations(in: contents)) == Set(lost.map { .lost(document: $0.id) }))
    }
}

/// Two chunks each, so that half a document would be seen.
private func documents(_ count: Int, _ chance: inout SplitMix) -> [Oracle.Document] {
    (0..<count).map { _ in chance.document(chunks: 2, dimension: Load.dimension) }
}
