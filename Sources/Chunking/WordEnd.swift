/// How a run of text without white space ends: what can be seen in it of the end of a sentence.
struct WordEnd {
    /// The last ASCII letters, digits and periods, lower-cased, a byte each, the last one lowest; 0xFF for a letter beyond ASCII.
    private var stem: UInt64 = 0
    /// How many there are since the last other character; more than 8 are not kept.
    private var stemLength = 0
    /// How many since the last period in the stem.
    private var partLength = 0
    private var partIsUppercase = false
    private var hasLetter = false

    /// The last of the terminators that nothing but what closes follows.
    private var terminator: Unicode.Scalar?
    private var terminatorCount = 0
    private var isClosed = false

    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isTerminator {
            terminator = scalar
            terminatorCount += 1
        } else if terminator != nil, scalar.isClosing {
            isClosed = true
        } else {
            if terminator != nil { goOn() }
            if scalar.isLetterOrDigit { appendToStem(scalar) } else { clearStem() }
        }
    }

    /// What looked like an end was within the word: "e.g", "3.14".
    private mutating func goOn() {
        if terminator == ".", terminatorCount == 1, !isClosed {
            stem = stem << 8 | 0x2E
            stemLength += 1
            partLength = 0
        } else {
            clearStem()
        }
        terminator = nil
        terminatorCount = 0
        isClosed = false
    }

    private mutating func appendToStem(_ scalar: Unicode.Scalar) {
        let byte: UInt64
        if scalar.isASCIILetter {
            byte = UInt64(scalar.value | 0x20)
            partIsUppercase = scalar.value & 0x20 == 0
            hasLetter = true
        } else if scalar.isASCIIDigit {
            byte = UInt64(scalar.value)
            partIsUppercase = false
        } else {
            byte = 0xFF
            partIsUppercase = partLength == 0 && scalar.properties.isUppercase
            hasLetter = true
        }
        stem = stem << 8 | byte
        stemLength += 1
        partLength += 1
    }

    private mutating func clearStem() {
        stem = 0
        stemLength = 0
        partLength = 0
        hasLetter = false
    }

    /// Whether a sentence ends here though the next scalar, which is not white space, follows at once.
    func endsSentence(directlyBefore next: Unicode.Scalar) -> Bool {
        guard let terminator, terminator.isIdeographicTerminator else { return false }
        if next.isWhite || next.isTerminator || next.continuesSentence { return false }
        if terminator == "．", next.properties.generalCategory == .decimalNumber { return false }
        return next.isOpening || !next.isClosing
    }

    /// Whether a sentence ends here, before white space and `next`.
    ///
    /// It does not if what follows begins in lower case, behind a period (SB8) or behind a quotation ("Why?" he asked); nor if the
    /// period belongs to an abbreviation, to an initial ("J. Doe", "U.S. Army"), or to the number of an item ("1. First").
    func endsSentence(before next: TextCursor, isFirstWord: Bool) -> Bool {
        guard let terminator else { return false }
        if terminator.isIdeographicTerminator { return true }
        let follower = next.firstLetterOrDigit
        if let follower, follower.properties.isLowercase { return !terminator.isPeriod && !isClosed }
        guard terminator == ".", terminatorCount == 1, !isClosed else { return true }

        if partLength == 1, partIsUppercase, stem != Self.pronoun { return false }
        if isFirstWord, stemLength > 0, !hasLetter { return false }
        guard stemLength <= 8 else { return true }
        if Self.abbreviations.contains(stem) { return false }
        return !(follower?.isASCIIDigit == true && Self.numbered.contains(stem))
    }

    /// "So do I." is no initial.
    private static let pronoun = key("i")

    /// Never the last word of a sentence. Those that may be ("etc.", "Inc.", "p.m.") are decided by what follows.
    private static let abbreviations = keys(
        "dr mr mrs ms mx prof st mt rev hon gen col sgt capt lt cmdr gov sen rep pres messrs e.g i.e cf vs viz approx ca c.f z.b d.h bzw")

    /// Abbreviations before a number, words elsewhere.
    private static let numbered = keys(
        "no nos nr fig figs vol ch sec art p pp eq eqs ref refs jan feb mar apr jun jul aug sep sept oct nov dec")

    private static func keys(_ words: String) -> Set<UInt64> { Set(words.split(separator: " ").map(key)) }

    private static func key(_ word: some StringProtocol) -> UInt64 { word.utf8.reduce(0) { $0 << 8 | UInt64($1) } }
}

extension TextCursor {
    /// The first letter or digit before the next white space.
    fileprivate var firstLetterOrDigit: Unicode.Scalar? {
        var ahead = self
        while let scalar = ahead.scalar, !scalar.isWhite {
            if scalar.isLetterOrDigit { return scalar }
            ahead.advance()
        }
        return nil
    }
}
