import Glibc
import TestSupport

@testable import TextSearch

/// Keyword search as its definition says it: all texts, one by one, in Double.
struct NaiveIndex {
    let options: TextOptions
    private(set) var texts: [UInt32: String] = [:]
    private var terms: [UInt32: [Analyzer.Term]] = [:]

    init(_ options: TextOptions) { self.options = options }

    mutating func insert(_ text: String, at slot: UInt32) {
        texts[slot] = text
        terms[slot] = Analyzer(options).terms(of: text)
    }

    mutating func remove(at slot: UInt32) {
        texts[slot] = nil
        terms[slot] = nil
    }

    /// The score of each slot that matches.
    ///
    /// - Parameter phrases: all of which a text must have; their words are among `words` too.
    func scores(of words: [String], phrases: [[Analyzer.Term]] = [], among eligible: Set<UInt32>? = nil) -> [UInt32: Double] {
        let average = Double(terms.values.reduce(0) { $0 + $1.count }) / Double(max(terms.count, 1))
        var scores: [UInt32: Double] = [:]
        for word in words {
            let count = Double(terms.values.count { $0.contains { $0.text == word } })
            let idf = log(1 + (Double(terms.count) - count + 0.5) / (count + 0.5))
            for (slot, terms) in terms {
                let frequency = Double(terms.count { $0.text == word })
                guard frequency > 0 else { continue }
                let norm = options.k1 * (1 - options.b + options.b * Double(terms.count) / average)
                scores[slot, default: 0] += idf * frequency * (options.k1 + 1) / (frequency + norm)
            }
        }
        return scores.filter { slot, _ in
            (eligible?.contains(slot) ?? true) && phrases.allSatisfy { has($0, in: terms[slot]!) }
        }
    }

    private func has(_ phrase: [Analyzer.Term], in text: [Analyzer.Term]) -> Bool {
        let places = Set(text.map { "\($0.position) \($0.text)" })
        let length = (text.last?.position ?? 0) + 1
        return (0..<length).contains { start in
            phrase.allSatisfy { places.contains("\(start + $0.position - phrase[0].position) \($0.text)") }
        }
    }
}

/// Texts of few words, some of them far more common than others, stop words and ends of words among them.
struct RandomTexts {
    var random: SplitMix

    static let words = [
        "fox", "the", "river", "foxes", "bank", "of", "running", "runs", "stone", "and", "café", "Straße", "东", "京", "tree", "lake",
        "Trees",
        "zebra", "quartz", "jumped",
    ]

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    mutating func text(_ counts: ClosedRange<Int> = 0...12) -> String {
        let count = Int.random(in: counts, using: &random)
        return (0..<count).map { _ in word() }.joined(separator: " ")
    }

    mutating func word() -> String {
        let number = min(Int.random(in: 0..<Self.words.count, using: &random), Int.random(in: 0..<Self.words.count, using: &random))
        return Self.words[number]
    }
}

extension TextIndex {
    func search(_ text: String, count: Int = 10, among eligible: SlotSet? = nil) -> TextMatches {
        search(KeywordQuery(text, analyzer: analyzer), count: count, options: options, among: eligible)
    }

    /// The bytes with every slot as it is.
    var encodedInPlace: [UInt8] { encoded(slotOrdinals: (0..<UInt32(lengths.count)).map { $0 }) }
}
