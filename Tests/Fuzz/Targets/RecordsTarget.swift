import Database
import Storage
import StorageTestSupport
import VectorSearch

/// Proves that replay takes nothing in the payload of a record on trust: whatever changes stand in an intact log, a start refuses them
/// without a change of any file, or makes them, and what is then there is what the next start and a snapshot give again.
struct RecordsTarget: FuzzTarget {
    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws {
        let fileSystem = SimulatedFileSystem()
        let log = try WriteAheadLog.open(directory: directory, fileSystem: fileSystem, policy: .always, options: .small) { _ in }
        for record in Self.records(input) {
            _ = try log.append(
                type: max(1, record.type), version: record.version, flags: RecordFlags(rawValue: UInt16(record.flags)),
                payload: record.payload)
        }
        try log.close()
        try checkStarts(fileSystem, in: directory, hasPlantedBug: hasPlantedBug)
    }

    /// The input is a list of these: type, version, flags, the length of the payload (u16), the payload. Any bytes are one.
    private struct Record {
        var type: UInt8
        var version: UInt8
        var flags: UInt8
        var payload: [UInt8]
    }

    private static func records(_ input: [UInt8]) -> [Record] {
        var records: [Record] = []
        var position = 0
        while position + 5 <= input.count {
            let length = Int(input.number(UInt16.self, at: position + 3))
            let head = input.take(5, from: &position)
            records.append(Record(type: head[0], version: head[1], flags: head[2], payload: input.take(length, from: &position)))
        }
        return records
    }

    private static func encoded(_ records: [Record]) -> [UInt8] {
        var bytes: [UInt8] = []
        for record in records {
            let payload = record.payload.prefix(Int(UInt16.max))
            bytes += [record.type, record.version, record.flags]
            bytes.append(number: UInt16(payload.count))
            bytes += payload
        }
        return bytes
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        var records = Self.records(input)
        guard !records.isEmpty, mutator.choose(8) > 0 else {
            var bytes = input
            mutator.change(&bytes, limit: limit)
            return bytes
        }
        let index = mutator.choose(records.count)
        switch mutator.choose(10) {
        // One more than there are.
        case 0: records[index].type = UInt8(mutator.choose(14))
        case 1: records[index].version = UInt8(mutator.choose(6))
        case 2: records[index].flags ^= 1
        // Most of what a payload holds is one byte long.
        case 6, 7:
            guard !records[index].payload.isEmpty else { break }
            records[index].payload[mutator.choose(records[index].payload.count)] = UInt8(mutator.choose(256))
        case 3: records.remove(at: index)
        case 4: records.insert(records[index], at: mutator.choose(records.count))
        case 5: mutator.change(&records[index].payload, limit: limit - input.count + records[index].payload.count)
        default: mutator.overwrite(&records[index].payload, records[index].payload.indices)
        }
        return Self.encoded(records)
    }

    func seeds(in directory: String) throws -> [String: [UInt8]] {
        var seeds: [String: [UInt8]] = [:]
        for kind in [IndexKind.bruteForce, .hnsw] {
            let fileSystem = SimulatedFileSystem()
            let database = try Database(directory: directory, fileSystem: fileSystem)
            try database.fillWithSamples(documents: 3, index: IndexConfiguration(kind))
            try database.close()
            let files = fileSystem.files.filter { $0.key.hasSuffix(".log") }.sorted { $0.key < $1.key }
            let records = files.flatMap { SegmentFile($0.value).records }.filter { !$0.isSeal }
            seeds[kind.rawValue] = Self.encoded(
                records.map { Record(type: $0.fields[0], version: $0.fields[1], flags: $0.fields[2], payload: $0.payload) })
        }
        return seeds
    }
}

extension Database {
    /// A library with some documents, one of which is replaced and one deleted, a change of its index, and a library that is gone.
    func fillWithSamples(documents: Int, index: IndexConfiguration) throws {
        let gone = try createLibrary(name: "gone", description: nil, metric: .dot, dimension: 2, model: "external")
        try deleteLibrary(gone.record.id)
        let library = try createLibrary(
            name: "größe", description: "of samples", metric: .l2, dimension: 4, model: "external", index: index
        ).record.id
        var ids: [DocumentID] = []
        for number in 0..<documents {
            ids.append(try putSample(number, in: library, id: nil))
        }
        try waitUntilIndexed(library)
        _ = try putSample(documents, in: library, id: ids[1])
        try deleteDocument(ids[0])
        _ = try updateLibrary(library, LibraryChange(name: "samples", description: .some(nil)))
        _ = try rebuildIndex(of: library, as: index, insteadOf: index)
        try waitUntilIndexed(library)
    }

    private func putSample(_ number: Int, in library: LibraryID, id: DocumentID?) throws -> DocumentID {
        let chunks = (0..<3).map { chunk in
            let vector = (0..<4).map { Float((number * 7 + chunk * 3 + $0 * 5) % 11) - 5 }
            return ChunkRecord(id: .random(), text: "text \(chunk)", pageNumber: chunk == 0 ? nil : chunk, embedding: vector)
        }
        let metadata = DocumentMetadata(title: "title \(number)", author: number % 2 == 0 ? nil : "author", tags: ["a", "b"])
        return try putDocument(id: id, in: library, metadata: metadata, chunks: chunks, onConflict: .replace).id
    }
}
