import FoundationEssentials
import Storage
import TestSupport
import TextSearch
import VectorSearch

@testable import Database

/// A data directory in the tree, made by the version of the program that wrote its format. Fixtures/README.md says how the next one is
/// made; nothing in it is ever changed.
enum StoredDirectory {
    static let root = checkout + "/Tests/DatabaseTests/Fixtures"

    static var names: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.filter { !$0.contains(".") }.sorted()
    }

    /// What its database held, as `Database.text` says it; beside the data.
    static func state(of name: String) throws -> String { try String(contentsOfFile: "\(root)/\(name)/state.txt", encoding: .utf8) }

    /// The files of the data directory.
    static func files(of name: String) throws -> [String: [UInt8]] {
        let data = "\(root)/\(name)/data"
        return try FileManager.default.contentsOfDirectory(atPath: data).reduce(into: [:]) { files, name in
            files[name] = try contents(of: "\(data)/\(name)")
        }
    }

    /// Where to write the next one, if that is asked for.
    static let newDirectory = ProcessInfo.processInfo.environment["QUIRE_NEW_STORED_DIRECTORY"]

    /// Writes a new one of today's format: every kind of change, two snapshots with indexes, and records behind them.
    static func make(in directory: String) throws {
        let data = directory + "/data"
        let database = try Database(directory: data)
        let first = try database.makeFirstLibrary()
        let second = try database.createLibrary(
            name: "graph", description: nil, metric: .cosine, dimension: 4, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.hnsw, chosen: [.m: 4]), text: TextOptions(k1: 0.5, b: 0, stopWords: false, stemmer: false)
        ).record.id
        try database.fill(second, count: 40, from: 100)
        try database.waitUntilIndexed(second)
        _ = try database.takeSnapshot()
        try database.rebuildIndex(of: first, as: IndexConfiguration(.ivf, chosen: [.nlist: 2]))
        try database.waitUntilIndexed(first)
        _ = try database.updateLibrary(
            second, LibraryChange(indexParameters: [.efSearch: 30], b: 0.25, minimumRecall: 0.5, fingerprint: [1, 2, 3]))
        try database.reembed(first, second)
        _ = try database.takeSnapshot()
        try database.deleteDocument(.number(3))
        try database.put(200, in: second, [chunk(2000, [0, 0, 1, -1])], title: "behind the snapshots")
        try Data(try database.text().utf8).write(to: URL(filePath: directory + "/state.txt"))
        try database.close()
        for name in try FileManager.default.contentsOfDirectory(atPath: data) where name.hasSuffix(".log") {
            // Without the zeros that are written ahead: a log reads the same without them. A record ends at a multiple of 8 bytes.
            let bytes = try contents(of: "\(data)/\(name)")
            let end = bytes.count - bytes.reversed().prefix { $0 == 0 }.count
            try Data(bytes.prefix((end + 7) & ~7)).write(to: URL(filePath: "\(data)/\(name)"))
        }
        try FileManager.default.removeItem(atPath: "\(data)/\(DirectoryLock.fileName)")
    }
}

extension Database {
    /// Every step of a re-embedding: one that is given up, one that is done, and one that has new vectors for some documents.
    fileprivate func reembed(_ first: LibraryID, _ second: LibraryID) throws {
        let source = EmbeddingSource(model: "smaller", dimension: 2, fingerprint: [4, 5])
        func stage(_ library: LibraryID, chunkLimit: Int) throws {
            let documents = try unstagedDocuments(of: library, after: .zero, chunkLimit: chunkLimit)
            try self.stage(documents.map { document in (document, document.chunks.map { [1, Float($0.id.low & 0xFF)] }) }, by: source)
        }
        try beginReembedding(of: first, as: source)
        try stage(first, chunkLimit: 1)
        try cancelReembedding(of: first)
        try put(201, in: second, [chunk(2001, [0, 1, 0, -1])])
        let third = try createLibrary(
            name: "third", description: nil, metric: .cosine, dimension: 4, model: "larger", fingerprint: [6],
            index: IndexConfiguration(.bruteForce)
        ).record.id
        try put(300, in: third, [chunk(3000, [1, 0, 0, 0]), chunk(3001, [0, 1, 0, 0])])
        try beginReembedding(of: third, as: source)
        try stage(third, chunkLimit: 100)
        _ = try finishReembedding(of: third)
        try beginReembedding(of: second, as: source)
        try stage(second, chunkLimit: 1)
    }

    /// A library whose documents have all there is to have, and that has seen every change of every version of the format.
    fileprivate func makeFirstLibrary() throws -> LibraryID {
        let library = try createLibrary(
            name: "first", description: "to be removed", metric: .l2, dimension: 4, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.bruteForce)
        ).record.id
        let doomed = try createLibrary(
            name: "doomed", description: nil, metric: .dot, dimension: 4, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.bruteForce)
        ).record.id
        try put(1, in: library, [chunk(1, [1, 2, 3, 4], text: "one", page: 7), chunk(2, [-0.0, 1, 0, 0])])
        try put(2, in: doomed, [chunk(3, [1, 1, 1, 1])])
        try put(3, in: library, [chunk(4, [-0.0, 1, 0, 0], text: "the same vector")])
        _ = try putDocument(
            id: .number(4), in: library,
            metadata: DocumentMetadata(
                title: "Ünïcödé \"title\"\n", author: "author", documentType: "pdf", sourceURL: "https://example.org/4", tags: ["a", "b"]),
            chunks: [chunk(5, [0.1, 0.2, 0.3, .leastNonzeroMagnitude])])
        try put(5, in: library, [])
        let custom = CustomFields([
            (name: "none", value: .null), (name: "yes", value: .bool(true)), (name: "number", value: .number(-0.5)),
            (name: "text", value: .string("ü")), (name: "numbers", value: .numbers([1, 2])), (name: "texts", value: .strings(["", "b"])),
        ])!
        _ = try putDocument(
            id: .number(6), in: library, metadata: DocumentMetadata(title: "custom", custom: custom),
            chunks: [
                ChunkRecord(id: .number(7), text: "cut", offsets: 3..<6, custom: custom, embedding: [7, 7, 7, 7]),
                chunk(8, [8, 8, 8, 8]), chunk(9, [9, 9, 9, 9]),
            ])
        _ = try updateDocument(.number(6)) { _ in
            DocumentEdit(
                metadata: DocumentMetadata(title: "updated"), removed: [.number(8)],
                put: [chunk(9, [9, 9, 9, 8], text: "changed"), chunk(10, [0, 0, 0, 1], text: "added")])
        }
        try put(
            1, in: library, [chunk(1, [4, 3, 2, 1], text: "another"), chunk(6, [9, 9, 9, 9])], title: "replaced", onConflict: .replace)
        try deleteDocument(.number(5))
        try deleteLibrary(doomed)
        _ = try updateLibrary(library, LibraryChange(name: "renamed", description: .some(nil)))
        return library
    }

    /// Everything that a client can read, in lines that do not change with the program.
    func text() throws -> String {
        var lines = ["last sequence \(lastSequence)"]
        for library in libraries(after: nil, limit: 1000).elements {
            let record = library.record
            lines.append(
                "library \(record.id) \(record.name.debugDescription) \(record.description.debugDescription) \(record.metric.rawValue) "
                    + "\(record.dimension) \(record.model) created \(record.createdAt) updated \(library.updatedAt) "
                    + "sequences \(library.createdSequence) \(library.sequence)")
            lines.append("  index \(record.index.kind.rawValue)\(record.index.chosenText)")
            if record.text != TextOptions() { lines.append("  \(record.text)") }
            if record.minimumRecall != 0 { lines.append("  minimum of recall \(record.minimumRecall)") }
            if let fingerprint = record.source.fingerprint { lines.append("  fingerprint \(fingerprint)") }
            if let successor = repository.successor(of: record.id).map(DumpedSuccessor.init) {
                let source = successor.source
                lines.append("  successor \(source.model) \(source.dimension) \(source.fingerprint ?? [])")
                for (id, vectors) in successor.documents.sorted(by: { $0.key < $1.key }) { lines.append("    document \(id) \(vectors)") }
            }
            for listed in try documents(in: record.id, after: nil, limit: 1000).elements {
                let view = try document(listed.id, withEmbeddings: true)
                let (document, metadata) = (view.document, view.document.metadata)
                lines.append(
                    "  document \(document.id) \(metadata.title.debugDescription) \(metadata.author.debugDescription) "
                        + "\(metadata.documentType) \(metadata.sourceURL.debugDescription) \(metadata.tags) "
                        + "created \(document.createdAt) updated \(document.updatedAt) sequences \(document.createdSequence) \(document.sequence)"
                        + metadata.custom.words
                )
                for (chunk, vector) in zip(document.chunks, view.embeddings!) {
                    let bits = vector.map { String($0.bitPattern, radix: 16) }.joined(separator: " ")
                    lines.append(
                        "    chunk \(chunk.id) \(chunk.text.debugDescription) page \(chunk.pageNumber ?? 0) vector \(bits)"
                            + chunk.custom.words + (chunk.offsets.map { " offsets \($0.lowerBound) \($0.upperBound)" } ?? "")
                            // Versions that did not keep it gave the document's.
                            + (chunk.createdAt == document.updatedAt ? "" : " created \(chunk.createdAt)"))
                }
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}

extension CustomFields {
    fileprivate var words: String { fields.map { " \($0.name) \($0.value)" }.joined() }
}

extension IndexConfiguration {
    fileprivate var chosenText: String {
        IndexParameter.allCases.compactMap { parameter in chosen[parameter].map { " \(parameter.rawValue) \($0)" } }.joined()
    }
}
