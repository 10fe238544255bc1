import Storage
import VectorSearch

/// What records say, in a line for people.
extension Mutation {
    var summary: String {
        switch self {
        case .createLibrary(let library): library.summary
        case .updateLibrary(let id, let change, _): "\(id)\(change.summary)"
        case .deleteLibrary(let id): "\(id)"
        case .putDocument(let document):
            "\(document.id) \"\(document.metadata.title)\" in library \(document.libraryID), \(document.chunks.count) chunks"
        case .deleteDocument(let id, let library, _): "\(id) in library \(library)"
        case .updateDocument(let update):
            "\(update.id) in library \(update.libraryID), \(update.metadata == nil ? "" : "metadata, ")"
                + "\(update.put.count) chunks put, \(update.removed.count) removed"
        case .rebuildIndex(let id, let index, _): "\(id), index \(index.kind.rawValue)"
        case .beginReembedding(let id, let source), .finishReembedding(let id, let source, _):
            "\(id), model \(source.model), \(source.dimension) dimensions"
        case .stageDocument(let staged): "\(staged.id) in library \(staged.libraryID), \(staged.embeddings.count) vectors"
        case .cancelReembedding(let id): "\(id)"
        }
    }

    /// What a record says whose payload may be damaged, as far as it makes sense.
    static func summary(ofDamaged record: LogRecord) -> String {
        if let mutation = try? Mutation(record: record) { return mutation.summary }
        var reader = BinaryReader(record.payload)
        guard let type = RecordType(rawValue: record.type), let id: LibraryID = try? reader.readID() else { return "" }
        guard [.putDocument, .deleteDocument, .updateDocument, .stageDocument].contains(type),
            let library: LibraryID = try? reader.readID()
        else { return "\(id)" }
        let title = type == .putDocument ? (try? reader.readString()).map { " \"\($0)\"" } ?? "" : ""
        return "\(id)\(title) in library \(library)"
    }
}

extension Mutation.RecordType {
    var name: String {
        switch self {
        case .createLibrary: "create library"
        case .updateLibrary: "update library"
        case .deleteLibrary: "delete library"
        case .putDocument: "put document"
        case .deleteDocument: "delete document"
        case .updateDocument: "update document"
        case .rebuildIndex: "rebuild index"
        case .beginReembedding: "begin re-embedding"
        case .stageDocument: "stage document"
        case .finishReembedding: "finish re-embedding"
        case .cancelReembedding: "cancel re-embedding"
        }
    }

    /// The name of a record's type, also of one that this version does not know.
    static func name(of record: LogRecord) -> String {
        guard let type = Self(rawValue: record.type) else { return "type \(record.type)" }
        return (1...type.version).contains(record.version) ? type.name : "\(type.name), version \(record.version)"
    }
}

extension LibraryRecord {
    var summary: String {
        "\(id) \"\(name)\", \(metric.rawValue), \(dimension) dimensions, model \(model), index \(index.kind.rawValue)"
    }
}

extension LibraryChange {
    fileprivate var summary: String {
        let parts = [
            name.map { "name \"\($0)\"" }, description.map { $0.map { "description \"\($0)\"" } ?? "no description" },
            indexParameters.isEmpty ? nil : "parameters of the index", k1.map { "k1 \($0)" }, b.map { "b \($0)" },
            minimumRecall.map { "minimum of recall \($0)" },
            fingerprint.map { _ in "fingerprint of its model" },
        ]
        return parts.compactMap { $0 }.map { ", \($0)" }.joined()
    }
}

extension SnapshotCoding {
    private static let namedDocuments = 3

    /// How many documents a section has, and which the first of them are.
    static func summary(ofDocuments payload: [UInt8], _ type: SectionType) -> String {
        var reader = BinaryReader(payload)
        var names: [String] = []
        var count = 0
        while !reader.isAtEnd {
            guard let document = try? reader.readDocument(of: .random(), rowCount: .max, type, slot: { Slot(0) }) else {
                return "\(count) documents, then nonsense"
            }
            count += 1
            if names.count < namedDocuments { names.append("\(document.id) \"\(document.metadata.title)\"") }
        }
        return "\(count) documents: \(names.joined(separator: ", "))\(count > names.count ? ", …" : "")"
    }
}

extension SnapshotCoding.LibraryHead {
    var summary: String { "\(record.summary); \(documentCount) documents, \(rowCount) rows, changed by record \(changed)" }
}
