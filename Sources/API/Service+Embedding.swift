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
        let model = try model(of: library.source)
        // The first vectors say whose the others have to be.
        if library.source.fingerprint == nil, inputType == .document {
            _ = try database.updateLibrary(library.id, LibraryChange(fingerprint: fingerprint(of: model).encoded))
        }
        return try embed(texts, as: inputType, with: model)
    }

    /// Text as vectors of a model. A query that was asked before is not computed again.
    ///
    /// - Throws: 503 if the model's provider is missing or fails, or if it is not done in time: a reply that nginx no longer waits for
    ///   must not be a write.
    func embed(_ texts: [String], as inputType: EmbeddingInputType, with model: EmbeddingModel) throws -> Embeddings {
        guard inputType == .query else { return try compute(texts, as: inputType, with: model) }
        var vectors = texts.map { queryCache.vector(of: $0, model: model.name) }
        let missing = vectors.indices.filter { vectors[$0] == nil }
        guard !missing.isEmpty else { return Embeddings(dimension: model.dimension, values: vectors.flatMap { $0! }) }
        let computed = try compute(missing.map { texts[$0] }, as: .query, with: model)
        for (position, index) in missing.enumerated() {
            vectors[index] = Array(computed[position])
            queryCache.add(vectors[index]!, of: texts[index], model: model.name)
        }
        return Embeddings(dimension: model.dimension, values: vectors.flatMap { $0! }, tokens: computed.tokens)
    }

    /// Documents and lists of queries take their turn at the gate; a single query is short and goes straight ahead, unless it goes over
    /// the network.
    private func compute(_ texts: [String], as inputType: EmbeddingInputType, with model: EmbeddingModel) throws -> Embeddings {
        let provider = try catalogue.provider(for: model)
        let deadline = ContinuousClock.now + Self.embeddingLimit
        func embeddings() throws -> Embeddings { try provider.embed(texts, as: inputType, deadline: deadline) }
        guard model.isLocal else { return try embeddingGate.passRemotely(embeddings) }
        return try inputType == .query && texts.count == 1 ? embeddings() : embeddingGate.pass(before: deadline, embeddings)
    }
}
