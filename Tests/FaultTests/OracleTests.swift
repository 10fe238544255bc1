import TestSupport
import Testing

/// Faults that a database could have, planted in what an honest one would say.
@Suite("Faults: the oracle")
struct OracleTests {
    private let kept: Oracle.Document
    private let deleted: Oracle.Document
    private let unknownlyPut: Oracle.Document
    private let unknownlyDeleted: Oracle.Document

    init() {
        var generator = SplitMix(seed: 1)
        func document() -> Oracle.Document { generator.document(chunks: 2, dimension: 4) }
        (kept, deleted, unknownlyPut, unknownlyDeleted) = (document(), document(), document(), document())
    }

    private func oracle() -> Oracle {
        let oracle = Oracle()
        for document in [kept, deleted, unknownlyDeleted] { oracle.put(document) { .acknowledged } }
        oracle.delete(deleted.id) { .acknowledged }
        oracle.put(unknownlyPut) { .unknown }
        oracle.delete(unknownlyDeleted.id) { .unknown }
        return oracle
    }

    /// What a database says that holds these documents.
    private func contents(_ documents: [Oracle.Document]) -> Contents {
        let chunks = documents.flatMap(\.chunks).map(\.id)
        return Contents(
            listed: documents.map(\.id), asked: oracle().allDocuments.union(documents.map(\.id)),
            documents: Dictionary(uniqueKeysWithValues: documents.map { ($0.id, $0) }), documentCount: documents.count,
            chunkCount: chunks.count, nearest: Dictionary(uniqueKeysWithValues: chunks.map { ($0, $0) }))
    }

    @Test("accepts what was acknowledged, with what is unknown there or not", arguments: 0..<4)
    func accepts(unknown: Int) {
        let unknowns = [unknownlyPut, unknownlyDeleted].enumerated().filter { unknown >> $0.offset & 1 == 1 }.map(\.element)

        #expect(oracle().violations(in: contents([kept] + unknowns)) == [])
    }

    @Test("reports an acknowledged document that is gone, also when nobody asked for it")
    func lost() {
        #expect(oracle().violations(in: contents([])) == [.lost(document: kept.id)])
        var unasked = contents([])
        unasked.asked = []
        #expect(oracle().violations(in: unasked) == [.lost(document: kept.id)])
    }

    @Test("reports a deleted document that is there, also when nobody asked for it")
    func resurrected() {
        #expect(oracle().violations(in: contents([kept, deleted])) == [.resurrected(document: deleted.id)])
        var unasked = contents([kept, deleted])
        unasked.asked = [kept.id]
        unasked.documents[deleted.id] = nil
        unasked.documentCount = 1
        unasked.chunkCount = 2
        #expect(oracle().violations(in: unasked).contains(.resurrected(document: deleted.id)))
    }

    @Test("reports a document that nobody sent")
    func madeUp() {
        var stranger = kept
        stranger.id = "stranger"
        stranger.chunks = []

        #expect(oracle().violations(in: contents([kept, stranger])) == [.madeUp(document: "stranger")])
    }

    @Test("reports half a document, acknowledged or not", arguments: [false, true])
    func half(isAcknowledged: Bool) {
        var half = isAcknowledged ? kept : unknownlyPut
        half.chunks.removeLast()

        #expect(oracle().violations(in: contents(isAcknowledged ? [half] : [kept, half])) == [.altered(document: half.id)])
    }

    @Test("reports a vector that differs in one bit, a changed text and a changed title")
    func altered() {
        let changes: [(inout Oracle.Document) -> Void] = [
            { $0.chunks[1].vector[3] = $0.chunks[1].vector[3].nextUp }, { $0.chunks[0].text += "." }, { $0.title = "" },
            { $0.chunks.swapAt(0, 1) },
        ]
        for change in changes {
            var changed = kept
            change(&changed)
            #expect(oracle().violations(in: contents([changed])) == [.altered(document: kept.id)])
        }
    }

    @Test("reports wrong counts")
    func miscounted() {
        var wrong = contents([kept])
        wrong.chunkCount = 3
        #expect(oracle().violations(in: wrong) == [.miscounted(documents: 1, chunks: 3, insteadOf: 1, 2)])
        wrong = contents([kept])
        wrong.documentCount = 2
        #expect(oracle().violations(in: wrong) == [.miscounted(documents: 2, chunks: 2, insteadOf: 1, 2)])
    }

    @Test("reports a list that leaves a document out, has it twice, or has one that is not there")
    func listedWrongly() {
        for listed in [[], [kept.id, kept.id], [kept.id, deleted.id]] {
            var wrong = contents([kept])
            wrong.listed = listed
            let document = listed.count == 2 && listed[1] != kept.id ? deleted.id : kept.id
            #expect(oracle().violations(in: wrong) == [.listedWrongly(document: document)])
        }
    }

    @Test("reports a chunk that a search for its own vector does not find")
    func notFound() {
        var wrong = contents([kept])
        wrong.nearest[kept.chunks[1].id] = kept.chunks[0].id

        #expect(oracle().violations(in: wrong) == [.notFound(chunk: kept.chunks[1].id)])
    }

    @Test("holds a database to what it has shown of the unknown")
    func settles() {
        let oracle = oracle()
        #expect(oracle.violations(in: contents([kept, unknownlyPut])) == [])

        #expect(oracle.violations(in: contents([kept, unknownlyPut])) == [])
        #expect(
            Set(oracle.violations(in: contents([kept, unknownlyDeleted])))
                == [.lost(document: unknownlyPut.id), .resurrected(document: unknownlyDeleted.id)])
    }

    @Test("reports what a search must not find: a deleted document's chunk, one that nobody sent, another text")
    func search() {
        let start = ContinuousClock.now
        let oracle = oracle()
        let (chunk, gone) = (kept.chunks[0], deleted.chunks[0])

        #expect(oracle.violations(inSearch: [(chunk.id, chunk.text)], since: .now) == [])
        // It may have been found before it was deleted.
        #expect(oracle.violations(inSearch: [(gone.id, gone.text)], since: start) == [])
        #expect(
            oracle.violations(inSearch: [(gone.id, gone.text), ("stranger", "x"), (chunk.id, gone.text)], since: .now)
                == [.foundWrongly(chunk: gone.id), .foundWrongly(chunk: "stranger"), .foundWrongly(chunk: chunk.id)])
    }
}
