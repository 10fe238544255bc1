import TestSupport
import Testing

@testable import TextSearch

@Suite("Bytes of a text index")
struct TextIndexCodingTests {
    private func makeIndex(_ count: Int, seed: UInt64, _ options: TextOptions = TextOptions()) -> (TextIndex, [String]) {
        var texts = RandomTexts(seed: seed)
        let index = TextIndex(options)
        let made = (0..<count).map { _ in texts.text() }
        for (slot, text) in made.enumerated() { index.insert(text, at: UInt32(slot)) }
        return (index, made)
    }

    @Test("make the same index", arguments: [TextOptions(), TextOptions(stopWords: false, stemmer: false)])
    func roundTrip(_ options: TextOptions) throws {
        let (index, texts) = makeIndex(700, seed: 71, options)

        let read = try TextIndex(decoding: index.encodedInPlace, options: options)

        #expect(read.encodedInPlace == index.encodedInPlace)
        #expect(
            read.count == 700 && read.totalLength == index.totalLength && read.slots == index.slots && read.termCount == index.termCount)
        for query in ["fox", "river bank stone", "\"running fox\"", "东京 \"the river\""] {
            #expect(!index.search(query).slots.isEmpty)
            #expect(read.search(query, count: 50) == index.search(query, count: 50))
        }
        // It goes on as the other one would.
        for slot in stride(from: 0, to: 700, by: 3) {
            #expect(read.remove(texts[slot], at: UInt32(slot)) && index.remove(texts[slot], at: UInt32(slot)))
        }
        read.insert("fox on the river", at: 900)
        index.insert("fox on the river", at: 900)
        #expect(read.encodedInPlace == index.encodedInPlace)
    }

    @Test("are those of the contents, whatever came before")
    func areCanonical() {
        var random = SplitMix(seed: 72)
        let (index, texts) = makeIndex(600, seed: 73)
        let other = TextIndex()
        for slot in (0..<600).shuffled(using: &random) { other.insert(texts[599 - slot] + " once", at: UInt32(slot)) }
        for slot in (0..<600).shuffled(using: &random) {
            other.remove(texts[599 - slot] + " once", at: UInt32(slot))
        }
        for slot in (0..<600).shuffled(using: &random) { other.insert(texts[slot], at: UInt32(slot)) }

        #expect(other.encodedInPlace == index.encodedInPlace)
    }

    @Test("have slots as the caller numbers them, without those left out")
    func renumbersSlots() throws {
        let (index, texts) = makeIndex(500, seed: 74)
        var random = SplitMix(seed: 75)
        var ordinals = [UInt32](repeating: .max, count: 400)
        let kept = Array((0..<400).shuffled(using: &random).prefix(250))
        let expected = TextIndex()
        for (ordinal, slot) in kept.enumerated() {
            ordinals[slot] = UInt32(ordinal)
            expected.insert(texts[slot], at: UInt32(ordinal))
        }
        // Has a term that nobody else has, and is left out.
        index.insert("xylophone", at: 500)

        let bytes = index.encoded(slotOrdinals: ordinals)

        #expect(bytes == expected.encodedInPlace)
        #expect(try TextIndex(decoding: bytes, options: TextOptions()).search("fox", count: 99) == expected.search("fox", count: 99))
    }

    @Test("of a copy are those of the index, and stay so when that changes, as it stays when the copy does")
    func copies() {
        let (index, texts) = makeIndex(500, seed: 80)
        let before = index.encodedInPlace

        let copy = index.copy()
        #expect(copy.encodedInPlace == before && copy.search("fox", count: 99) == index.search("fox", count: 99))
        for slot in stride(from: 0, to: 500, by: 2) { #expect(index.remove(texts[slot], at: UInt32(slot))) }
        for slot in stride(from: 0, to: 500, by: 2) { index.insert("xylophone \(slot)", at: UInt32(slot)) }
        #expect(copy.encodedInPlace == before)

        let after = index.encodedInPlace
        for slot in stride(from: 1, to: 500, by: 2) { #expect(copy.remove(texts[slot], at: UInt32(slot))) }
        copy.insert("zither", at: 700)
        #expect(index.encodedInPlace == after && copy.search("zither").slots.map(\.slot) == [700])
    }

    @Test("of an empty index are an empty index")
    func empty() throws {
        #expect(try TextIndex(decoding: TextIndex().encodedInPlace, options: TextOptions()).count == 0)
    }

    @Test("of another version or analysis are refused as outdated")
    func refusesOutdated() {
        let bytes = makeIndex(5, seed: 76).0.encodedInPlace
        for (place, options) in [
            (0, TextOptions()), (1, TextOptions()), (nil, TextOptions(stemmer: false)), (nil, TextOptions(stopWords: false)),
        ] {
            var changed = bytes
            if let place { changed[place] += 1 }
            do {
                _ = try TextIndex(decoding: changed, options: options)
                Issue.record("taken")
            } catch TextIndexDecodingError.outdated(let reason) {
                #expect(TextIndexDecodingError.outdated(reason).description == reason)
            } catch {
                Issue.record("\(error)")
            }
        }
        #expect(TextOptions().analysesLike(TextOptions(k1: 2, b: 0)) && !TextOptions().analysesLike(TextOptions(stemmer: false)))
    }

    @Test("are refused when cut off anywhere, or followed by more")
    func refusesTruncation() {
        let bytes = makeIndex(40, seed: 77).0.encodedInPlace
        for count in 0..<bytes.count {
            #expect(throws: TextIndexDecodingError.self, "\(count)") {
                try TextIndex(decoding: Array(bytes[..<count]), options: TextOptions())
            }
        }
        #expect(throws: TextIndexDecodingError.self) { try TextIndex(decoding: bytes + [0], options: TextOptions()) }
    }

    @Test("are refused or work, whatever they are")
    func survivesDamage() {
        let (index, texts) = makeIndex(40, seed: 78)
        let bytes = index.encodedInPlace
        var random = SplitMix(seed: 79)
        var (taken, refused) = (0, 0)
        for place in bytes.indices {
            for change in [0x01, 0x80, 0xFF, UInt8.random(in: 1...255, using: &random)] {
                var changed = bytes
                changed[place] ^= change
                guard let read = try? TextIndex(decoding: changed, options: TextOptions()) else {
                    refused += 1
                    continue
                }
                taken += 1
                for query in ["fox river", "\"running fox\"", "\"river bank\" stone"] {
                    #expect(read.search(query).slots.allSatisfy { read.slots.contains($0.slot) })
                }
                for (slot, text) in texts.enumerated() where read.slots.contains(UInt32(slot)) { read.remove(text, at: UInt32(slot)) }
                read.insert("running fox", at: 1)
                #expect(read.search("fox").slots.contains { $0.slot == 1 })
            }
        }
        #expect(taken > 100 && refused > 100)
    }

    /// What follows the set of slots, which has slot 0 alone.
    private static let malformed: [(String, [UInt8])] = [
        ("a term without posting", [1, 97, 0, 0]), ("a posting of a slot without text", [1, 97, 1, 1, 1, 0, 0]),
        ("a frequency of 0", [1, 97, 1, 0, 0, 0]), ("a frequency of 65,536", [1, 97, 1, 0, 0x80, 0x80, 0x04, 0]),
        ("positions that stand still", [1, 97, 1, 0, 2, 5, 0, 0]),
        ("positions beyond 32 bits", [1, 97, 1, 0, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 0]),
        ("a number beyond 32 bits", [1, 97, 1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0]),
        ("a number that does not end", [UInt8](repeating: 0xFF, count: 9)),
        ("more postings than there are bytes", [1, 97, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 1, 0]),
        ("a term twice", [1, 97, 1, 0, 1, 0, 1, 97, 1, 0, 1, 1, 0]), ("terms out of order", [1, 98, 1, 0, 1, 0, 1, 97, 1, 0, 1, 1, 0]),
        ("a term that is too long", [0x81, 0x04] + [UInt8](repeating: 97, count: 513) + [1, 0, 1, 0, 0]),
    ]
    private static let head: [UInt8] = [1, 1, 3, 1, 1, 0, 0, 0, 0, 0, 0, 0]

    @Test("are refused for what no index has")
    func refusesMalformed() {
        for (what, bytes) in Self.malformed {
            #expect(throws: TextIndexDecodingError.self, "\(what)") {
                try TextIndex(decoding: Self.head + bytes, options: TextOptions())
            }
        }
        #expect(throws: TextIndexDecodingError.self, "more slots than there are bytes") {
            try TextIndex(decoding: [1, 1, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], options: TextOptions())
        }
    }

    @Test("are taken for what an index may have")
    func takesTheLeast() throws {
        let read = try TextIndex(decoding: Self.head + [1, 97, 1, 0, 2, 5, 1, 0], options: TextOptions())

        #expect(read.termCount == 1 && read.totalLength == 2 && read.count == 1)
    }
}
