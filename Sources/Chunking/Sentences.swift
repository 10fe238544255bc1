/// The sentences of a text, each as one segment, or divided between its words if it does not fit into a chunk.
struct Sentences: IteratorProtocol {
    private let text: MeasuredText
    private var scanner: SentenceScanner
    /// What is left of a sentence that did not fit.
    private var rest: SentenceParts?

    init(of text: MeasuredText) {
        self.text = text
        scanner = SentenceScanner(text.text)
    }

    mutating func next() -> Segment? {
        if let part = rest?.next() { return part }
        rest = nil
        guard let (beginning, end) = scanner.next() else { return nil }
        let sentence = text.segment(from: beginning.position, to: end)
        if text.fits(sentence) { return sentence }
        rest = SentenceParts(words: Words(of: text, from: beginning, to: end), packer: Packer(limits: text.limits, overlap: 0))
        return rest?.next()
    }
}

/// The words of a sentence, as many in a segment as fit into a chunk.
private struct SentenceParts {
    var words: Words
    var packer: Packer

    mutating func next() -> Segment? {
        while let word = words.next() {
            if let full = packer.add(word) { return full }
        }
        return packer.finish()
    }
}
