import TestSupport
import Testing

@testable import Settings

@Suite("The configuration file")
struct SettingsFileTests {
    private func error(_ contents: String) throws -> String {
        let directory = TemporaryDirectory()
        let file = try directory.write("quire.yaml", contents)
        let error = try #require(refusal(file: file))
        return error.description.replacing(file, with: "FILE")
    }

    @Test(
        "names the key that is not a setting, and its line",
        arguments: [
            ("port: 1\nmax_result_k: 5", "max_result_k (from FILE line 2)"), ("PORT: 1", "PORT (from FILE line 1)"),
            ("rate_limit_reads: 1/second", "rate_limit_reads (from FILE line 1)"),
        ])
    func unknownKeys(contents: String, start: String) throws {
        #expect(try error(contents).hasPrefix(start + " is not a setting of this version"))
    }

    @Test("names the line of a value that is refused")
    func refusedValue() throws {
        #expect(
            try error("\n\nport: eighty").hasPrefix(
                "PORT: \"eighty\" (from FILE line 3) is refused; accepted: a whole number from 1 to 65535"))
    }

    @Test(
        "refuses every shape in which a key could hide",
        arguments: [
            ("server:\n  port: 1", "FILE line 2: expected `name: value`"), ("{port: 1}", "FILE line 1: expected `name: value`"),
            ("- port", "FILE line 1: expected"), ("port", "FILE line 1: expected"), ("port:1", "FILE line 1: expected"),
            (": 1", "FILE line 1: expected"), ("\"port\": 1", "FILE line 1: expected"), ("<<: *x", "FILE line 1: expected"),
            ("%YAML 1.2\n---\nport: 1", "FILE line 1: expected"), ("port: 1\nport: 2", "FILE line 2: port is set twice"),
            ("port: {max_results_k: 1}", "FILE line 1: port is not a single value"),
            ("port: [1, 2]", "FILE line 1: port is not a single value"),
            ("host: \"127.0.0.1\nport: 1\"", "HOST: \"127.0.0.1 port: 1\""),
            ("log_level: \"info\nport: 1\"", "FILE line 2: port is not a single"),
            ("port: 1\n---\nmax_results_k: 2", "FILE: not readable as YAML"), ("port: \"1", "FILE: not readable as YAML"),
            ("port: *nowhere", "FILE: not readable as YAML"), ("\u{feff}port: 1", "FILE line 1: expected"),
        ])
    func shapes(contents: String, start: String) throws {
        let line = try error(contents)
        #expect(line.hasPrefix(start), "\(line)")
        #expect(!line.contains("\n"))
    }

    @Test("may be empty, or hold comments only", arguments: ["", "\n", "# nothing\n", "---\n", "  \n\t\n# x"])
    func empty(contents: String) throws {
        let directory = TemporaryDirectory()
        #expect(try settings(file: directory.write("quire.yaml", contents)) == settings())
    }

    @Test("must be there, be a file, be UTF-8 and be small")
    func unreadable() throws {
        let directory = TemporaryDirectory()

        #expect(refusal(file: directory.path + "/none")?.description.hasSuffix("none: No such file or directory") == true)
        #expect(refusal(file: directory.path)?.description.contains("Is a directory") == true)
        #expect(throws: SettingsError.malformedFile(path: "f", line: nil, reason: "not UTF-8")) {
            try SettingsFile(path: "f", contents: [0x70, 0xff])
        }
        let large = try directory.write("large.yaml", String(repeating: "# padding\n", count: 110_000))
        #expect(refusal(file: large)?.description.contains("larger than 1048576 bytes") == true)
    }
}
