/// What every Unicode scalar is to the analyser, and what it becomes.
///
/// Scalars are folded as NFKC_Casefold does (Unicode Standard, 3.13) and then decomposed, without accents; letters that do not decompose
/// (ø, æ, ł, ı) become the ones they are read as, and decimal digits of all scripts become 0 to 9. `ScalarTable+Data.swift` has the tables, and
/// make-scalar-table.py the rules.
///
/// Two steps through memory find a scalar: the page of its upper bits, then its entry there (Unicode Standard, 5.1, two-stage tables). Equal
/// pages are kept once: about 150 KiB in all.
///
/// `@unchecked Sendable`: the pointers are to memory that is written by `init` alone and never freed, since there is one table in a process.
struct ScalarTable: @unchecked Sendable {
    static let shared = ScalarTable()

    enum Class: UInt32 {
        case separator, letter, digit
        /// A word of its own: an ideograph, kana, a letter of a script without spaces, a pictograph.
        case single
        /// A mark that belongs to the letter before it: a vowel sign, a virama, a voicing mark.
        case mark
        /// Leaves no trace, and no gap either: an accent, a joiner, a soft hyphen.
        case ignored
        case apostrophe

        /// The letters in `classText`.
        init(_ letter: UInt8) {
            switch letter {
            case UInt8(ascii: "l"): self = .letter
            case UInt8(ascii: "n"): self = .digit
            case UInt8(ascii: "s"): self = .single
            case UInt8(ascii: "m"): self = .mark
            case UInt8(ascii: "i"): self = .ignored
            case UInt8(ascii: "q"): self = .apostrophe
            default: preconditionFailure("the table has the classes l, n, s, m, i and q")
            }
        }
    }

    /// | bits | |
    /// |---|---|
    /// | 0..<3 | the class |
    /// | 3..<8 | how many scalars it becomes; 0: it stays what it is |
    /// | 8..<32 | what it becomes if that is one scalar; else where in `expansions` they begin |
    struct Entry {
        var bits: UInt32

        @inline(__always)
        var kind: Class { Class(rawValue: bits & 7).unsafelyUnwrapped }
        var count: Int { Int(bits >> 3 & 31) }
        var value: UInt32 { bits >> 8 }
    }

    /// For each byte, the letter or digit it becomes; 0 for a separator, and for the bytes of scalars beyond ASCII.
    let ascii: UnsafePointer<UInt8>
    private let pages: UnsafePointer<UInt16>
    private let entries: UnsafePointer<Entry>
    private let expansions: UnsafePointer<UInt32>

    /// - Parameter scalar: below 0x110000.
    @inline(__always)
    subscript(scalar: UInt32) -> Entry {
        entries[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)]
    }

    /// Calls `body` with each scalar that `scalar` becomes; `entry` is its own.
    @inline(__always)
    func forEachFolded(_ scalar: UInt32, _ entry: Entry, _ body: (UInt32) -> Void) {
        switch entry.count {
        case 0: Self.isHangul(scalar) ? Self.decomposeHangul(scalar, body) : body(scalar)
        case 1: body(entry.value)
        default: for number in 0..<entry.count { body(expansions[Int(entry.value) + number]) }
        }
    }

    private static func isHangul(_ scalar: UInt32) -> Bool { (0xAC00..<0xD7A4).contains(scalar) }

    /// Unicode Standard, 3.12, Hangul syllable decomposition.
    private static func decomposeHangul(_ syllable: UInt32, _ body: (UInt32) -> Void) {
        let index = syllable - 0xAC00
        body(0x1100 + index / 588)
        body(0x1161 + index % 588 / 28)
        if index % 28 != 0 { body(0x11A7 + index % 28) }
    }

    private init() {
        var builder = Builder()
        var reader = Reader(text: Self.classText)
        var end: UInt32 = 0
        while !reader.isAtEnd {
            let start = end + reader.number()
            let kind = Class(reader.byte())
            end = start + reader.number()
            builder.set(kind, from: start, to: end)
            reader.skip()
        }

        reader = Reader(text: Self.foldText)
        var first: UInt32 = 0
        while !reader.isAtEnd {
            first += reader.number()
            var (count, stride, step): (UInt32, UInt32, UInt32) = (1, 1, 0)
            if reader.byte() == UInt8(ascii: ":") {
                count = reader.number()
                reader.skip()
                stride = reader.number()
                reader.skip()
                step = reader.number()
                reader.skip()
            }
            var folded = [reader.number()]
            while reader.byte() == UInt8(ascii: "-") { folded.append(reader.number()) }
            for number in 0..<count {
                builder.fold(first + number * stride, to: folded.count == 1 ? [folded[0] + number * step] : folded)
            }
        }
        pages = Self.kept(builder.pages)
        entries = Self.kept(builder.entries)
        expansions = Self.kept(builder.expansions)
        ascii = Self.kept(
            (0..<256).map { byte in
                guard byte < 128, [Class.letter, .digit].contains(builder.entries[byte + 256 * Int(builder.pages[0])].kind) else {
                    return 0
                }
                let entry = builder.entries[byte + 256 * Int(builder.pages[0])]
                return UInt8(entry.count == 0 ? UInt32(byte) : entry.value)
            })
    }

    private static func kept<Element: BitwiseCopyable>(_ values: [Element]) -> UnsafePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
        memory.initialize(from: values, count: values.count)
        return UnsafePointer(memory)
    }

    private struct Builder {
        /// Pages 0..<8 are those all of whose scalars are of one class.
        var pages = [UInt16](repeating: 0, count: 0x1100)
        var entries = (0..<8).flatMap { [Entry](repeating: Entry(bits: $0), count: 256) }
        var expansions: [UInt32] = []

        mutating func set(_ kind: Class, from start: UInt32, to end: UInt32) {
            var scalar = start
            while scalar < end {
                if scalar & 255 == 0, end - scalar >= 256 {
                    pages[Int(scalar >> 8)] = UInt16(kind.rawValue)
                    scalar += 256
                } else {
                    self[scalar] = Entry(bits: kind.rawValue)
                    scalar += 1
                }
            }
        }

        mutating func fold(_ scalar: UInt32, to folded: [UInt32]) {
            let value = folded.count == 1 ? folded[0] : UInt32(expansions.count)
            if folded.count > 1 { expansions += folded }
            self[scalar] = Entry(bits: self[scalar].bits & 7 | UInt32(folded.count) << 3 | value << 8)
        }

        /// The first change of a page that is shared makes it one of its own.
        private subscript(scalar: UInt32) -> Entry {
            get { entries[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)] }
            set {
                let page = Int(pages[Int(scalar >> 8)])
                if page < 8 {
                    pages[Int(scalar >> 8)] = UInt16(entries.count >> 8)
                    entries += entries[page << 8..<(page + 1) << 8]
                }
                entries[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)] = newValue
            }
        }
    }

    /// Reads hexadecimal numbers and the bytes between them.
    private struct Reader {
        let text: StaticString
        var offset = 0

        var isAtEnd: Bool { offset >= text.utf8CodeUnitCount }

        mutating func byte() -> UInt8 {
            defer { offset += 1 }
            return isAtEnd ? 0 : text.utf8Start[offset]
        }

        mutating func skip() { offset += 1 }

        mutating func number() -> UInt32 {
            var value: UInt32 = 0
            while !isAtEnd, let digit = Character(UnicodeScalar(text.utf8Start[offset])).hexDigitValue {
                value = value << 4 | UInt32(digit)
                offset += 1
            }
            return value
        }
    }
}
