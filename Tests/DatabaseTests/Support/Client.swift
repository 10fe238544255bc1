import Storage
import TestSupport
import VectorSearch

@testable import Database

/// Takes note of calls, with the ticks of one clock.
final class Recorder: Sendable {
    private let clock = Shared(0)
    private let test: TestDatabase

    init(_ test: TestDatabase) { self.test = test }

    func record(_ call: (Database) throws(DatabaseError) -> Event.Observation) -> Event {
        let started = tick()
        let observation: Event.Observation
        do {
            observation = try call(test.database)
        } catch {
            observation = .refused(error)
        }
        let upper = test.database.lastSequence
        return Event(started: started, ended: tick(), upper: upper, observation: observation)
    }

    private func tick() -> Int {
        clock.update { clock in
            clock += 1
            return clock
        }
    }
}

/// One thread's random calls, on few ids that all threads share.
struct Client {
    private(set) var events: [Event] = []
    private var generator: SplitMix
    private let libraries: Shared<[LibraryID]>
    private let index: IndexConfiguration
    private let recorder: Recorder

    /// - Parameter index: of the libraries that it makes.
    init(seed: UInt64, libraries: Shared<[LibraryID]>, index: IndexConfiguration, recorder: Recorder) {
        generator = SplitMix(seed: seed)
        self.index = index
        self.libraries = libraries
        self.recorder = recorder
    }

    mutating func write() {
        let document = Int.random(in: 0..<6, using: &generator)
        // Mostly at home, where it can be replaced.
        let home = document % libraries.current.count
        let library = generator.chance(80) ? libraries.current[home] : libraries.current.randomElement(using: &generator)!
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<4: replaceLibrary(library)
        case 4..<30:
            record { database throws(DatabaseError) in
                try database.deleteDocument(.number(document))
                return .deletedDocument(.number(document))
            }
        case 30..<36: read()
        case 36..<46: update(.number(document))
        case 46..<50:
            let index = generator.chance(50) ? index : IndexConfiguration(IndexKind.allCases.randomElement(using: &generator)!)
            record { database throws(DatabaseError) in
                try database.rebuildIndex(of: library, as: index)
                return .rebuiltIndex(library)
            }
        default:
            let policy: ConflictPolicy = generator.chance(70) ? .replace : .error
            // Half the chunk ids belong to the document, half are fought for.
            let chunks = [100 + document, Int.random(in: 0..<15, using: &generator)].map { makeChunk($0) }
            let title = anyTitle()
            record { database throws(DatabaseError) in
                .put(.number(document), try database.put(document, in: library, chunks, title: title, onConflict: policy).sequence)
            }
        }
    }

    /// Puts one of its two chunks, and perhaps another title.
    private mutating func update(_ document: DocumentID) {
        let chunk = makeChunk(generator.chance(50) ? 100 + Int(document.low & 0xFF) : Int.random(in: 0..<15, using: &generator))
        let edit = DocumentEdit(metadata: generator.chance(50) ? DocumentMetadata(title: anyTitle()) : nil, put: [chunk])
        record { database throws(DatabaseError) in
            .updated(document, try database.updateDocument(document) { _ in edit }.sequence)
        }
    }

    mutating func read() {
        let library = libraries.current.randomElement(using: &generator)!
        let (word, title, query) = (anyWord(), anyTitle(), generator.exactVector())
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4:
            let document = DocumentID.number(Int.random(in: 0..<6, using: &generator))
            let withEmbeddings = generator.chance(50)
            record { database throws(DatabaseError) in
                .readDocument(document, try database.document(document, withEmbeddings: withEmbeddings).document.sequence)
            }
        case 4..<6:
            record { database throws(DatabaseError) in
                .found(library, try database.search(in: library, query: query, count: 1000).versions)
            }
        case 6..<8:
            let isFiltered = generator.chance(50)
            record { database throws(DatabaseError) in
                var search = SearchQuery(.keyword, text: word, count: 1000)
                if isFiltered { search.filter = .equals(.title, .string(ExactText(title))) }
                let found = try database.search(in: library, search).versions
                return .matched(library, word: word, title: isFiltered ? title : nil, found, among: nil)
            }
        case 8:
            record { database throws(DatabaseError) in
                let found = try database.search(in: library, SearchQuery(.hybrid, vector: query, text: word, count: 1000))
                let matching = SearchResult.versions(of: found.hits.filter { $0.keywordRank != nil })
                return .matched(library, word: word, title: nil, matching, among: found.versions)
            }
        default:
            record { database throws(DatabaseError) in
                let filter = Filter.equals(.title, .string(ExactText(title)))
                return .counted(library, title: title, try database.count(in: library, passing: filter))
            }
        }
    }

    /// A chunk with a text of a few words.
    private mutating func makeChunk(_ number: Int) -> ChunkRecord {
        let text = (0..<Int.random(in: 0...3, using: &generator)).map { _ in anyWord() }.joined(separator: " ")
        return ChunkRecord(id: .number(number), text: text, embedding: generator.exactVector())
    }

    private mutating func anyWord() -> String { ["fox", "badger", "pond"].randomElement(using: &generator)! }

    private mutating func anyTitle() -> String { ["a", "b"].randomElement(using: &generator)! }

    private mutating func replaceLibrary(_ library: LibraryID) {
        record { database throws(DatabaseError) in
            try database.deleteLibrary(library)
            return .deletedLibrary(library)
        }
        guard case .deletedLibrary = events.last?.observation else { return }
        var new: LibraryID?
        let index = index
        record { database throws(DatabaseError) in
            let view = try database.createLibrary(
                name: "", description: nil, metric: .l2, dimension: 4, model: "external", index: index)
            new = view.record.id
            return .createdLibrary(view.record.id, view.createdSequence)
        }
        if let new { libraries.update { $0 = $0.map { $0 == library ? new : $0 } } }
    }

    private mutating func record(_ call: (Database) throws(DatabaseError) -> Event.Observation) {
        events.append(recorder.record(call))
    }
}

extension SearchResult {
    fileprivate var versions: [ChunkID: SequenceNumber] { Self.versions(of: hits) }

    /// The versions of the documents that the chunks are from.
    fileprivate static func versions(of hits: [SearchHit]) -> [ChunkID: SequenceNumber] {
        Dictionary(hits.map { ($0.chunk.id, $0.document.sequence) }) { first, _ in first }
    }
}
