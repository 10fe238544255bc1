/// Takes the endings of inflection off an English word: plural, possessive, past and participles.
///
/// This is Porter2 ("The English (Porter2) stemming algorithm", snowballstem.org) without its steps 2 to 4, which take the endings of
/// derivation off and make "general", "generous" and "generations" one word. On WordNet's glosses, synsets are found by their lemmas and by
/// sentences that use them more often so than with all of Porter2 (`Benchmarks/text-check`).
///
/// The steps have the names that they have there. Regions are kept as the places where they begin: R1 is what follows the first consonant
/// after a vowel, R2 the same within R1.
struct EnglishStemmer {
    private let word: UnsafeMutablePointer<UInt8>
    private var count: Int
    private var r1 = 0
    private var r2 = 0

    /// Stems a word in place and returns its new count, which is at most the old one. A word with anything but a to z and apostrophes stays.
    ///
    /// - Parameter word: begins with a letter.
    static func stem(_ word: UnsafeMutablePointer<UInt8>, count: Int) -> Int {
        guard count > 2, (0..<count).allSatisfy({ word[$0] &- 0x61 < 26 || word[$0] == 0x27 }) else { return count }
        var stemmer = EnglishStemmer(word: word, count: count)
        if !stemmer.isException() { stemmer.run() }
        return stemmer.count
    }

    private init(word: UnsafeMutablePointer<UInt8>, count: Int) {
        (self.word, self.count) = (word, count)
    }

    private mutating func run() {
        let hasY = markConsonantY()
        markRegions()
        step0()
        step1a()
        if !isInvariantAfterStep1a() {
            step1b()
            step1c()
            step5()
        }
        if hasY { for index in 0..<count where word[index] == UInt8(ascii: "Y") { word[index] = UInt8(ascii: "y") } }
    }

    /// A y at the beginning or after a vowel is a consonant, and is written as Y until the end.
    private mutating func markConsonantY() -> Bool {
        var hasY = false
        for index in 0..<count where word[index] == UInt8(ascii: "y") && (index == 0 || isVowel(index - 1)) {
            word[index] = UInt8(ascii: "Y")
            hasY = true
        }
        return hasY
    }

    private mutating func markRegions() {
        r1 = region(from: 0)
        r2 = region(from: r1)
    }

    private func region(from start: Int) -> Int {
        var index = start
        while index < count, !isVowel(index) { index += 1 }
        while index < count, isVowel(index) { index += 1 }
        return min(index + 1, count)
    }

    /// The possessive.
    private mutating func step0() {
        if ends("'s'") { count -= 3 } else if ends("'s") { count -= 2 } else if ends("'") { count -= 1 }
    }

    /// The plural.
    private mutating func step1a() {
        guard count > 0 else { return }
        if ends("sses") {
            count -= 2
        } else if ends("ied") || ends("ies") {
            count -= count > 4 ? 2 : 1
        } else if ends("us") || ends("ss") {
            return
        } else if ends("s"), hasVowel(before: count - 2) {
            count -= 1
        }
    }

    /// The past and the participles.
    private mutating func step1b() {
        if ends("eed") || ends("eedly") {
            let start = count - (ends("eed") ? 3 : 5)
            if start >= r1 { count = start + 2 }
            return
        }
        let length = ends("ingly") ? 5 : ends("edly") ? 4 : ends("ing") ? 3 : ends("ed") ? 2 : 0
        guard length > 0, hasVowel(before: count - length) else { return }
        count -= length
        if ends("at") || ends("bl") || ends("iz") {
            append("e")
        } else if endsInDouble {
            count -= 1
        } else if count == r1, endsInShortSyllable(at: count) {
            append("e")
        }
    }

    /// A final y becomes i.
    private mutating func step1c() {
        guard count > 2, word[count - 1] | 0x20 == UInt8(ascii: "y"), !isVowel(count - 2) else { return }
        word[count - 1] = UInt8(ascii: "i")
    }

    /// A final e, and one l of two.
    private mutating func step5() {
        if ends("e") {
            if count - 1 >= r2 || count - 1 >= r1 && !endsInShortSyllable(at: count - 1) { count -= 1 }
        } else if ends("ll"), count - 1 >= r2 {
            count -= 1
        }
    }
}

extension EnglishStemmer {
    private mutating func isException() -> Bool {
        guard count <= 6 else { return false }
        for (word, stem) in Self.exceptions where word.utf8CodeUnitCount == count && begins(word) {
            count = 0
            append(stem)
            return true
        }
        return false
    }

    private static let exceptions: [(StaticString, StaticString)] = [
        ("skis", "ski"), ("skies", "sky"), ("sky", "sky"), ("dying", "die"), ("lying", "lie"), ("tying", "tie"), ("news", "news"),
        ("howe", "howe"), ("atlas", "atlas"), ("cosmos", "cosmos"), ("bias", "bias"), ("andes", "andes"),
    ]

    private func isInvariantAfterStep1a() -> Bool {
        guard (6...7).contains(count) else { return false }
        let words: [StaticString] = ["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"]
        return words.contains { $0.utf8CodeUnitCount == count && begins($0) }
    }

    /// A vowel and a consonant but w, x and Y, with a consonant before them; or these two, the second being any consonant, as a whole word.
    private func endsInShortSyllable(at end: Int) -> Bool {
        guard end >= 2, !isVowel(end - 1), isVowel(end - 2) else { return false }
        guard end > 2 else { return true }
        return !isVowel(end - 3) && ![UInt8(ascii: "w"), UInt8(ascii: "x"), UInt8(ascii: "Y")].contains(word[end - 1])
    }

    private var endsInDouble: Bool {
        guard count >= 2, word[count - 1] == word[count - 2] else { return false }
        return switch word[count - 1] {
        case UInt8(ascii: "b"), UInt8(ascii: "d"), UInt8(ascii: "f"), UInt8(ascii: "g"), UInt8(ascii: "m"), UInt8(ascii: "n"),
            UInt8(ascii: "p"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            true
        default: false
        }
    }

    /// a, e, i, o, u and y; Y is a consonant.
    @inline(__always)
    private func isVowel(_ index: Int) -> Bool {
        // Bits 1, 5, 9, 15, 21 and 25 of the letter's place in the alphabet. Y and the apostrophe are below 0x60.
        let letter = word[index]
        return letter >= 0x60 && 0x0220_8222 >> UInt32(letter & 31) & 1 != 0
    }

    private func hasVowel(before end: Int) -> Bool {
        for index in 0..<max(end, 0) where isVowel(index) { return true }
        return false
    }

    private func begins(_ prefix: StaticString) -> Bool {
        guard count >= prefix.utf8CodeUnitCount else { return false }
        for index in 0..<prefix.utf8CodeUnitCount where word[index] != prefix.utf8Start[index] { return false }
        return true
    }

    @inline(__always)
    private func ends(_ suffix: StaticString) -> Bool {
        let start = count - suffix.utf8CodeUnitCount
        guard start >= 0 else { return false }
        for index in (0..<suffix.utf8CodeUnitCount).reversed() where word[start + index] != suffix.utf8Start[index] { return false }
        return true
    }

    private mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount {
            word[count] = text.utf8Start[index]
            count += 1
        }
    }
}
