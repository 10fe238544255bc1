import Database
import Embedding

extension Service {
    /// Text as vectors of the library's model.
    ///
    /// - Throws: 400 for a library that takes only vectors, and as below.
    func embed(_ texts: [String], as inputType: EmbeddingInputType, for library: LibraryRecord) throws -> Embeddings {
        guard library.model != LibraryRecord.externalModel else {
            throw APIError(.invalidRequest, "The library takes only precomputed vectors: its embedding_model is '\(library.model)'")
        }
        guard let model = try catalogue.model(named: library.model) else {
            throw EmbeddingError.providerUnavailable(model: library.model, reason: "this version's catalogue does not have it")
        }
        return try embed(texts, as: inputType, with: model)
    }

    /// Text as vectors of a model.
    ///
    /// Documents take their turn at the gate; a query is short and goes straight ahead, unless it goes over the network. A query that
    /// was asked before is not computed again.
    ///
    /// - Throws: 503 if the model's provider is missing or fails, or if it is not done in time: a reply that nginx no longer waits for
    ///   must not be a write.
    func embed(_ texts: [String], as inputType: EmbeddingInputType, with model: EmbeddingModel) throws -> Embeddings {
        let provider = try catalogue.provider(for: model)
        let deadline = ContinuousClock.now + Self.embeddingLimit
        if inputType == .query, let cached = cached(texts, model) { return cached }
        let embeddings =
            if !model.isLocal {
                try embeddingGate.passRemotely { try provider.embed(texts, as: inputType, deadline: deadline) }
            } else if inputType == .query {
                try provider.embed(texts, as: inputType, deadline: deadline)
            } else {
                try embeddingGate.pass(before: deadline) { try provider.embed(texts, as: inputType, deadline: deadline) }
            }
        if inputType == .query {
            for (index, text) in texts.enumerated() { queryCache.add(Array(embeddings[index]), of: text, model: model.name) }
        }
        return embeddings
    }

    /// The vectors of all of these queries, if all of them were asked before.
    private func cached(_ queries: [String], _ model: EmbeddingModel) -> Embeddings? {
        var values: [Float] = []
        for query in queries {
            guard let vector = queryCache.vector(of: query, model: model.name) else { return nil }
            values += vector
        }
        return Embeddings(dimension: model.dimension, values: values)
    }
}
