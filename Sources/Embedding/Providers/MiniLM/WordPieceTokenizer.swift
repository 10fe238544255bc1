import CEmbeddingKernels

/// Text to the ids of an uncased BERT model.
///
/// Control characters are dropped, letters lower-cased and decomposed, accents dropped; words end at space, and punctuation
/// and ideographs are words of their own (the reference's "basic tokenizer"). Each word is then cut into the longest pieces of
/// the vocabulary from left to right (Wu et al. 2016, section 4.1). A word that cannot be cut so, or has more than 100
/// characters, is "[UNK]". The model's marks have no meaning in a text: "[CLS]" there is punctuation and letters.
struct WordPieceTokenizer: Sendable {
    private let vocabulary: Vocabulary
    private let unknown: UInt32
    private let first: UInt32
    private let last: UInt32
    private let maxTokens: Int

    /// `path` is where the vocabulary came from, for the error when it lacks one of the model's marks.
    init(vocabulary: Vocabulary, maxTokens: Int, path: String) throws(EmbeddingError) {
        precondition(maxTokens >= 2, "a text has at least the marks at its ends")
        func mark(_ piece: String) throws(EmbeddingError) -> UInt32 {
            guard let id = vocabulary.id(of: piece) else { throw .invalidModelFile(path: path, reason: "the piece \(piece) is missing") }
            return id
        }
        unknown = try mark("[UNK]")
        first = try mark("[CLS]")
        last = try mark("[SEP]")
        self.vocabulary = vocabulary
        self.maxTokens = maxTokens
    }

    /// Appends the ids of `text`, between [CLS] and [SEP]: from 2 to `maxTokens` of them. Reads no further than that takes.
    func encode(_ text: String, into ids: inout [UInt32]) {
        let limit = ids.count + maxTokens - 1
        ids.append(first)
        append(text.unicodeScalars, upTo: limit, to: &ids)
        ids.append(last)
    }

    /// How many ids `text` has without the marks, whatever the limit.
    func count(_ text: Substring) -> Int {
        var ids: [UInt32] = []
        append(text.unicodeScalars, upTo: .max, to: &ids)
        return ids.count
    }

    /// Appends the ids of a text until there are `limit` of them.
    private func append(_ text: some Sequence<Unicode.Scalar>, upTo limit: Int, to ids: inout [UInt32]) {
        var word = NormalizedWord()
        for scalar in text {
            let normal = bert_normalize(scalar.value)
            switch Int(normal.kind) {
            case SCALAR_WORD:
                word.append(normal)
            case SCALAR_DROPPED:
                break
            case SCALAR_SPACE:
                cut(&word, into: &ids)
            default:
                cut(&word, into: &ids)
                word.append(normal)
                cut(&word, into: &ids)
            }
            if ids.count >= limit { break }
        }
        cut(&word, into: &ids)
        if ids.count > limit { ids.removeLast(ids.count - limit) }
    }

    /// Appends the ids of the word, if there is one, and empties it.
    private func cut(_ word: inout NormalizedWord, into ids: inout [UInt32]) {
        guard word.count > 0 else { return }
        defer { word.removeAll() }
        let before = ids.count
        var start = 0
        while !word.isTooLong, start < word.count, let (id, end) = longestPiece(of: word, from: start) {
            ids.append(id)
            start = end
        }
        guard start < word.count else { return }
        ids.removeLast(ids.count - before)
        ids.append(unknown)
    }

    /// The longest piece that the characters from `start` on begin with, and the character after it.
    private func longestPiece(of word: NormalizedWord, from start: Int) -> (id: UInt32, end: Int)? {
        let from = word.offsets[start]
        // The hashes of all candidates in one pass, then the candidates from the longest down.
        var hashes = InlineArray<101, UInt32>(repeating: 0)
        var hash = Vocabulary.seed(start == 0 ? .start : .inside)
        var end = start
        while end < word.count, word.offsets[end + 1] - from <= vocabulary.longest {
            for byte in word.bytes[word.offsets[end]..<word.offsets[end + 1]] { Vocabulary.mix(&hash, byte) }
            end += 1
            hashes[end] = hash
        }
        while end > start {
            if let id = vocabulary.id(of: word.bytes[from..<word.offsets[end]], hash: hashes[end]) { return (id, end) }
            end -= 1
        }
        return nil
    }
}

/// The characters of a word after normalisation, as UTF-8 with the offset of each.
private struct NormalizedWord {
    /// The longest word that is cut into pieces (`max_input_chars_per_word` of the reference), in scalars.
    static let maximumCount = 100

    private(set) var bytes: [UInt8] = []
    /// Where each character begins, and where the last one ends.
    private(set) var offsets = [0]
    /// More characters were appended than are kept.
    private(set) var isTooLong = false

    var count: Int { offsets.count - 1 }

    mutating func append(_ normal: bert_scalar) {
        append(normal.scalars.0)
        if normal.count > 1 { append(normal.scalars.1) }
        if normal.count > 2 { append(normal.scalars.2) }
    }

    private mutating func append(_ value: UInt32) {
        guard count < Self.maximumCount else {
            isTooLong = true
            return
        }
        if value < 0x80 {
            bytes.append(UInt8(value))
        } else {
            // Every replacement in the table is a scalar, or the scalar that came from the text.
            bytes.append(contentsOf: Unicode.Scalar(value)!.utf8)
        }
        offsets.append(bytes.count)
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        offsets.removeLast(offsets.count - 1)
        isTooLong = false
    }
}
