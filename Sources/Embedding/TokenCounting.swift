/// A provider whose model's tokenizer is in this process, so that texts can be measured without being embedded.
package protocol TokenCounting: Sendable {
    /// The tokens of `text`, without the model's own marks and without its limit. May be called from many threads at once.
    ///
    /// Divided at white space, beside punctuation or between ideographs, a text has as many tokens as its parts together.
    func tokenCount(of text: Substring) -> Int
}

extension MiniLMProvider: TokenCounting {
    package func tokenCount(of text: Substring) -> Int { tokenizer.count(text) }
}

extension ModelCatalogue {
    /// What counts the tokens of `model`; nil if its tokenizer is not here: the model is computed elsewhere, or its files are missing.
    package func tokenCounter(for model: EmbeddingModel) -> (any TokenCounting)? {
        try? provider(for: model) as? any TokenCounting
    }
}

extension EmbeddingModel {
    /// Tokens of a text that the model reads, without its own marks at both ends.
    package var maxTextTokens: Int { maxTokens - 2 }
}
