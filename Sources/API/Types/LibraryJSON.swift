import Database
import Embedding
import JSON
import Settings
import TextSearch
import VectorSearch

extension JSONWriter {
    /// - Parameter documents: what stands in `documents`; its chunks are left out.
    mutating func write(_ library: LibraryView, documents: [Document]?) {
        object { json in
            json.member("id", library.record.id.description)
            json.member("name", library.record.name)
            json.member("num_documents", library.documentCount)
            json.member("num_chunks", library.chunkCount)
            if let documents {
                json.key("documents")
                json.array { json in
                    for document in documents { json.write(document, chunks: .omitted) }
                }
            }
            json.key("metadata")
            json.object { json in
                json.member("description", library.record.description)
                json.member("created_at", library.record.createdAt.description)
                json.member("updated_at", library.updatedAt.description)
                json.members(library.record.index)
                json.member("metric", library.record.metric.rawValue)
                json.member("embedding_model", library.record.model)
                json.member("embedding_dimension", library.record.dimension)
                json.member("min_recall", library.record.minimumRecall)
                json.key("text")
                json.object { json in
                    json.member("k1", library.record.text.k1)
                    json.member("b", library.record.text.b)
                    json.member("stop_words", library.record.text.stopWords)
                    json.member("stemmer", library.record.text.stemmer)
                }
            }
        }
    }

    mutating func write(_ statistics: LibraryStatistics) {
        let vectors = statistics.vectors
        object { json in
            json.member("library_id", statistics.library.record.id.description)
            json.member("library_name", statistics.library.record.name)
            json.member("num_documents", statistics.library.documentCount)
            json.member("num_chunks", statistics.library.chunkCount)
            json.member("embedding_dimension", vectors.dimension)
            json.member("index_type", statistics.library.record.index.kind.rawValue)
            json.key("vector_store_stats")
            json.object { json in
                json.member("unique_vectors", vectors.uniqueVectors)
                json.member("total_references", vectors.totalReferences)
                json.member("capacity", vectors.capacity)
                json.member("utilization", vectors.capacity == 0 ? 0 : Double(vectors.uniqueVectors) / Double(vectors.capacity))
                json.member("free_indices", vectors.freeRows)
                json.member("dimension", vectors.dimension)
                json.member("storage_type", "memory")
                json.member("bytes", vectors.bytes)
            }
            json.key("index_stats")
            json.writeStatistics(statistics.index)
        }
    }
}

/// The body of `POST /v1/libraries`.
struct NewLibrary {
    let name: String
    let description: String?
    let index: IndexConfiguration
    let model: String
    let dimension: Int
    let metric: Metric
    let text: TextOptions
    let minimumRecall: Double

    static let nameLength = 1...255
    static let descriptionLength = 0...10_000

    init(_ reader: JSONReader, _ catalogue: ModelCatalogue, defaultModel: String) throws {
        var name: String?
        var description: String?
        var index = IndexConfiguration(.auto)
        var embedding: (model: String, dimension: Int)?
        var metric: Metric?
        var text = TextOptions()
        var minimumRecall = 0.0
        reader.readObject { object in
            name = object.required("name") { $0.string(length: Self.nameLength) }
            description = object.optional("description") { $0.string(length: Self.descriptionLength) }
            index = IndexConfiguration(&object, changing: index)
            embedding = Self.readEmbedding(&object, catalogue, defaultModel)
            metric = object.optional("metric") { $0.choice(of: Metric.self) }
            text = object.optional("text") { $0.textOptions() } ?? text
            minimumRecall = object.optional("min_recall") { $0.number(in: LibraryRecord.recallRange) } ?? minimumRecall
        }
        try reader.finish()
        self.name = name!
        self.description = description
        self.index = index
        (self.model, self.dimension) = embedding!
        self.metric = metric ?? .cosine
        self.text = text
        self.minimumRecall = minimumRecall
    }

    /// A dimension alone makes a library of precomputed vectors; with a model it must be the model's. `nil` after a problem.
    private static func readEmbedding(
        _ object: inout JSONObject, _ catalogue: ModelCatalogue, _ defaultModel: String
    ) -> (model: String, dimension: Int)? {
        let (hasModel, hasDimension) = (object.has("embedding_model"), object.has("embedding_dimension"))
        let named = object.optional("embedding_model") { $0.modelName(in: catalogue) }
        let dimension = object.optional("embedding_dimension") { $0.integer(in: 1...Limits.maxDimension) }
        if hasModel && named == nil || hasDimension && dimension == nil { return nil }

        let name = named ?? (hasDimension ? LibraryRecord.externalModel : defaultModel)
        guard let model = catalogue.model(named: name) else {
            if let dimension { return (name, dimension) }
            object.note(.missing, at: "embedding_dimension", "is required for the model '\(name)'")
            return nil
        }
        if let dimension, dimension != model.dimension {
            object.note(.outOfRange, at: "embedding_dimension", "the model '\(name)' has dimension \(model.dimension)")
            return nil
        }
        return (name, model.dimension)
    }
}

extension JSONValue {
    fileprivate func textOptions() -> TextOptions? {
        var options = TextOptions()
        object { object in
            options.k1 = object.optional("k1") { $0.number(in: TextOptions.k1Range) } ?? options.k1
            options.b = object.optional("b") { $0.number(in: TextOptions.bRange) } ?? options.b
            options.stopWords = object.optional("stop_words") { $0.bool() } ?? options.stopWords
            options.stemmer = object.optional("stemmer") { $0.bool() } ?? options.stemmer
        }
        return options
    }

    fileprivate func modelName(in catalogue: ModelCatalogue) -> String? {
        guard let name = string() else { return nil }
        let known = catalogue.models.map(\.name) + [LibraryRecord.externalModel]
        if known.contains(name) { return name }
        let list = known.map { "'\($0)'" }.joined(separator: ", ")
        note(.unknownValue, "unknown value \(JSONReader.quoted(name)); known: \(list)")
        return nil
    }
}

extension LibraryChange {
    /// The body of `PATCH /v1/libraries/{id}`. A field that is absent or null stays as it is; an empty description removes it.
    init(_ reader: JSONReader, index: IndexKind) throws {
        var change = LibraryChange()
        reader.readObject { object in
            change.name = object.optional("name") { $0.string(length: NewLibrary.nameLength) }
            if let description = object.optional("description", { $0.string(length: NewLibrary.descriptionLength) }) {
                change.description = .some(description.isEmpty ? nil : description)
            }
            change.indexParameters = object.optional("index_params") { $0.indexParameters(of: index, onlyLive: true) } ?? [:]
            _ = object.optional("text") { text -> Bool? in
                text.object(unknownField: "unknown field, or one that is fixed when the library is made") { text in
                    change.k1 = text.optional("k1") { $0.number(in: TextOptions.k1Range) }
                    change.b = text.optional("b") { $0.number(in: TextOptions.bRange) }
                }
                return true
            }
            change.minimumRecall = object.optional("min_recall") { $0.number(in: LibraryRecord.recallRange) }
        }
        try reader.finish()
        self = change
    }
}
