import Storage
import Testing
import VectorSearch

@testable import Database

/// The checker of `ConcurrencyTests`, shown histories that must not happen.
@Suite("The checker of histories")
struct HistoryTests {
    private let library = LibraryID.number(1)
    private let document = DocumentID.number(1)
    private let other = DocumentID.number(2)

    /// 1 creates the library, 2 puts the document, 3 replaces it, 4 puts another one, 5 deletes the first, 6 deletes the library.
    private var history: History {
        let time = Timestamp(milliseconds: 0)
        func put(_ id: DocumentID, _ chunk: Int) -> Mutation {
            .putDocument(
                DocumentRecord(
                    id: id, libraryID: library, metadata: DocumentMetadata(title: ""), chunks: [makeChunk(chunk)], writtenAt: time))
        }
        return History([
            .createLibrary(
                LibraryRecord(
                    id: library, name: "", description: nil, metric: .l2, dimension: 4, model: "", index: IndexConfiguration(.bruteForce),
                    createdAt: time)),
            put(document, 1), put(document, 2), put(other, 3), .deleteDocument(document, in: library, at: time), .deleteLibrary(library),
        ])
    }

    private func makeChunk(_ id: Int) -> ChunkRecord { chunk(id, [0, 0, 0, 0]) }

    private func event(_ ticks: ClosedRange<Int>, upper: UInt64, _ observation: Event.Observation) -> Event {
        Event(started: ticks.lowerBound, ended: ticks.upperBound, upper: .number(upper), observation: observation)
    }

    @Test("accepts what can have happened")
    func legal() {
        let both: [ChunkID: SequenceNumber] = [.number(2): .number(3), .number(3): .number(4)]
        let events = [
            event(0...1, upper: 1, .createdLibrary(library, .number(1))), event(2...3, upper: 2, .put(document, .number(2))),
            event(4...9, upper: 4, .put(document, .number(3))), event(5...6, upper: 3, .readDocument(document, .number(2))),
            event(7...8, upper: 3, .refused(.documentExists(document))), event(10...11, upper: 4, .put(other, .number(4))),
            event(12...15, upper: 5, .deletedDocument(document)), event(13...14, upper: 5, .found(library, [.number(3): .number(4)])),
            event(12...15, upper: 5, .matched(library, word: "text", title: "", both, among: both)),
            event(12...15, upper: 5, .matched(library, word: "text", title: nil, [.number(3): .number(4)], among: nil)),
            event(12...15, upper: 5, .matched(library, word: "tex", title: nil, [:], among: both)),
            event(12...15, upper: 5, .counted(library, title: "", MatchCount(documents: 1, chunks: 1))),
            event(12...15, upper: 5, .counted(library, title: "x", MatchCount(documents: 0, chunks: 0))),
            event(16...17, upper: 5, .refused(.documentNotFound(document))),
            event(18...19, upper: 6, .deletedLibrary(library)), event(20...21, upper: 6, .refused(.libraryNotFound(library))),
        ]

        #expect(history.illegal(events).isEmpty)
    }

    @Test("finds each planted fault", arguments: 0..<17)
    func planted(number: Int) throws {
        let both: [ChunkID: SequenceNumber] = [.number(2): .number(3), .number(3): .number(4)]
        let acknowledged = [
            event(0...1, upper: 1, .createdLibrary(library, .number(1))), event(2...3, upper: 2, .put(document, .number(2))),
            event(4...5, upper: 3, .put(document, .number(3))), event(6...7, upper: 4, .put(other, .number(4))),
        ]
        let faults: [Event.Observation] = [
            // A read of the version that was replaced; of one that is still to come; of none.
            .readDocument(document, .number(2)), .readDocument(other, .number(5)), .refused(.documentNotFound(document)),
            // A search that finds a replaced chunk, half the documents, a document twice over, a library that is not there.
            .found(library, [.number(1): .number(2), .number(3): .number(4)]), .found(library, [.number(2): .number(3)]),
            .found(library, [.number(2): .number(3), .number(3): .number(4), .number(9): .number(4)]), .found(.number(7), [:]),
            // Two winners of one create; an acknowledged delete that never was; refusals without a reason.
            .put(document, .number(3)), .deletedDocument(other), .refused(.chunkExists(.number(1))), .refused(.libraryNotFound(library)),
            // Words that find half of what has them, the text that was replaced, or something with another title; lists of two states.
            .matched(library, word: "text", title: nil, [.number(2): .number(3)], among: nil),
            .matched(library, word: "text", title: nil, [.number(1): .number(2), .number(3): .number(4)], among: nil),
            .matched(library, word: "text", title: "x", [.number(2): .number(3)], among: nil),
            .matched(library, word: "text", title: nil, both, among: [.number(2): .number(3)]),
            // A count of one version too many; an update that never was.
            .counted(library, title: "", MatchCount(documents: 2, chunks: 3)), .updated(document, .number(3)),
        ]
        let fault = event(8...9, upper: 4, faults[number])

        let illegal = history.illegal(acknowledged + [fault])

        #expect(illegal.map(\.started) == [8])
    }
}
