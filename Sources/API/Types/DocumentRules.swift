import Chunking
import Database
import Embedding
import JSON
import Settings

/// What a document that comes to a library has to keep to, and how its text is divided.
struct DocumentRules {
    let settings: Settings
    let library: LibraryRecord
    /// Of one chunk of a text. The library's model ignores what is beyond the upper bound.
    let tokensPerChunk: ClosedRange<Int>
    /// Tokens of a chunk where the client does not say.
    let defaultTokensPerChunk: Int
    let countTokens: @Sendable (Substring) -> Int

    /// Where nothing is known of the model.
    private static let tokensWithoutModel = 256

    /// - Parameter catalogue: has the library's model, unless the library takes only vectors or was made by another version.
    init(_ settings: Settings, _ library: LibraryRecord, _ catalogue: ModelCatalogue) {
        self.settings = settings
        self.library = library
        let model = catalogue.model(named: library.model)
        let least = Chunker.tokenLimits.lowerBound
        let most = model.map { min(max($0.maxTextTokens, least), Chunker.tokenLimits.upperBound) }
        tokensPerChunk = least...(most ?? Chunker.tokenLimits.upperBound)
        defaultTokensPerChunk = most ?? Self.tokensWithoutModel
        if let model, let counter = catalogue.tokenCounter(for: model) {
            countTokens = { counter.tokenCount(of: $0) }
        } else {
            countTokens = { estimatedTokenCount(of: $0) }
        }
    }
}

extension Service {
    func rules(for library: LibraryRecord) throws -> DocumentRules {
        DocumentRules(settings, library, try catalogue)
    }
}

extension [NewChunk] {
    /// `text`, divided as `chunking` says; `nil` after a problem.
    init?(dividing object: inout JSONObject, _ rules: DocumentRules) {
        // Its length is bounded by that of the chunks and their number.
        let text = object.required("text") { $0.text(maxLength: .max) }
        let isSaid = object.has("chunking")
        let said = object.optional("chunking") { $0.chunker(rules) }
        guard let text, let chunker = isSaid ? said : rules.chunker() else { return nil }
        let limit = rules.settings.maxChunksPerDocument
        guard let chunks = try? chunker.chunks(of: text, atMost: limit, countingTokens: rules.countTokens) else {
            object.note(.tooLong, at: "text", "would be more than MAX_CHUNKS_PER_DOCUMENT = \(limit) chunks")
            return nil
        }
        self = chunks.map { NewChunk(text: $0.text, offsets: $0.scalarOffsets) }
    }
}

extension DocumentRules {
    /// What divides a text; `nil` if the overlap is too much.
    fileprivate func chunker(strategy: Chunker.Strategy? = nil, maxTokens: Int? = nil, overlap: Int? = nil) -> Chunker? {
        try? Chunker(
            strategy: strategy ?? .sentence, maxTokens: maxTokens ?? defaultTokensPerChunk, overlap: overlap ?? 0,
            maxLength: settings.maxChunkLength)
    }
}

extension JSONValue {
    /// How a text is to be divided.
    fileprivate func chunker(_ rules: DocumentRules) -> Chunker? {
        var chunker: Chunker?
        object { object in
            let strategy = object.optional("strategy") { $0.choice(of: Chunker.Strategy.self) }
            let maxTokens = object.optional("max_tokens") { $0.integer(in: rules.tokensPerChunk) }
            let overlap = object.optional("overlap") { $0.integer(in: 0...rules.tokensPerChunk.upperBound) }
            chunker = rules.chunker(strategy: strategy, maxTokens: maxTokens, overlap: overlap)
            if chunker == nil {
                object.note(.outOfRange, at: "overlap", "must be less than max_tokens = \(maxTokens ?? rules.defaultTokensPerChunk)")
            }
        }
        return chunker
    }
}
