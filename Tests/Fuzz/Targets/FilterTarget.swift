import API
import Database
import DatabaseTestSupport
import Glibc
import JSON
import Locks
import Storage
import StorageTestSupport
import VectorSearch

/// Proves that the filter language takes any bytes: they are refused, each mistake with its place, or they are a filter, and what is
/// counted, listed and found by it is what its definition says, of every chunk one by one. The time that takes grows no faster than the
/// filter.
struct FilterTarget: FuzzTarget {
    private let shared = SharedShelf()

    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws {
        let shelf = try shared.shelf(in: directory)
        let start = processorTime()
        guard let filter = try Self.read(input) else { return }
        let admitted = try shelf.admitted(by: filter)
        let time = processorTime() - start
        try promise(time < 0.1 + 25e-6 * Double(input.count), "a filter of \(input.count) bytes took \(time) s")
        // The mistake: not one of several is taken for not all of them.
        try promise(
            admitted == shelf.admittedByDefinition(hasPlantedBug ? filter.withPlantedBug : filter), "the columns say \(admitted.chunks)")
    }

    /// Nil: refused.
    private static func read(_ bytes: [UInt8]) throws -> Filter? {
        do {
            let reader = JSONReader(try JSONDocument(parsing: bytes))
            let filter = reader.root.filter()
            try reader.finish()
            guard let filter else { throw BrokenPromise(description: "no filter, and no reason") }
            return filter
        } catch let error as JSONProblems {
            try promise(
                !error.problems.isEmpty && error.problems.allSatisfy { $0.location.first == .key("body") && !$0.message.isEmpty },
                "a refusal without a place: \(error.problems)")
            return nil
        } catch is JSONSyntaxError {
            return nil
        }
    }

    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        switch mutator.choose(16) {
        case 0, 1:
            var bytes = input
            mutator.change(&bytes, limit: limit)
            return bytes
        // A filter of filters, which tokens alone hardly make.
        case 2: return Array(#"{"$not": "#.utf8) + input + Array("}".utf8)
        case 3: return Array(#"{"$or": ["#.utf8) + input + Array(#", {"custom.x": 1}]}"#.utf8)
        default: break
        }
        var tokens = JSONTokens(input, words: Self.words)
        for _ in 0...mutator.choose(8) / 6 { tokens.mutate(limit: limit, with: &mutator) }
        return tokens.text
    }

    private static let words =
        """
        title author document_type source_url tags created_at page_number chunk_index document_id custom.x custom.y custom.z $and $or
        $not $eq $ne $in $nin $gt $gte $lt $lte $exists $contains a ab b z 2026-11-22T09:30:00Z 2026-04-01
        """.split(whereSeparator: \.isWhitespace).map { "\"\($0)\"" }

    func seeds(in directory: String) throws -> [String: [UInt8]] {
        let seeds = [
            "equal": #"{"author": "ab"}"#,
            "null": #"{"author": null, "custom.x": {"$ne": null}}"#,
            "list": #"{"tags": {"$in": ["a", "b"]}, "custom.y": {"$nin": [1, "ab", true, null]}}"#,
            "range": #"{"page_number": {"$gte": 1, "$lt": 3}, "title": {"$gt": "a"}}"#,
            "time": #"{"created_at": {"$gte": "2026-04-01", "$lt": "9999-01-01T00:00:00+01:00"}}"#,
            "exists": #"{"custom.z": {"$exists": true}, "source_url": {"$exists": false}}"#,
            "contains": #"{"title": {"$contains": "b"}, "custom.x": {"$contains": 2}}"#,
            "any": #"{"$or": [{"custom.x": 1}, {"custom.x": "a"}]}"#,
            "all": #"{"$not": {"$and": [{"chunk_index": 0}, {"tags": "a"}]}}"#,
            "id": #"{"document_id": {"$in": ["00000000-0000-4000-8000-000000000003"]}}"#,
            "mistakes": #"{"autor": 1, "$nor": [], "tags": {"$gt": "a"}, "created_at": "yesterday"}"#,
            "nothing": "{}",
        ]
        return seeds.mapValues { Array($0.utf8) }
    }
}

extension Filter {
    fileprivate var withPlantedBug: Filter {
        switch self {
        case .all(let parts): .all(parts.map(\.withPlantedBug))
        case .any(let parts): .any(parts.map(\.withPlantedBug))
        case .not(.any(let parts)): .not(.all(parts.map(\.withPlantedBug)))
        case .not(let part): .not(part.withPlantedBug)
        case .condition: self
        }
    }
}

/// The library that filters are asked of: small, with every kind of value in every field. Nobody changes it.
private final class Shelf {
    /// What a filter lets through, in the order of the documents.
    struct Admitted: Equatable {
        var documents: [DocumentID] = []
        var chunks: [ChunkID] = []
    }

    let directory: String
    private let database: Database
    private let library: LibraryID
    private let documents: [Document]

    init(in directory: String) throws {
        self.directory = directory
        database = try Database(directory: directory, fileSystem: SimulatedFileSystem(), logOptions: .small, builderThreads: 0)
        library = try database.createLibrary(name: "shelf", description: nil, metric: .l2, dimension: 1, model: "external").record.id
        for number in 0..<24 { try Self.put(number, in: library, of: database) }
        documents = try database.documents(in: library, after: nil, limit: 100).elements
    }

    deinit { try? database.close() }

    private static func put(_ number: Int, in library: LibraryID, of database: Database) throws {
        let words = ["a", "ab", "b", "caf\u{e9}", "cafe\u{301}", "z", "zab"]
        func custom(_ number: Int) -> CustomFields {
            let values: [CustomFields.Value] = [
                .null, .bool(true), .bool(false), .number(1), .number(2), .number(-0.5), .number(1e300), .string("a"), .string(""),
                .string("ab"), .numbers([1, 2]), .numbers([]), .strings(["a", "b"]), .strings([""]),
            ]
            let names = ["x", "y", "z"].enumerated().filter { (number + $0.offset) % 3 > 0 }
            return CustomFields(names.map { (name: $0.element, value: values[(number * 5 + $0.offset * 3) % values.count]) })!
        }
        let digits = String(number)
        let metadata = DocumentMetadata(
            title: words[number % words.count], author: number % 3 == 0 ? nil : words[number % 5], documentType: words[number % 2],
            sourceURL: number % 4 == 0 ? words[number % 3] : nil, tags: Array(words.prefix(number % 4)), custom: custom(number))
        _ = try database.putDocument(
            id: DocumentID("00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits), in: library,
            metadata: metadata,
            chunks: (0..<1 + number % 3).map { chunk in
                ChunkRecord(
                    id: .random(), text: "", pageNumber: chunk == 0 ? nil : number % 5, custom: custom(number + 7 * chunk),
                    embedding: [Float(4 * number + chunk)])
            })
    }

    /// As the database counts, lists and finds it.
    func admitted(by filter: Filter) throws -> Admitted {
        var admitted = Admitted()
        var cursor: SequenceNumber?
        repeat {
            let page = try database.documents(in: library, passing: filter, after: cursor, limit: 7)
            admitted.documents += page.elements.map(\.id)
            cursor = page.next
        } while cursor != nil
        // From 0 on, by what the vectors say, all chunks are in the order of the documents.
        admitted.chunks = try database.search(in: library, query: [0], count: 100, isExact: true, filter: filter).hits.map(\.chunk.id)
        let count = try database.count(in: library, passing: filter)
        try promise(
            count.documents == admitted.documents.count && count.chunks == admitted.chunks.count,
            "\(count) are counted, \(admitted.documents.count) documents are listed, \(admitted.chunks.count) chunks are found")
        return admitted
    }

    func admittedByDefinition(_ filter: Filter) -> Admitted {
        var admitted = Admitted()
        for document in documents {
            let chunks = document.chunks.indices.filter { filter.admits(ChunkFacts(document, $0)) }
            admitted.chunks += chunks.map { document.chunks[$0].id }
            if !chunks.isEmpty { admitted.documents.append(document.id) }
        }
        return admitted
    }
}

extension ChunkFacts {
    fileprivate init(_ document: Document, _ index: Int) {
        self.init(
            documentID: document.id, metadata: document.metadata, createdAt: document.createdAt, index: index,
            pageNumber: document.chunks[index].pageNumber, custom: document.chunks[index].custom)
    }
}

/// Makes the library once.
// Sound as Sendable: `shelf` is read and written under the lock, and what it leads to is only read.
private final class SharedShelf: @unchecked Sendable {
    private let lock = Lock()
    private var shelf: Shelf?

    func shelf(in directory: String) throws -> Shelf {
        try lock.withLock {
            if let shelf, shelf.directory == directory { return shelf }
            shelf = nil
            let new = try Shelf(in: directory)
            shelf = new
            return new
        }
    }
}
