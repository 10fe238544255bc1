// What a scalar means for words and sentences. Every test has a short way for ASCII: the tables of Unicode are slow.

extension Unicode.Scalar {
    var isWhite: Bool {
        isASCII ? value == 0x20 || (0x09...0x0D).contains(value) : properties.isWhitespace
    }

    var isASCIILetter: Bool { (0x61...0x7A).contains(value | 0x20) }

    var isASCIIDigit: Bool { (0x30...0x39).contains(value) }

    var isLetterOrDigit: Bool {
        if isASCII { return isASCIILetter || isASCIIDigit }
        return properties.isAlphabetic || properties.generalCategory == .decimalNumber
    }

    /// `STerm` and `ATerm` of UAX #29, and the ellipsis.
    var isTerminator: Bool {
        isASCII ? self == "." || self == "!" || self == "?" : self == "\u{2026}" || properties.isSentenceTerminal
    }

    /// `ATerm` of UAX #29, which also ends abbreviations, and the ellipsis.
    var isPeriod: Bool {
        self == "." || self == "\u{2024}" || self == "\u{2026}" || self == "\u{FE52}" || self == "\u{FF0E}"
    }

    /// Ends a sentence also where no space follows, as in Chinese and Japanese.
    var isIdeographicTerminator: Bool {
        self == "。" || self == "！" || self == "？" || self == "．" || self == "｡"
    }

    /// `Close` of UAX #29 as far as it stands behind a sentence, and the marks of Markdown that close emphasis and code.
    var isClosing: Bool {
        if isASCII {
            switch self {
            case ")", "]", "}", "\"", "'", "*", "_", "`": return true
            default: return false
            }
        }
        switch properties.generalCategory {
        case .closePunctuation, .finalPunctuation: return true
        default: return properties.isQuotationMark
        }
    }

    /// Begins a quotation or a parenthesis and nothing else.
    var isOpening: Bool {
        switch properties.generalCategory {
        case .openPunctuation, .initialPunctuation: true
        default: false
        }
    }

    /// `SContinue` of UAX #29: behind it a sentence goes on.
    var continuesSentence: Bool {
        switch self {
        case ",", ";", ":", "-", "\u{2013}", "\u{2014}", "、", "，", "：", "；", "､": true
        default: false
        }
    }

    /// A letter of a script that puts no spaces between words, each of which counts as a word here: ideographs, kana, bopomofo.
    var isIdeographic: Bool {
        guard value >= 0x2E80 else { return false }
        switch value {
        case 0x3041...0x3096, 0x309D...0x309F, 0x30A1...0x30FA, 0x30FC...0x30FF, 0x3105...0x312F, 0x31F0...0x31FF, 0xFF66...0xFF9D:
            return true
        default: return properties.isIdeographic
        }
    }
}
