import FoundationEssentials
import Glibc
import Settings
import Testing

let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
let shippedFile = checkout + "/Config/quire.yaml"
let nginxSource = checkout + "/nginx"

let ordinaryUser = Machine(userID: 1000, home: "/home/ada", cores: 6)
let rootUser = Machine(userID: 0, home: "/superuser", cores: 6)

/// Settings of an ordinary user with nothing else in the environment.
func settings(_ environment: [String: String] = [:], file: String? = nil, machine: Machine = ordinaryUser) throws(SettingsError) -> Settings
{
    try Settings.load(file: file, environment: environment, machine: machine)
}

/// The error of settings that must not be accepted; nil when they are.
func refusal(_ environment: [String: String] = [:], file: String? = nil, machine: Machine = ordinaryUser) -> SettingsError? {
    do throws(SettingsError) {
        _ = try settings(environment, file: file, machine: machine)
        return nil
    } catch {
        return error
    }
}

/// An empty directory that nginx's workers can pass through, removed when the last reference is gone.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/quire-settings-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        path = String(cString: made)
        try #require(chmod(path, 0o755) == 0)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ name: String, _ contents: String) throws -> String {
        let file = path + "/" + name
        try contents.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }

    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }
}
