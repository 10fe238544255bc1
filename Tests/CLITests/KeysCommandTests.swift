import Database
import FoundationEssentials
import Keys
import TestSupport
import Testing

@Suite("quire keys")
struct KeysCommandTests {
    private let place = TemporaryDirectory()

    private var file: String { place / "data/keys.json" }

    private func keys(_ arguments: String..., settings: [String: String] = [:]) throws -> ProcessResult {
        let environment = ["VECTOR_DB_DATA_DIR": place / "data", "RUN_DIRECTORY": place / "run", "HOME": "/h", "API_KEYS_REQUIRED": "true"]
        return try place.run(quirePath, ["keys"] + arguments, environment: environment.merging(settings) { $1 })
    }

    /// What a key gives now; `nil` if it is refused.
    private func access(_ key: String) throws -> Access? {
        let credential = try #require(Credential(key.replacing("\n", with: "")))
        return try? KeyRingFile(file).read().access(of: credential, at: .now())
    }

    @Test("create prints the key alone, and nothing else has its secret")
    func create() throws {
        let library = "3f2a8c1e-0000-4000-8000-000000000000"

        let plain = try keys("create", "for searches")
        let full = try keys("create", "büro", "--right", "write", "--library", library, "--library", library, "--expires", "2999-01-31")

        #expect(plain.status == 0 && plain.errorOutput.isEmpty, "\(plain.errorOutput)")
        #expect(plain.output.wholeMatch(of: /qk_[0-9a-f]{12}_[0-9a-f]{64}\n/) != nil)
        #expect(try access(plain.output)?.right == .read && access(plain.output)?.libraries == .all)
        #expect(try access(full.output)?.right == .write && access(full.output)?.libraries == .only([LibraryID(library)!]))
        let list = try keys("list")
        let lines = list.output.split(separator: "\n")
        #expect(lines.count == 2 && list.status == 0)
        #expect(lines[0].contains("  read  for searches: all libraries, made ") && lines[0].hasSuffix("Z, without end"))
        #expect(lines[1].contains("  write  büro: \(library), made ") && lines[1].hasSuffix("until 2999-01-31T00:00:00.000Z"))
        for result in [plain, full] {
            let secret = String(result.output.dropLast().suffix(64))
            #expect(!list.output.contains(secret))
            #expect(try !String(decoding: contents(of: file), as: UTF8.self).contains(secret))
        }
    }

    @Test("create says when nobody would be asked for the key, and the key is made all the same")
    func notRequired() throws {
        let result = try keys("create", "k", settings: ["API_KEYS_REQUIRED": "false"])

        #expect(result.status == 0 && result.errorOutput.contains("API_KEYS_REQUIRED"))
        #expect(try access(result.output) != nil)
    }

    @Test("revoke takes a key out, rotate gives it another secret")
    func revokeAndRotate() throws {
        let first = try keys("create", "k", "--right", "admin").output
        let id = String(first.dropFirst(3).prefix(12))

        let second = try keys("rotate", id, "--overlap-seconds", "3600").output
        #expect(try access(first)?.right == .admin && access(second)?.right == .admin && first != second)
        #expect(try keys("list").output.contains(", its secret before until 2"))
        let third = try keys("rotate", id).output
        #expect(try access(first) == nil && access(second) == nil && access(third)?.right == .admin)
        let revoked = try keys("revoke", id)
        #expect(revoked.output == "revoked \(id), k\n")
        #expect(try access(third) == nil)
        #expect(try keys("list").output.isEmpty)
        let again = try keys("revoke", id)
        #expect(again.status == 66 && again.errorOutput == "quire: there is no key \(id)\n")
    }

    @Test(
        "refuses arguments that make no sense, and makes no key",
        arguments: [
            ["create"], ["create", ""], ["create", "a\u{1b}[31m"], ["create", String(repeating: "n", count: 101)],
            ["create", "k", "--right", "root"], ["create", "k", "--library", "x"], ["create", "k", "--expires", "tomorrow"],
            ["create", "k", "--expires", "2020-01-01"], ["revoke", "x"], ["rotate", "0123456789AB"],
            ["rotate", "0123456789ab", "--overlap-seconds", "-1"], ["rotate", "0123456789ab", "--overlap-seconds", "2678401"],
            ["create", "k", "--right", "admin", "--library", "3f2a8c1e-0000-4000-8000-000000000000"],
        ])
    func nonsense(arguments: [String]) throws {
        let result = try place.run(quirePath, ["keys"] + arguments, environment: ["KEYS_FILE": file, "HOME": "/h"])

        #expect(result.status == 64 && result.output.isEmpty, "\(arguments): \(result.errorOutput)")
        #expect(!result.errorOutput.contains("\u{1b}"))
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    @Test("leaves a damaged ring alone, and one that others may write")
    func damaged() throws {
        _ = try keys("create", "k")
        for (text, mode) in [("{}", 0o600), (#"{"version":1,"keys":[]}"#, 0o666)] {
            try place.write("data/keys.json", text)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            for command in [["create", "k"], ["list"], ["revoke", "0123456789ab"], ["rotate", "0123456789ab"]] {
                let result = try place.run(quirePath, ["keys"] + command, environment: ["KEYS_FILE": file, "HOME": "/h"])
                #expect(result.status == 65 && result.output.isEmpty)
                #expect(result.errorOutput.hasPrefix("quire: \(file) ") && result.errorOutput.split(separator: "\n").count == 1)
            }
            #expect(try contents(of: file) == Array(text.utf8))
        }
    }

    @Test("says when the ring cannot be written")
    func unwritable() throws {
        let result = try keys("create", "k", settings: ["KEYS_FILE": "/proc/none/keys.json"])

        #expect(result.status == 73 && result.output.isEmpty)
        #expect(result.errorOutput.hasPrefix("quire: mkdir of /proc/none failed: "))
    }

    @Test("shows that a key has expired")
    func expired() throws {
        _ = try KeyRingFile(file).update { ring throws(KeysError) in
            try ring.create(name: "old\u{1b}", right: .read, libraries: .only([]), expires: Timestamp("2020-01-01"), at: .now())
        }

        let line = try keys("list").output

        #expect(line.contains("old\\u{1B}: no library") && line.hasSuffix("EXPIRED 2020-01-01T00:00:00.000Z\n"))
    }
}
