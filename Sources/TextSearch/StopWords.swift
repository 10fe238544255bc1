/// Words that nearly every text has, and that say nothing about it.
///
/// A table by the bytes of a word, taken as two machine words; a look-up costs a few nanoseconds.
///
/// `@unchecked Sendable`: the table is written by `init` alone and never freed, since there is one for each language in a process.
struct StopWords: @unchecked Sendable {
    /// Articles, pronouns, auxiliary verbs, prepositions and their contractions: Lucene's list and, of Snowball's, what has no meaning of its own.
    static let english = StopWords(
        """
        a an the this that these those
        i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
        it its itself they them their theirs themselves who whom whose which what
        am is are was were be been being have has had having do does did doing would should could shall will can may might must
        i'm you're he's she's it's we're they're i've you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll
        she'll we'll they'll isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't
        can't cannot couldn't mustn't let's that's who's what's here's there's when's where's why's how's
        and or but if because as until while of at by for with about against between into through during to from in on then there
        when where why how not no nor so than too such
        """)

    private static let slots = 512
    private let keys: UnsafePointer<Key>

    private struct Key: Equatable {
        var low: UInt64 = 0
        var high: UInt64 = 0

        var slot: Int {
            let product = (low ^ high &* 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD134_2543_DE82_EF95)
            return Int(truncatingIfNeeded: (product.high ^ product.low) % UInt64(StopWords.slots))
        }
    }

    /// - Parameter list: words of at most 16 bytes, white space between them.
    init(_ list: StaticString) {
        let table = UnsafeMutablePointer<Key>.allocate(capacity: Self.slots)
        table.initialize(repeating: Key(), count: Self.slots)
        keys = UnsafePointer(table)
        let bytes = UnsafeBufferPointer(start: list.utf8Start, count: list.utf8CodeUnitCount)
        for word in bytes.split(whereSeparator: { $0 <= 0x20 }) {
            let padded = Array(word) + [UInt8](repeating: 0, count: 16 - word.count)
            let key = padded.withUnsafeBufferPointer { Self.key($0.baseAddress!, count: word.count) }
            var slot = key.slot
            while table[slot] != Key() && table[slot] != key { slot = (slot + 1) % Self.slots }
            table[slot] = key
        }
    }

    /// - Parameter word: 16 bytes can be read from there on, whatever `count` is.
    @inline(__always)
    func contains(_ word: UnsafePointer<UInt8>, count: Int) -> Bool {
        guard count <= 16 else { return false }
        let key = Self.key(word, count: count)
        var slot = key.slot
        while keys[slot] != Key() {
            if keys[slot] == key { return true }
            slot = (slot + 1) % Self.slots
        }
        return false
    }

    /// The first `count` of 16 bytes, zeros behind them.
    @inline(__always)
    private static func key(_ word: UnsafePointer<UInt8>, count: Int) -> Key {
        let bytes = UnsafeRawPointer(word)
        var key = Key(low: bytes.loadUnaligned(as: UInt64.self), high: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        // Shifts by 64 and more are 0, in Swift's `<<` and `>>`.
        key.low &= count >= 8 ? .max : (1 << UInt64(8 * count)) - 1
        key.high &= count >= 16 ? .max : count <= 8 ? 0 : (1 << UInt64(8 * (count - 8))) - 1
        return key
    }
}
