/// Bodies that are not one JSON value, and those that only look as if.
package enum MalformedJSON {
    private static func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }

    /// To be refused with 400.
    package static let texts: [[UInt8]] =
        [
            "", " ", "\n", "{", "}", "{\"name\"", "{\"name\":", "{\"name\":\"n\"", "{\"name\":\"n", "[", "{\"name\":\"n\"}}",
            "{\"name\":\"n\"} {}",
            "{\"name\":\"n\"}x", "{\"name\":\"n\"},", "{\"name\":\"n\",}", "{'name':'n'}", "{name:\"n\"}",
            "{\"name\":\"n\",\"name\":\"m\"}",
            "{\"name\":\"n\",\"x\":{\"a\":1,\"a\":2}}", "{\"name\":\"n\" /* c */}", "// c\n{\"name\":\"n\"}", "nul", "True", "undefined",
            "{\"name\":\"\\ud800\"}", "{\"name\":\"\\udc00\\ud800\"}", "{\"name\":\"\\ud800x\"}", "{\"name\":\"\\u12\"}",
            "{\"name\":\"\\x41\"}",
            "{\"name\":\"a\nb\"}", "{\"name\":\"a\tb\"}", "{\"name\":\"a\u{0}b\"}", "\u{0}", "{\"name\":\"n\"}\u{0}",
            "\u{FEFF}{\"name\":\"n\"}", "{\"name\":NaN}", nested(65), nested(10_000), nested(100_000),
            String(repeating: "[", count: 100_000),
            String(repeating: "{\"a\":", count: 100_000), "\"" + String(repeating: "x", count: 1_000_000),
        ].map { Array($0.utf8) } + [
            // UTF-16 in both orders, with and without a mark.
            "{\"name\":\"n\"}".utf16.flatMap { [UInt8($0 & 255), 0] }, [0xFF, 0xFE] + "{}".utf16.flatMap { [UInt8($0 & 255), 0] },
            [0xFE, 0xFF] + "{}".utf16.flatMap { [0, UInt8($0 & 255)] },
            // Not UTF-8: a stray byte, a cut sequence, an overlong slash, a surrogate, beyond U+10FFFF.
            Array("{\"name\":\"".utf8) + [0xFF] + Array("\"}".utf8), Array("{\"name\":\"".utf8) + [0xE2, 0x82] + Array("\"}".utf8),
            Array("{\"name\":\"".utf8) + [0xC0, 0xAF] + Array("\"}".utf8),
            Array("{\"name\":\"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8),
            Array("{\"name\":\"".utf8) + [0xF4, 0x90, 0x80, 0x80] + Array("\"}".utf8), [0x80], [0x1F, 0x8B, 0x08],
        ]

    /// Unusual bodies that make a library.
    package static let merelyUnusual = [
        " \t\r\n{\"name\":\"n\"}\n", #"{"\u006eame":"\u006e"}"#, #"{"name":"\ud83d\ude00"}"#, #"{"name":"\u0000\/\b\f"}"#,
        #"{"name":"\uffff"}"#,
    ]

    /// JSON, but no object with a name: to be refused with 422.
    package static let wrongShapes = ["[]", "5", "\"x\"", "null", "true", "{}"]
}
