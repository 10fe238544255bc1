import HTTPTypes
import Testing

struct MalformedJSONTests {
    private static func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }

    static let texts: [[UInt8]] =
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

    @Test("what is not one JSON value is refused as such", arguments: texts)
    func refused(text: [UInt8]) throws {
        let server = try TestServer()

        let reply = server.send(.post, "/v1/libraries", bytes: text)

        #expect(reply.status == 400 && reply.errorType == "InvalidRequestError")
        #expect(reply.detail.hasPrefix("Malformed JSON: ") && reply.json["errors"] == nil)
        #expect(server.get("/v1/libraries").json == [])
    }

    @Test("every endpoint that takes a body refuses one that is not JSON")
    func everywhere() throws {
        let server = try TestServer()
        let (vectors, texts) = (server.vectors(), server.texts())
        for path in [
            "/v1/libraries", "\(vectors)/documents/with-embeddings", "\(vectors)/search/embedding", "\(texts)/documents", "\(texts)/search",
        ] {
            #expect(server.post(path, text: "{").status == 400)
        }
        #expect(server.send(.patch, vectors, text: "{").status == 400)
    }

    @Test(
        "JSON that is merely unusual is read",
        arguments: [
            " \t\r\n{\"name\":\"n\"}\n", #"{"\u006eame":"\u006e"}"#, #"{"name":"\ud83d\ude00"}"#, #"{"name":"\u0000\/\b\f"}"#,
            #"{"name":"\uffff"}"#,
        ])
    func accepted(text: String) throws {
        let server = try TestServer()

        #expect(server.post("/v1/libraries", text: text).status == 201)
    }

    @Test("a value of the wrong shape is told apart from one that is not JSON", arguments: ["[]", "5", "\"x\"", "null", "true", "{}"])
    func wrongShape(text: String) throws {
        let server = try TestServer()

        #expect(server.post("/v1/libraries", text: text).status == 422)
    }
}
