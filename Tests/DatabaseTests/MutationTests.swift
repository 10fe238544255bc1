import TestSupport
import Testing
import VectorSearch

@testable import Database
@testable import Storage

@Suite("The coding of changes")
struct MutationTests {
    @Test("gives back every change as it was")
    func roundTrip() throws {
        var generator = SplitMix(seed: 7)
        var types: Set<UInt8> = []

        for number in 0..<500 {
            let mutation = generator.mutation()
            let record = LogRecord(mutation)
            types.insert(record.type)
            #expect(try Mutation(record: record) == mutation, "change \(number) of seed 7")
        }

        #expect(types == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12])
    }

    @Test("keeps the bits of vectors")
    func bitExact() throws {
        let values = [-0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1] as [Float]
        let document = DocumentRecord(
            id: .number(1), libraryID: .number(2), metadata: DocumentMetadata(title: ""), chunks: [chunk(1, values)],
            writtenAt: Timestamp(milliseconds: .min))

        guard case .putDocument(let decoded) = try Mutation(record: LogRecord(.putDocument(document))) else {
            Issue.record("a put came back as something else")
            return
        }

        #expect(decoded.chunks[0].embedding.map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test("tells a description that is removed from one that stays")
    func threeDescriptions() throws {
        for description: String?? in [.none, .some(.none), .some("new")] {
            let mutation = Mutation.updateLibrary(
                .number(1), LibraryChange(name: nil, description: description), at: Timestamp(milliseconds: 5))
            #expect(try Mutation(record: LogRecord(mutation)) == mutation)
        }
    }

    @Test("refuses every prefix of a payload, and every payload with a byte too many")
    func refusesPrefixes() {
        var generator = SplitMix(seed: 8)

        for _ in 0..<60 {
            let record = LogRecord(generator.mutation())
            for length in 0..<record.payload.count {
                #expect(throws: StorageError.self) { try Mutation(record: record.with(Array(record.payload.prefix(length)))) }
            }
            #expect(throws: StorageError.self) { try Mutation(record: record.with(record.payload + [0])) }
        }
    }

    @Test("survives flipped bytes and garbage: a change that can be applied, or a refusal")
    func survivesDamage() {
        var generator = SplitMix(seed: 9)
        var refusals = 0

        for _ in 0..<60 {
            let record = LogRecord(generator.mutation())
            for position in record.payload.indices {
                var damaged = record.payload
                damaged[position] ^= UInt8.random(in: 1...255, using: &generator)
                if !isApplicable(record.with(damaged)) { refusals += 1 }
            }
            let garbage = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
            for type in 1...6 as ClosedRange<UInt8> {
                if !isApplicable(LogRecord(type: type, version: 1, flags: [], sequence: .zero, payload: garbage)) { refusals += 1 }
            }
        }

        #expect(refusals > 1000)
    }

    /// Decodes the record; a document goes through `apply` too, which must not stop the process.
    private func isApplicable(_ record: LogRecord) -> Bool {
        do {
            guard case .putDocument(let document) = try Mutation(record: record) else { return true }
            let repository = Repository(builder: IndexBuilder(threads: 0))
            _ = repository.apply(
                .createLibrary(
                    LibraryRecord(
                        id: document.libraryID, name: "", description: nil, metric: .l2, dimension: 4, model: "",
                        index: IndexConfiguration(.bruteForce),
                        createdAt: Timestamp(milliseconds: 0))), at: .number(1))
            let mutation = Mutation.putDocument(document)
            try mutation.validateVectors(in: repository)
            try mutation.validate(against: CurrentState(repository: repository))
            _ = repository.apply(mutation, at: .number(2))
            return true
        } catch {
            return false
        }
    }

    @Test("refuses a page that no client can have sent")
    func refusesHugePage() {
        let record = LogRecord(
            .putDocument(
                DocumentRecord(
                    id: .number(1), libraryID: .number(2), metadata: DocumentMetadata(title: ""),
                    chunks: [chunk(1, [1, 2, 3, 4], page: Int(Int32.max) + 1)], writtenAt: Timestamp(milliseconds: 0))))

        #expect(throws: StorageError.self) { try Mutation(record: record) }
    }

    @Test("refuses types and versions of later programs")
    func refusesUnknownTypes() {
        let payload = LogRecord(.deleteLibrary(.number(1))).payload

        for (type, version) in [(7, 1), (255, 1), (1, 6), (3, 2), (3, 0)] as [(UInt8, UInt8)] {
            #expect(throws: StorageError.unsupportedRecord(type: type, version: version)) {
                try Mutation(record: LogRecord(type: type, version: version, flags: [], sequence: .zero, payload: payload))
            }
        }
    }

    @Test("reads the libraries of version 1, with the index that they name, and their changes")
    func readsVersion1() throws {
        var library = BinaryWriter(capacity: 64)
        library.write(uuid: (high: 1, low: 2))
        library.write("papers")
        library.write(false)
        library.write("l2")
        library.write(UInt32(7))
        library.write("external")
        library.write("brute_force")
        library.write(Int64(99))
        var change = BinaryWriter(capacity: 64)
        change.write(uuid: (high: 1, low: 2))
        change.write(true)
        change.write("new")
        change.write(true)
        change.write(false)
        change.write(Int64(100))
        func read(_ type: UInt8, _ payload: [UInt8], version: UInt8 = 1) throws -> Mutation {
            try Mutation(record: LogRecord(type: type, version: version, flags: [], sequence: .zero, payload: payload))
        }
        let id = LibraryID(high: 1, low: 2)

        let created = try read(1, library.bytes)
        #expect(
            created
                == .createLibrary(
                    LibraryRecord(
                        id: id, name: "papers", description: nil, metric: .l2, dimension: 7, model: "external",
                        index: IndexConfiguration(.bruteForce), createdAt: Timestamp(milliseconds: 99))))
        #expect(
            try read(2, change.bytes)
                == .updateLibrary(id, LibraryChange(name: "new", description: .some(nil)), at: Timestamp(milliseconds: 100)))
        // What is written of them today is version 5, and none is taken for another.
        #expect(created.recordType.version == 5)
        #expect(throws: StorageError.self) { try read(1, library.bytes, version: 2) }
        #expect(throws: StorageError.self) { try read(1, created.encoded(), version: 2) }
        #expect(throws: StorageError.self) { try read(2, change.bytes, version: 3) }
        #expect(throws: StorageError.self) { try read(1, created.encoded()) }
        #expect(throws: StorageError.self) { try read(2, change.bytes, version: 2) }
    }

    @Test(
        "refuses an index that cannot be",
        arguments: [
            ("flat", "none", [], "this version knows no IndexKind 'flat'"),
            ("hnsw", "int4", [], "this version knows no Quantization 'int4'"),
            ("ivf", "int8", [], "an index ivf of int8"), ("hnsw", "none", [("x", 1)], "this version knows no IndexParameter 'x'"),
            ("hnsw", "none", [("nlist", 1)], "parameters of another index than hnsw"), ("hnsw", "none", [("m", 97)], "m 97"),
            ("hnsw", "none", [("m", .max)], "m 4294967295"), ("hnsw", "none", [("m", 8), ("m", 8)], "m 8"),
        ] as [(String, String, [(String, UInt32)], String)])
    func refusesImpossibleIndexes(kind: String, quantization: String, parameters: [(String, UInt32)], reason: String) {
        var writer = BinaryWriter(capacity: 64)
        writer.write(uuid: (high: 1, low: 2))
        writer.write(kind)
        writer.write(quantization)
        writer.write(UInt32(parameters.count))
        for (name, value) in parameters {
            writer.write(name)
            writer.write(value)
        }
        writer.write(Int64(0))

        #expect(throws: StorageError.malformedPayload(offset: 0, reason: reason)) {
            try Mutation(record: LogRecord(type: 6, version: 1, flags: [], sequence: .zero, payload: writer.bytes))
        }
    }

    @Test("refuses a library of an unknown metric or an impossible dimension", arguments: [0, Limits.maxDimension + 1])
    func refusesImpossibleLibraries(dimension: Int) {
        func record(dimension: Int) -> LogRecord {
            LogRecord(
                .createLibrary(
                    LibraryRecord(
                        id: .number(1), name: "", description: nil, metric: .l2, dimension: dimension, model: "",
                        index: IndexConfiguration(.bruteForce),
                        createdAt: Timestamp(milliseconds: 0))))
        }
        #expect(throws: Never.self) { try Mutation(record: record(dimension: Limits.maxDimension)) }

        #expect(throws: StorageError.malformedPayload(offset: 0, reason: "dimension \(dimension)")) {
            try Mutation(record: record(dimension: dimension))
        }
        var payload = record(dimension: 4).payload
        // "l2" stands behind the id, the empty name, the missing description and its own length.
        payload[16 + 4 + 1 + 4] = UInt8(ascii: "x")
        #expect(throws: StorageError.malformedPayload(offset: 0, reason: "this version knows no Metric 'x2'")) {
            try Mutation(record: record(dimension: 4).with(payload))
        }
    }
}

extension LogRecord {
    fileprivate init(_ mutation: Mutation) {
        self.init(
            type: mutation.recordType.rawValue, version: mutation.recordType.version, flags: [], sequence: .zero,
            payload: mutation.encoded())
    }

    fileprivate func with(_ payload: [UInt8]) -> LogRecord {
        LogRecord(type: type, version: version, flags: flags, sequence: sequence, payload: payload)
    }
}

extension SplitMix {
    /// Any change, in the ranges that clients can reach.
    fileprivate mutating func mutation() -> Mutation {
        switch Int.random(in: 0..<10, using: &self) {
        case 0:
            .createLibrary(
                LibraryRecord(
                    id: id(), name: text(), description: optional { $0.text() }, metric: Metric.allCases.randomElement(using: &self)!,
                    dimension: Int.random(in: 1...Limits.maxDimension, using: &self), model: text(),
                    fingerprint: optional { $0.list { UInt8.random(in: 0...255, using: &$0) } },
                    index: index(), minimumRecall: Double.random(in: 0...1, using: &self), createdAt: time()))
        case 1:
            .updateLibrary(
                id(),
                LibraryChange(
                    name: optional { $0.text() }, description: optional { $0.optional { $0.text() } },
                    indexParameters: parameters(of: IndexParameter.allCases),
                    minimumRecall: optional { Double.random(in: 0...1, using: &$0) },
                    fingerprint: optional { $0.list { UInt8.random(in: 0...255, using: &$0) } }), at: time())
        case 2:
            .deleteLibrary(id())
        case 3:
            .putDocument(
                DocumentRecord(
                    id: id(), libraryID: id(),
                    metadata: DocumentMetadata(
                        title: text(), author: optional { $0.text() }, documentType: text(), sourceURL: optional { $0.text() },
                        tags: list { $0.text() }),
                    chunks: list { generator in
                        ChunkRecord(
                            id: generator.id(), text: generator.text(),
                            pageNumber: generator.optional { Int.random(in: 0...Int(Int32.max), using: &$0) },
                            embedding: (0..<4).map { _ in Float.random(in: -1...1, using: &generator) })
                    }, writtenAt: time()))
        case 4:
            .deleteDocument(id(), in: id(), at: time())
        case 5:
            .beginReembedding(id(), source())
        case 6:
            .stageDocument(
                StagedDocument(
                    id: id(), libraryID: id(),
                    embeddings: list { generator in generator.list { Float.random(in: -1...1, using: &$0) } }))
        case 7:
            .finishReembedding(id(), source(), at: time())
        case 8:
            .cancelReembedding(id())
        default:
            .rebuildIndex(id(), index(), at: time())
        }
    }

    private mutating func source() -> EmbeddingSource {
        EmbeddingSource(
            model: text(), dimension: Int.random(in: 1...Limits.maxDimension, using: &self),
            fingerprint: optional { $0.list { UInt8.random(in: 0...255, using: &$0) } })
    }

    private mutating func parameters(of known: [IndexParameter]) -> [IndexParameter: Int] {
        known.reduce(into: [:]) { chosen, parameter in chosen[parameter] = optional { Int.random(in: parameter.range, using: &$0) } }
    }

    private mutating func id<Object>() -> Identifier<Object> { Identifier(high: next(), low: next()) }

    private mutating func time() -> Timestamp { Timestamp(milliseconds: Int64(bitPattern: next())) }

    private mutating func text() -> String {
        let letters: [Unicode.Scalar] = ["a", "\"", "\0", "é", "\u{301}", "語", "🦆", "\u{10FFFF}"]
        return list { letters.randomElement(using: &$0)! }.reduce(into: "") { $0.unicodeScalars.append($1) }
    }

    private mutating func optional<Value>(_ make: (inout SplitMix) -> Value) -> Value? { chance(50) ? make(&self) : nil }

    private mutating func list<Value>(_ make: (inout SplitMix) -> Value) -> [Value] {
        (0..<Int.random(in: 0...5, using: &self)).map { _ in make(&self) }
    }
}
