import TestSupport
import Testing

@testable import Database

@Suite("Identifier")
struct IdentifierTests {
    @Test("reads both cases and writes the lower one")
    func readsBothCases() throws {
        let lower = "01234567-89ab-4def-8123-456789abcdef"

        let parsed = try #require(DocumentID(lower))

        #expect(parsed.description == lower)
        #expect(DocumentID("01234567-89AB-4DEF-8123-456789ABCDEF") == parsed)
        #expect(DocumentID("01234567-89Ab-4dEF-8123-456789aBcdEF") == parsed)
        #expect(DocumentID("00000000-0000-0000-0000-000000000000")?.description == "00000000-0000-0000-0000-000000000000")
        #expect(DocumentID("ffffffff-ffff-ffff-ffff-ffffffffffff")?.description == "ffffffff-ffff-ffff-ffff-ffffffffffff")
    }

    @Test(
        "refuses what is no UUID",
        arguments: [
            "", "-", "0123456789ab4def8123456789abcdef", "01234567-89ab-4def-8123-456789abcde", "01234567-89ab-4def-8123-456789abcdef0",
            "01234567-89ab-4def-8123-456789abcdef-", "0123456-789ab-4def-8123-456789abcdef", "01234567_89ab_4def_8123_456789abcdef",
            "01234567-89ab-4def-8123-456789abcdeg", "01234567-89ab-4def-8123-456789abcde\u{e9}", "０1234567-89ab-4def-8123-456789abcdef",
            " 01234567-89ab-4def-8123-456789abcde", "{01234567-89ab-4def-8123-456789abcdef}", "01234567-89ab-4def-8123--56789abcdef",
        ])
    func refusesMalformed(text: String) {
        #expect(LibraryID(text) == nil)
    }

    @Test("is ordered as its text")
    func orderIsTextOrder() {
        var generator = SplitMix(seed: 1)
        // Few different bits, so that the high and the low half decide equally often.
        let ids = (0..<200).map { _ in
            ChunkID(high: generator.next() & 0x9000_0000_0000_0003, low: generator.next() & 0x9000_0000_0000_0003)
        }

        let byValue = ids.sorted().map(\.description)

        #expect(byValue == byValue.sorted())
        #expect(Set(byValue).count > 50)
        #expect(!(ids[0] < ids[0]))
    }

    @Test("is random with the bits of version 4, and survives its text")
    func randomVersion4() {
        let ids = (0..<300).map { _ in ChunkID.random() }

        #expect(Set(ids).count == ids.count)
        for id in ids {
            let text = Array(id.description)
            #expect(text[14] == "4")
            #expect("89ab".contains(text[19]))
            #expect(ChunkID(id.description) == id)
        }
        // Every other bit takes both values: 300 tosses of a coin miss one with a chance of 2^-299.
        let ones = ids.reduce((high: UInt64(0), low: UInt64(0))) { ($0.high | $1.high, $0.low | $1.low) }
        let zeros = ids.reduce((high: UInt64(0), low: UInt64(0))) { ($0.high | ~$1.high, $0.low | ~$1.low) }
        #expect(ones.high & zeros.high == ~0xF000)
        #expect(ones.low & zeros.low == ~0 >> 2)
    }
}
