import Database
import Storage
import TestSupport
import Testing
import VectorSearch

/// When a change is seen: as soon as it is acknowledged, by every index, also while the index is being built.
@Suite("Faults: what an acknowledgement promises", .serialized)
struct VisibilityTests {
    @Test("a document is found first by the next search for its vector, and never again once it is deleted", arguments: IndexKind.allCases)
    func readsItsWrites(kind: IndexKind) throws {
        let rounds = count("QUIRE_READS_OF_WRITES", standard: 2000)
        let directory = TemporaryDirectory()
        let database = try Database(directory: directory / "data", durability: .os)
        defer { #expect(throws: Never.self) { try database.close() } }
        let library = try database.createLibrary(
            name: "test", description: nil, metric: .l2, dimension: Load.dimension, model: LibraryRecord.externalModel,
            index: IndexConfiguration(kind)
        ).record.id
        let first = seed("reads of writes, \(kind.rawValue)", standard: 2)

        @Sendable func nearest(_ vector: [Float]) throws -> DocumentID? {
            try database.search(in: library, query: vector, count: 1).hits.first?.document.id
        }

        // Several clients, so that each searches while others change the index.
        let missed = try onThreads(4) { client in
            var chance = SplitMix(seed: first &+ UInt64(client))
            var missed = Missed()
            var written: [(id: DocumentID, vector: [Float])] = []
            for _ in 0..<rounds / 4 {
                let vector = (0..<Load.dimension).map { _ in Float(Int.random(in: 1...4095, using: &chance)) }
                let chunk = ChunkRecord(id: .random(), text: "text", pageNumber: nil, embedding: vector)
                let document = try database.putDocument(
                    id: nil, in: library, metadata: DocumentMetadata(title: "title", tags: []), chunks: [chunk])
                written.append((document.id, vector))
                if try nearest(vector) != document.id { missed.writes += 1 }

                guard written.count > 50 else { continue }
                let oldest = written.removeFirst()
                try database.deleteDocument(oldest.id)
                if try nearest(oldest.vector) == oldest.id { missed.deletes += 1 }
            }
            return missed
        }

        let status = try database.indexStatus(of: library)
        let (writes, deletes) = (missed.reduce(0) { $0 + $1.writes }, missed.reduce(0) { $0 + $1.deletes })
        #expect(writes == 0 && deletes == 0)
        #expect(try database.library(library).documentCount == 200)
        report(
            "\(kind.rawValue): writes not found at once, deletes still found, of \(rounds)",
            "\(writes), \(deletes) (index in use: \(status.statistics.active))")
    }

    private struct Missed {
        var writes = 0
        var deletes = 0
    }

    @Test("libraries that are deleted while others write to them and search them answer with what they hold or 404, and nothing else")
    func deletedLibraries() throws {
        let rounds = count("QUIRE_DELETED_LIBRARIES", standard: 100)
        let quire = try QuireInstance(noModel)
        let responder = quire.responder
        let current = Shared(try quire.createVectorLibrary(index: "hnsw"))
        let isOver = Shared(false)
        let first = seed("deleted libraries", standard: 4)
        let statuses = Shared<[String: Int]>([:])
        let clients = (0..<8).map { client in
            Background {
                var chance = SplitMix(seed: first &+ UInt64(client))
                while !isOver.current {
                    let (library, document) = (current.current, chance.document(chunks: 3, dimension: Load.dimension))
                    let replies = [
                        ("put", try quire.put(document, in: library)),
                        ("search", try quire.search(library, for: document.chunks[0].vector, count: 5, isExact: false)),
                        ("get", try quire.get("/v1/documents/\(document.id)")),
                        ("delete", try quire.deleteDocument(document.id)),
                        ("list", try quire.get("/v1/libraries/\(library)/documents")),
                    ]
                    statuses.update { statuses in
                        for (name, reply) in replies { statuses["\(name) \(reply.status)", default: 0] += 1 }
                    }
                }
            }
        }

        for round in 1...rounds {
            statuses.wait { $0["put 201", default: 0] >= 20 * round }
            let old = current.current
            current.set(try quire.createVectorLibrary(index: "hnsw"))
            // Some still write to it.
            #expect(try quire.delete("/v1/libraries/\(old)").status == 204)
        }
        isOver.set(true)
        for client in clients { try client.value() }

        let seen = statuses.current
        let expected = [
            "put 201", "put 404", "search 200", "search 404", "get 200", "get 404", "delete 204", "delete 404", "list 200", "list 404",
        ]
        let unexpected = seen.filter { !expected.contains($0.key) }
        #expect(unexpected.isEmpty, "\(seen)")
        #expect(seen["search 404", default: 0] + seen["put 404", default: 0] > 0, "no client met a deleted library: \(seen)")
        #expect(quire.responder == responder, "nobody restarted it:\n\(quire.log)")
        let listed = try #require(try quire.get("/v1/libraries").json.array)
        #expect(listed.map { $0["id"]?.string } == [current.current])
        try quire.killResponder()
        #expect(try quire.get("/v1/libraries").json.array?.map { $0["id"]?.string } == [current.current])
        report(
            "libraries deleted under load: answers other than 2xx and 404",
            "\(unexpected.values.reduce(0, +)) of \(seen.values.reduce(0, +))")
    }
}
