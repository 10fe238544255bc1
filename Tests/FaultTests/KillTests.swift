import TestSupport
import Testing

/// kill -9 of the responder behind nginx, again and again, while clients write, delete, search and take snapshots. The oracle is asked
/// after each start about what has changed since the last, and about everything at the end.
@Suite("Faults: kill -9 under load", .serialized)
struct KillTests {
    @Test("loses nothing that was acknowledged, leaves nothing half-done, and is followed by a start within two seconds")
    func oracleHolds() throws {
        let kills = count("QUIRE_KILLS", standard: 40)
        var chance = SplitMix(seed: seed("kill -9 under load", standard: 4))
        let quire = try QuireInstance(noModel.merging(["SNAPSHOT_LOG_BYTES": "1048576"]) { $1 })
        let library = try quire.createVectorLibrary(index: "hnsw")
        let oracle = Oracle()
        let documents = 10_000 / Load.chunksPerDocument
        let load = Load(on: quire, library: library, oracle, documentLimit: documents, seed: chance.next())
        load.waitForAcknowledgements(documents)

        var starts: [Duration] = []
        var checked = 0
        var violations: [Oracle.Violation] = []
        for _ in 0..<kills {
            load.waitForAcknowledgements(Int.random(in: 20...1000, using: &chance))
            let begin = ContinuousClock.now
            try quire.killResponder(restartingAtOnce: true)
            starts.append(ContinuousClock.now - begin)
            load.pause()
            let contents = try Contents(of: quire, library: library, asking: oracle.changedSinceCheck)
            violations += oracle.violations(in: contents)
            checked += contents.asked.count
            load.resume()
        }
        try load.stop()
        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        violations += oracle.violations(in: contents)

        #expect(violations == [])
        #expect(load.surprises == [])
        #expect(load.searches > kills)
        // No more than what was in flight: one request of each client that changes something.
        #expect(oracle.unknowns <= 10 * kills)
        starts.sort()
        #expect(starts[starts.count / 2] <= .seconds(2))
        report("kill -9 under load: kills", "\(kills)")
        report("kill -9 under load: acknowledged changes", "\(oracle.acknowledgements)")
        report("kill -9 under load: documents compared after the starts", "\(checked + contents.asked.count)")
        report("kill -9 under load: lost, altered or resurrected", "\(violations.count)")
        report("kill -9 under load: outcome unknown to the client", "\(oracle.unknowns)")
        report(
            "start at \(contents.chunkCount) chunks, kill to ready: median, longest",
            "\(starts[starts.count / 2].inMilliseconds) ms, \(starts.last!.inMilliseconds) ms")
    }

    @Test("frees the lock of the data directory at once, every time")
    func freesLock() throws {
        let kills = count("QUIRE_LOCK_KILLS", standard: 100)
        let quire = try QuireInstance(noModel)

        // A responder that finds the lock taken ends with 75, and is not started again: none would become ready.
        for _ in 0..<kills { try quire.killResponder(restartingAtOnce: true) }

        report("kill -9 and start at once: lock found free", "\(kills)")
    }

    @Test("a change whose outcome is unknown can be sent again until it is known: the document is there once")
    func retries() throws {
        let kills = count("QUIRE_RETRY_KILLS", standard: 10)
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary()
        let oracle = Oracle()
        let isOver = Shared(false)
        let retries = Shared(0)
        let first = seed("changes sent again", standard: 8)
        let clients = (0..<8).map { number in
            Background {
                var generator = SplitMix(seed: first &+ UInt64(number))
                while !isOver.current {
                    let document = generator.document(chunks: 3, dimension: Load.dimension)
                    try oracle.put(document) {
                        var sent = 0
                        while true {
                            let reply = try quire.put(document, in: library)
                            sent += 1
                            // 409 only says that it is there if it may have been this client that put it there.
                            if reply.status == 201 || reply.status == 409 && sent > 1 { return .acknowledged }
                            guard reply.status == 503 else { throw QuireInstance.Failed(what: reply.text) }
                            retries.update { $0 += 1 }
                        }
                    }
                }
            }
        }

        for _ in 0..<kills {
            let goal = oracle.acknowledgements + 50
            try quire.waitUntil("changes are acknowledged") { oracle.acknowledgements >= goal }
            try quire.killResponder(restartingAtOnce: true)
        }
        isOver.set(true)
        for client in clients { try client.value() }

        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(oracle.violations(in: contents) == [])
        #expect(contents.documents.count == oracle.acknowledgements)
        #expect(retries.current > 0)
        report("changes sent again after an unknown outcome", "\(retries.current), documents \(contents.documents.count), each once")
    }
}
