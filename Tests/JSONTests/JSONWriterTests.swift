import JSON
import Testing

private func text(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.finish(), as: UTF8.self)
}

struct JSONWriterTests {
    @Test("members and elements are separated, nested and empty ones too")
    func structure() {
        let written = text { json in
            json.object { json in
                json.member("s", "x")
                json.member("none", String?.none)
                json.member("some", String?.some("y"))
                json.member("noInteger", Int?.none)
                json.member("integer", Int?.some(3))
                json.member("i", -5)
                json.member("f", Float(0.1))
                json.member("d", 0.1)
                json.member("b", true)
                json.key("list")
                json.array { json in
                    json.value(false)
                    json.array { _ in }
                    json.object { _ in }
                    json.null()
                }
                json.key("run-time \"key\"")
                json.array([Float(1), 2.5])
                json.key("strings")
                json.array(["a", "b"])
            }
        }
        #expect(
            written
                == #"{"s":"x","none":null,"some":"y","noInteger":null,"integer":3,"i":-5,"f":0.1,"d":0.1,"b":true,"list":[false,[],{},null],"run-time \"key\"":[1,2.5],"strings":["a","b"]}"#
        )
    }

    @Test("strings read back as they were, control characters included")
    func strings() throws {
        let original = "quote \" slash \\ newline \n return \r tab \t bell \u{7} nul \0 del \u{7F} é 😀"
        let written = text { $0.array([original]) }
        let reader = JSONReader(try JSONDocument(parsing: Array(written.utf8)))
        #expect(reader.root.array(count: 1...1) { $0.string() } == [original])
        try reader.finish()
    }

    @Test("every float reads back bit for bit")
    func floats() throws {
        var state: UInt64 = 42
        var originals: [Float] = [0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -.leastNormalMagnitude, 1, 0.1]
        while originals.count < 2000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let float = Float(bitPattern: UInt32(state >> 32))
            if float.isFinite { originals.append(float) }
        }
        let written = text { $0.array(originals) }
        let reader = JSONReader(try JSONDocument(parsing: Array(written.utf8)))
        let back = try #require(reader.root.floats(expected: originals.count))
        #expect(back.map(\.bitPattern) == originals.map(\.bitPattern))
    }
}
