import JSON
import Testing

struct Base64Tests {
    @Test("floats come back bit by bit", arguments: [0, 1, 2, 3, 4, 1000])
    func roundTrip(count: Int) {
        let floats = (0..<count).map { Float(bitPattern: UInt32(truncatingIfNeeded: $0 &* 2_654_435_761)) }

        let text = Base64.text(floats)

        #expect(Base64.floats(text)?.map(\.bitPattern) == floats.map(\.bitPattern))
        #expect(text.utf8.count == (4 * count + 2) / 3 * 4)
    }

    @Test("the bytes are little-endian and padded")
    func layout() {
        #expect(Base64.text([1, -2]) == "AACAPwAAAMA=" && Base64.floats("AACAPwAAAMA=") == [1, -2])
        #expect(Base64.text([]) == "" && Base64.floats("") == [])
    }

    @Test(
        "anything else is refused",
        arguments: ["AACAPw", "AACAPw=", "AACAPw===", "AACAPwA=", "AAC*Pw==", "AACA\nPw==", " AACAPw==", "AACAPw==AACAPw=="])
    func refused(text: String) {
        #expect(Base64.floats(text) == nil)
    }
}
