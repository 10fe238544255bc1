/// Reads the words of a UTF-8 text one after the other, folded (`ScalarTable`).
///
/// A word is a run of letters, digits and marks: the word boundaries of UAX #29 (Unicode Text Segmentation, 4.1), with these differences.
/// - Kana, like ideographs, and letters of scripts without spaces (Thai, Khmer, …) are words of one letter each, with its marks.
/// - A pictograph is a word. Joiners, variation selectors and skin tones leave no trace.
/// - Of what joins words, only the apostrophe between letters ("don't") and the full stop and comma between ASCII digits ("3.14") do. After
///   one letter the apostrophe divides ("l'avion" is "l" and "avion"), but for i and o ("i'm", "o'brien").
///
/// Bytes that are not UTF-8 separate words. The cost is a few nanoseconds a byte, and less in ASCII.
struct WordReader {
    /// Scalars of the longest word. What a longer one has beyond that is left out.
    static let maxScalars = 64
    /// Bytes that `word` must have room for: the longest word, and what its last scalar becomes.
    static let capacity = maxScalars * 4 + 32 * 4

    /// The word that `next` has read, `count` bytes.
    let word: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    /// Its number among the words of the text, from 0 on.
    private(set) var position: UInt32 = 0

    private let text: UnsafeBufferPointer<UInt8>
    private let table = ScalarTable.shared
    private var offset = 0
    private var scalars = 0
    private var nextPosition: UInt32 = 0

    private enum Run { case none, word, single }

    /// - Parameter word: room for `capacity` bytes. Both are used as long as this value is.
    init(_ text: UnsafeBufferPointer<UInt8>, word: UnsafeMutablePointer<UInt8>) {
        self.text = text
        self.word = word
    }

    /// Reads the next word; false at the end of the text.
    mutating func next() -> Bool {
        (count, scalars) = (0, 0)
        var run = Run.none
        while offset < text.count {
            let byte = text[offset]
            let folded = table.ascii[Int(byte)]
            if folded != 0 {
                if run == .single { break }
                run = .word
                takeASCII()
            } else if byte < 0x80 {
                if run == .word, joins(byte) {
                    append(ascii: byte)
                } else if run != .none {
                    break
                }
                offset += 1
            } else {
                let (scalar, width) = decode(at: offset)
                guard take(scalar, width, &run) else { break }
                offset += width
            }
        }
        guard run != .none else { return false }
        position = nextPosition
        nextPosition &+= 1
        return true
    }

    /// Takes a run of ASCII letters and digits into the word. In variables of its own, which the compiler keeps in registers.
    @inline(__always)
    private mutating func takeASCII() {
        let (start, room) = (count, Self.maxScalars - scalars)
        var (offset, count) = (offset, count)
        while offset < text.count {
            let folded = table.ascii[Int(text[offset])]
            guard folded != 0 else { break }
            offset += 1
            guard count - start < room else { continue }
            word[count] = folded
            count += 1
        }
        scalars += count - start
        (self.offset, self.count) = (offset, count)
    }

    /// Takes a scalar beyond ASCII into the word; false if the word ends before it.
    private mutating func take(_ scalar: UInt32, _ width: Int, _ run: inout Run) -> Bool {
        let entry = table[scalar]
        switch entry.kind {
        case .letter, .digit:
            guard run != .single else { return false }
            run = .word
            append(scalar, entry)
        case .single:
            guard run == .none else { return false }
            run = .single
            append(scalar, entry)
        case .mark:
            if run != .none { append(scalar, entry) }
        case .ignored:
            break
        case .apostrophe:
            guard run != .none else { return true }
            guard run == .word, joinsLetters(width) else { return false }
            append(ascii: UInt8(ascii: "'"))
        case .separator:
            return run == .none
        }
        return true
    }

    private func joins(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "'"): joinsLetters(1)
        case UInt8(ascii: "."), UInt8(ascii: ","):
            offset > 0 && offset + 1 < text.count && Self.isDigit(text[offset - 1]) && Self.isDigit(text[offset + 1])
        default: false
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// Whether the apostrophe of `width` bytes at `offset` belongs to the word before it.
    private func joinsLetters(_ width: Int) -> Bool {
        guard scalars > 1 || word[0] == UInt8(ascii: "i") || word[0] == UInt8(ascii: "o"), offset + width < text.count else { return false }
        return table[decode(at: offset + width).scalar].kind == .letter
    }

    @inline(__always)
    private mutating func append(ascii byte: UInt8) {
        guard scalars < Self.maxScalars else { return }
        word[count] = byte
        count += 1
        scalars += 1
    }

    private mutating func append(_ scalar: UInt32, _ entry: ScalarTable.Entry) {
        guard scalars < Self.maxScalars else { return }
        var (count, scalars) = (count, scalars)
        let word = word
        table.forEachFolded(scalar, entry) { folded in
            count += Self.encode(folded, at: word + count)
            scalars += 1
        }
        (self.count, self.scalars) = (count, scalars)
    }

    /// The scalar whose first byte is at `offset`, and its bytes; where there is none, U+FFFD, a separator, and 1.
    @inline(__always)
    private func decode(at offset: Int) -> (scalar: UInt32, width: Int) {
        let first = UInt32(text[offset])
        let width = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0
        guard width > 0, offset + width <= text.count else { return (0xFFFD, 1) }
        guard width > 1 else { return (first, 1) }
        var scalar = first & (0x7F >> UInt32(width))
        for next in 1..<width {
            let byte = UInt32(text[offset + next])
            guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
            scalar = scalar << 6 | byte & 0x3F
        }
        return scalar < 0x110000 ? (scalar, width) : (0xFFFD, 1)
    }

    private static func encode(_ scalar: UInt32, at bytes: UnsafeMutablePointer<UInt8>) -> Int {
        switch scalar {
        case ..<0x80:
            bytes[0] = UInt8(scalar)
            return 1
        case ..<0x800:
            bytes[0] = UInt8(0xC0 | scalar >> 6)
            bytes[1] = UInt8(0x80 | scalar & 0x3F)
            return 2
        case ..<0x10000:
            bytes[0] = UInt8(0xE0 | scalar >> 12)
            bytes[1] = UInt8(0x80 | scalar >> 6 & 0x3F)
            bytes[2] = UInt8(0x80 | scalar & 0x3F)
            return 3
        default:
            bytes[0] = UInt8(0xF0 | scalar >> 18)
            bytes[1] = UInt8(0x80 | scalar >> 12 & 0x3F)
            bytes[2] = UInt8(0x80 | scalar >> 6 & 0x3F)
            bytes[3] = UInt8(0x80 | scalar & 0x3F)
            return 4
        }
    }
}
