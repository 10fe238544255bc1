import Database
import VectorSearch

/// What a client may ask of a database. What is in a document follows from its number and version, so whoever knows the operations
/// knows everything that was sent.
enum ScriptOperation: Sendable {
    case createLibrary(String, IndexKind)
    case describeLibrary(String, as: String)
    case deleteLibrary(String)
    /// Adds a document, or replaces an earlier version of it.
    case put(TestDocument, in: String)
    case delete(Int)
    case takeSnapshot

    /// Whether it is a record of the log.
    var isChange: Bool { if case .takeSnapshot = self { false } else { true } }

    /// Two operations to prepare with, one whose sync can be held, and three that come meanwhile.
    static let batch =
        [.createLibrary("flat", .bruteForce)] + (1...5).map { .put(TestDocument(number: $0, version: 1), in: "flat") } as [ScriptOperation]
    static let heldOfBatch = 2

    /// Seven operations a round, and five: every kind of change, and snapshots, of which the third and each later one has the log and
    /// the oldest snapshot give up what they replace.
    static func script(rounds: Int) -> [ScriptOperation] {
        [.createLibrary("flat", .bruteForce), .createLibrary("graph", .hnsw), .createLibrary("doomed", .auto)]
            + (1...rounds).flatMap { round in
                let first = 10 * round
                return [
                    .put(TestDocument(number: first, version: 1), in: "flat"),
                    .put(TestDocument(number: first + 1, version: 1), in: "graph"),
                    .put(TestDocument(number: first + 2, version: 1), in: "doomed"),
                    .put(TestDocument(number: first, version: 2), in: "flat"),
                    .delete(first + 1 - round % 2),
                    .describeLibrary("flat", as: "after round \(round)"),
                    .takeSnapshot,
                ] as [ScriptOperation]
            } + [.deleteLibrary("doomed"), .put(TestDocument(number: 1, version: 1), in: "graph")]
    }
}

struct TestDocument: Hashable, Sendable {
    let number: Int
    let version: Int

    var id: DocumentID { Self.id(number) }
    var title: String { "document \(number), version \(version)" }

    /// Two of them at first, one later, none of which shares a vector with any other.
    var chunks: [ChunkRecord] {
        (version...2).map { index in
            ChunkRecord(
                id: ChunkID(Self.uuid(100 * number + 10 * version + index))!, text: "\(title), chunk \(index)", pageNumber: index,
                // A tenth has no end in binary, and zero has a sign: bits that a conversion would lose.
                embedding: [Float(number), Float(version), Float(index) + 0.1, -0.0])
        }
    }

    static func id(_ number: Int) -> DocumentID { DocumentID(uuid(number))! }

    private static func uuid(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }
}
