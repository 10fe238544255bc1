import TestSupport
import Testing

@testable import Settings

@Suite("Models of the file")
struct ModelSettingsTests {
    private let directory = TemporaryDirectory()

    private func read(_ contents: String, _ environment: [String: String] = [:]) throws -> Settings {
        try settings(environment, file: directory.write("quire.yaml", contents))
    }

    private func error(_ contents: String, _ environment: [String: String] = [:]) throws -> String {
        let file = try directory.write("quire.yaml", contents)
        let line = try #require(refusal(environment, file: file)).description
        #expect(!line.contains("\n"))
        return line.replacing(file, with: "FILE")
    }

    @Test("have what their entry says, and defaults")
    func entries() throws {
        let settings = try read(
            """
            port: 9090
            models:
              # The small one.
              - name: e5
                provider: openai
                model: "intfloat/e5 \\"small\\""

                # Numbers.
                dimension: 384
                max_tokens: 300
                base_url: http://[::1]:9000/v1/
                api_key_env: E5_KEY
                request_dimension: true
                query_prefix: "query: "
                document_prefix: 'passage: ' # with a space
              - provider: ollama
                dimension: 8192
                name: plain
            # Not indented.
            max_results_k: 7
            """)

        let file = directory / "quire.yaml"
        #expect(
            settings.models == [
                ModelSettings(
                    name: "e5", provider: .openai, model: #"intfloat/e5 "small""#, dimension: 384, maxTokens: 300,
                    baseURL: "http://[::1]:9000/v1", keyVariable: "E5_KEY", requestsDimension: true, queryPrefix: "query: ",
                    documentPrefix: "passage: ", origin: .file(path: file, line: 4)),
                ModelSettings(
                    name: "plain", provider: .ollama, model: "plain", dimension: 8192, maxTokens: 512, requestsDimension: false,
                    queryPrefix: "", documentPrefix: "", origin: .file(path: file, line: 16)),
            ])
        #expect(settings.keyVariables == ["COHERE_API_KEY", "OPENAI_API_KEY", "E5_KEY"])
        #expect(settings.port == 9090 && settings.maxResultsK == 7)
    }

    @Test("are printed in the form of the file")
    func printed() throws {
        let contents = """
            models:
              - name: e5
                provider: openai
                model: "in t \\"\\\\"
                dimension: 3
                max_tokens: 9
                base_url: https://example.org/v1
                api_key_env: KEY
                request_dimension: true
                query_prefix: "q: "
                document_prefix: "d: "
              - name: b
                provider: cohere
                dimension: 4
            """
        let once = try read(contents)
        let declared = try Settings.explain(file: directory / "quire.yaml", environment: [:], machine: ordinaryUser)
        let setting = try #require(declared.first { $0.name == "models" })

        let again = try read("models: \(setting.value)  # \(setting.origin)")

        #expect(setting.origin == .file(path: directory / "quire.yaml", line: 1))
        #expect(again.models.map(\.name) == ["e5", "b"])
        func withoutOrigin(_ models: [ModelSettings]) -> [ModelSettings] {
            models.map { model in
                var model = model
                model.origin = .builtIn
                return model
            }
        }
        #expect(withoutOrigin(again.models) == withoutOrigin(once.models))
        #expect(try Settings.explain(environment: [:], machine: ordinaryUser).first { $0.name == "models" }?.origin == .builtIn)
    }

    @Test("may be none", arguments: ["models: []", "models: [] # none", "models:", "models:\n  # none\n\nport: 1", ""])
    func none(contents: String) throws {
        #expect(try read(contents).models == [])
    }

    private static let wrong: [(String, String)] =
        [
            ("name: a b", "models[0].name: \"a b\" (from FILE line 2) is refused; accepted: a name for it here"),
            (
                "name: a\n    provider: anthropic",
                "models[0].provider: \"anthropic\" (from FILE line 3) is refused; accepted: cohere, openai, ollama"
            ),
            ("provider: ollama", "models[0].name (from FILE line 2) is missing; accepted: a name"),
            ("name: a", "models[0].provider (from FILE line 2) is missing; accepted: cohere"),
            ("name: a\n    provider: ollama", "models[0].dimension (from FILE line 2) is missing; accepted: a whole number from 1 to 8192"),
            ("name: a\n    provider: ollama\n    dimension: 8193", "models[0].dimension: \"8193\" (from FILE line 4) is refused"),
            ("name: a\n    provider: ollama\n    dimension: 0", "models[0].dimension: \"0\""),
            ("name: a\n    name: b", "FILE line 3: name is set twice"),
            ("name: a\n    api_key: secret", "models[0].api_key (from FILE line 3) is not a setting"),
            ("name: [a]", "FILE line 2: name is not a single value"), ("name:", "models[0].name: \"\" (from FILE line 2) is refused"),
            ("name: \"a", "FILE: not readable as YAML"),
        ]
        + [
            ("max_tokens: many", "models[0].max_tokens: \"many\""), ("base_url: ftp://example.org", "models[0].base_url"),
            ("base_url: example.org", "models[0].base_url"), ("base_url: http://", "models[0].base_url"),
            ("base_url: https:///v1", "models[0].base_url"), ("base_url: http://:80", "models[0].base_url"),
            ("base_url: http://user:secret@example.org", "models[0].base_url"), ("base_url: http://example.org/?a", "models[0].base_url"),
            ("base_url: \"http://example.org/#a\"", "models[0].base_url"), ("base_url: \"http://exa mple.org\"", "models[0].base_url"),
            ("base_url: HTTP://example.org", "models[0].base_url"), ("api_key_env: lower", "models[0].api_key_env"),
            ("api_key_env: 1A", "models[0].api_key_env"), ("api_key_env: \"\"", "models[0].api_key_env"),
            ("request_dimension: maybe", "models[0].request_dimension"),
            ("request_dimension: true", "models[0].request_dimension: \"true\""),
            ("model: \"\"", "models[0].model"), ("model: \"a\\nb\"", "models[0].model"),
            ("query_prefix: \"\(String(repeating: "x", count: 1001))\"", "models[0].query_prefix"),
        ].map { ("name: a\n    provider: ollama\n    dimension: 3\n    \($0)", $1) }
        + [
            ("query_prefix: x", "models[0].query_prefix: \"x\" (from FILE line 5) is refused; accepted: unset"),
            ("document_prefix: x", "models[0].document_prefix: \"x\""),
        ].map { ("name: a\n    provider: cohere\n    dimension: 3\n    \($0)", $1) }

    @Test("are refused with their line", arguments: wrong)
    func refused(entry: String, start: String) throws {
        let line = try error("models:\n  - \(entry)")

        #expect(line.hasPrefix(start), "\(line)")
    }

    @Test(
        "have one shape",
        arguments: [
            ("models: {}", "FILE line 1: models is a list"), ("models: e5", "FILE line 1: models is a list"),
            ("models:\n- name: a", "FILE line 2: expected `name: value`"),
            ("models:\n    name: a", "FILE line 2: expected `  - name: value`"),
            ("models:\n  name: a", "FILE line 2: expected `  - name: value`"),
            ("models:\n  -name: a", "FILE line 2: expected `  - name: value`"),
            ("models:\n  - name: a\n   provider: ollama", "FILE line 3: expected `  - name: value`"),
            ("models:\n  - name: a\n      provider: ollama", "FILE line 3: expected `  - name: value`"),
            ("models:\n  -   name: a", "FILE line 2: expected `  - name: value`"),
            ("models:\n  - a", "FILE line 2: expected `name: value`"),
            ("models: []\n  - name: a", "FILE line 2: expected `name: value`"), ("models:\nport: 1\n  - name: a", "FILE line 3: expected"),
            ("port:\n  - name: a", "FILE line 2: expected `name: value`"), ("models:\nmodels:", "FILE line 2: models is set twice"),
            ("models:\n  - models: []", "FILE line 2: models is not a single value"),
            ("models:\n" + String(repeating: "  - name: a\n", count: 101), "FILE line 102: models has more than 100 entries"),
        ])
    func shapes(contents: String, start: String) throws {
        let line = try error(contents)

        #expect(line.hasPrefix(start) || contents.contains("- models") && line.hasPrefix("models[0].models (from FILE line 2)"), "\(line)")
    }

    @Test("have names of their own")
    func names() throws {
        let entry = "  - name: a\n    provider: ollama\n    dimension: 3\n"
        #expect(
            try error("models:\n" + entry + entry)
                == "models[1].name: \"a\" (from FILE line 5) is refused; accepted: a name that no other entry has")
    }

    @Test("a key is visible ASCII, and is never shown", arguments: ["MARKER KEY", "MARKER\n", "MÄRKER", "MARKER\u{7f}", " MARKER"])
    func keys(key: String) throws {
        let entry = "models:\n  - name: a\n    provider: ollama\n    dimension: 3\n    api_key_env: MY_KEY"

        for (name, line) in [
            ("MY_KEY", try error(entry, ["MY_KEY": key])), ("COHERE_API_KEY", try error("", ["COHERE_API_KEY": key])),
            ("OPENAI_API_KEY", try error(entry, ["OPENAI_API_KEY": key])),
        ] {
            #expect(
                line == "\(name) (from the environment, not shown) is refused; accepted: visible ASCII characters without spaces, or unset")
        }
        #expect(refusal(["MY_KEY": key]) == nil, "nobody asked for it")
        #expect(refusal(["COHERE_API_KEY": ""]) == nil && refusal(["COHERE_API_KEY": "MARKER"]) == nil)
    }
}
