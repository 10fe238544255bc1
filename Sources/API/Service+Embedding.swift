import Database
import Embedding

extension Service {
    /// How somebody waits who wants texts embedded.
    struct Waiting {
        /// When a result is of no use any more.
        var deadline: ContinuousClock.Instant
        /// Whether to wait, and not be turned away, while too many others wait for embeddings.
        var isPatient = false
    }

    /// From now on for as long as a request may take.
    var briefly: Waiting { Waiting(deadline: .now + embeddingLimit) }
    /// As long, for each group of the lines of a stream: its thread waits for the client most of the time.
    var patiently: Waiting { Waiting(deadline: .now + embeddingLimit, isPatient: true) }

    /// Text as vectors of the library's model.
    ///
    /// - Throws: 400 for a library that takes only vectors, and as below.
    func embed(
        _ texts: [String], as inputType: EmbeddingInputType, for library: LibraryRecord, _ waiting: Waiting? = nil
    ) throws -> Embeddings {
        guard library.model != LibraryRecord.externalModel else {
            throw APIError(.invalidRequest, "The library takes only precomputed vectors: its embedding_model is '\(library.model)'")
        }
        let model = try model(of: library.source)
        // The first vectors say whose the others have to be.
        if library.source.fingerprint == nil, inputType == .document {
            _ = try database.updateLibrary(library.id, LibraryChange(fingerprint: fingerprint(of: model).encoded))
        }
        return try embed(texts, as: inputType, with: model, waiting)
    }

    /// Text as vectors of a model. A query that was asked before is not computed again.
    ///
    /// - Throws: 503 if the model's provider is missing or fails, or if it is not done in time: a reply that nginx no longer waits for
    ///   must not be a write.
    func embed(
        _ texts: [String], as inputType: EmbeddingInputType, with model: EmbeddingModel, _ waiting: Waiting? = nil
    ) throws -> Embeddings {
        guard inputType == .query else { return try compute(texts, as: inputType, with: model, waiting) }
        var vectors = texts.map { queryCache.vector(of: $0, model: model.name) }
        let missing = vectors.indices.filter { vectors[$0] == nil }
        guard !missing.isEmpty else { return Embeddings(dimension: model.dimension, values: vectors.flatMap { $0! }) }
        let computed = try compute(missing.map { texts[$0] }, as: .query, with: model, waiting)
        for (position, index) in missing.enumerated() {
            vectors[index] = Array(computed[position])
            queryCache.add(vectors[index]!, of: texts[index], model: model.name)
        }
        return Embeddings(dimension: model.dimension, values: vectors.flatMap { $0! }, tokens: computed.tokens)
    }

    /// Documents and lists of queries take their turn at the gate, and more turns while nobody else wants them; a single query is short
    /// and goes straight ahead, unless it goes over the network.
    private func compute(
        _ texts: [String], as inputType: EmbeddingInputType, with model: EmbeddingModel, _ waiting: Waiting?
    ) throws -> Embeddings {
        let catalogue = try catalogue
        return try embeddingMonitor.observe(model, texts: texts.count) {
            let provider = try catalogue.provider(for: model)
            let (gate, waiting) = (embeddingGate, waiting ?? briefly)
            let deadline = waiting.deadline
            if model.isLocal, inputType == .query, texts.count == 1 {
                return try provider.embed(texts, as: inputType, deadline: deadline)
            }
            guard model.isLocal else {
                return try gate.enter(before: deadline, isPatient: waiting.isPatient) {
                    try provider.embed(texts, as: inputType, deadline: deadline)
                }
            }
            return try gate.pass(before: deadline, isPatient: waiting.isPatient) {
                try provider.embed(texts, as: inputType, deadline: deadline, on: gate)
            }
        }
    }
}
