import FoundationEssentials
import Glibc
import Settings
import TestSupport
import Testing

@testable import CLI

@Suite("quire")
struct CLITests {
    /// nginx tries whether it could listen.
    private let port = ReservedPort()

    @Test("prints its version and its commands")
    func version() throws {
        let place = TemporaryDirectory()

        let version = try place.quire("--version")
        #expect(version.status == 0)
        #expect(version.output.wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
        let help = try place.quire("--help")
        #expect(help.output.contains("nginx") && help.output.contains("config"))
        #expect(try place.quire("nonsense").status == 64)
    }

    @Test("config show prints the file's form, which reads back as the same settings")
    func show() throws {
        let place = TemporaryDirectory()
        let environment = ["PORT": "9090", "HOME": "/home/ada"]

        let shown = try place.quire("config", "show", "--config", checkout + "/Config/quire.yaml", environment: environment)
        #expect(shown.status == 0, "\(shown.errorOutput)")
        #expect(shown.output.contains("\nport: 9090  # from the environment\n"))
        #expect(shown.output.contains("max_results_k: 100  # from "))
        let again = try place.quire(
            "config", "show", "--config", place.write("shown.yaml", shown.output), "port", "max_results_k", "run_directory",
            environment: ["HOME": "/h"])
        #expect(again.status == 0, "\(again.errorOutput)")
        #expect(again.output.hasPrefix("9090\n100\n/"))
    }

    @Test("config show refuses a name that is no setting")
    func showUnknown() throws {
        let result = try TemporaryDirectory().quire("config", "show", "prot", environment: ["HOME": "/h"])

        #expect(result.status == 64)
        #expect(result.output.isEmpty)
        #expect(result.errorOutput.contains("prot is not a setting"))
    }

    @Test(
        "exits 78 with one line for settings that are wrong",
        arguments: [
            ["config", "check"], ["config", "show"], ["config", "show", "port"], ["nginx", "render"], ["nginx", "reload"],
        ])
    func wrongSettings(command: [String]) throws {
        let place = TemporaryDirectory()

        let result = try place.run(quirePath, command, environment: ["PORT": "0", "HOME": "/h"])

        #expect(result.status == 78)
        #expect(result.output.isEmpty)
        #expect(
            result.errorOutput == "quire: PORT: \"0\" (from the environment) is refused; accepted: a whole number from 1 to 65535\n")
    }

    @Test("config check is silent about settings that are right")
    func check() throws {
        let result = try TemporaryDirectory().quire(
            "config", "check", "--config", checkout + "/Config/quire.yaml", environment: ["HOME": "/h"])

        #expect(result.status == 0)
        #expect(result.output.isEmpty && result.errorOutput.isEmpty)
    }

    @Test("config show tells which secrets are set, and never what they are (G4)")
    func secrets() throws {
        let place = TemporaryDirectory()
        let file = try place.write(
            "quire.yaml", "models:\n  - name: a\n    provider: openai\n    dimension: 3\n    api_key_env: MY_KEY\n")

        let shown = try place.quire(
            "config", "show", "--config", file,
            environment: ["HOME": "/h", "COHERE_API_KEY": "MARKER", "OPENAI_API_KEY": "", "MY_KEY": "MARKER", "OTHER_KEY": "MARKER"])

        #expect(shown.status == 0, "\(shown.errorOutput)")
        #expect(
            shown.output.hasSuffix("\n# COHERE_API_KEY: ******** # from the environment\n\n# MY_KEY: ******** # from the environment\n"))
        #expect(!(shown.output + shown.errorOutput).contains("MARKER"))
        #expect(!shown.output.contains("OTHER_KEY") && !shown.output.contains("# OPENAI_API_KEY"))
    }

    @Test("config document prints docs/configuration.md")
    func document() throws {
        let printed = try TemporaryDirectory().quire("config", "document", environment: ["HOME": "/h", "PORT": "9090"])

        #expect(printed.status == 0 && printed.errorOutput.isEmpty)
        #expect(try printed.output == String(contentsOfFile: checkout + "/docs/configuration.md", encoding: .utf8))
    }

    @Test("nginx reload leaves what is in place when nginx refuses the new one, and says nginx's reason")
    func reloadRefused() throws {
        let place = TemporaryDirectory()
        let run = place.path + "/run"
        let environment = ["RUN_DIRECTORY": run, "HOME": "/h", "PORT": "\(port.number)", "PATH": "/usr/sbin"]
        #expect(try place.quire("nginx", "render", "--source", checkout + "/nginx", environment: environment).status == 0)
        let server = try String(contentsOfFile: run + "/nginx/generated/server.conf", encoding: .utf8)

        for command in ["render", "reload"] {
            let refused = try place.quire(
                "nginx", command, "--source", checkout + "/nginx",
                environment: environment.merging(["TLS_CERTIFICATE": "/nonexistent/a", "TLS_CERTIFICATE_KEY": "/nonexistent/b"]) { $1 })
            #expect(refused.status == 78 && refused.output.isEmpty)
            #expect(refused.errorOutput.hasPrefix("quire: nginx configuration: "))
            #expect(refused.errorOutput.contains("cannot load certificate \"/nonexistent/a\""))
            #expect(refused.errorOutput.split(separator: "\n").count == 1)
        }
        #expect(try String(contentsOfFile: run + "/nginx/generated/server.conf", encoding: .utf8) == server)

        let notRunning = try place.quire("nginx", "reload", "--source", checkout + "/nginx", environment: environment)
        #expect(notRunning.status == 78 && notRunning.errorOutput.contains("nginx.pid"), "\(notRunning.errorOutput)")
    }

    @Test("nginx render makes the run directory and a prefix that nginx accepts")
    func render() throws {
        let place = TemporaryDirectory()
        let run = place.path + "/run"

        let result = try place.quire(
            "nginx", "render", "--source", checkout + "/nginx",
            environment: ["RUN_DIRECTORY": run, "HOME": "/h", "PORT": "\(port.number)", "PATH": "/usr/sbin"])

        #expect(result.status == 0, "\(result.errorOutput)")
        #expect(result.output == run + "/nginx\n")
        let server = try String(contentsOfFile: run + "/nginx/generated/server.conf", encoding: .utf8)
        #expect(server.contains("listen 127.0.0.1:"))
        #expect(FileManager.default.fileExists(atPath: run + "/nginx/conf.d/40-versions.conf"))
    }

    @Test("nginx render writes elsewhere when asked, and exits 78 when it cannot")
    func renderElsewhere() throws {
        let place = TemporaryDirectory()
        let environment = ["RUN_DIRECTORY": place.path + "/run", "HOME": "/h", "PORT": "\(port.number)"]

        let elsewhere = try place.quire(
            "nginx", "render", "--output", place.path + "/prefix", "--source", checkout + "/nginx", environment: environment)
        #expect(elsewhere.output == place.path + "/prefix\n", "\(elsewhere.errorOutput)")
        let nowhere = try place.quire("nginx", "render", "--source", "/nonexistent", environment: environment)
        #expect(nowhere.status == 78)
        #expect(nowhere.errorOutput.split(separator: "\n").count == 1)
        #expect(nowhere.errorOutput.contains("/nonexistent/nginx.conf"))
    }

    @Test("nginx render takes the nginx files of its own installation")
    func renderInstalled() throws {
        let place = TemporaryDirectory()
        #expect(try place.run("/bin/cp", ["-rL", quirePath, checkout + "/nginx", place.path]).status == 0)

        let result = try place.run(
            place.path + "/quire", ["nginx", "render"],
            environment: ["RUN_DIRECTORY": place.path + "/run", "HOME": "/h", "PORT": "\(port.number)"])

        #expect(result.status == 0, "\(result.errorOutput)")
        #expect(FileManager.default.fileExists(atPath: place.path + "/run/nginx/nginx.conf"))
    }

    @Test("works for a user without rights", .enabled(if: geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0))
    func unprivileged() throws {
        let place = TemporaryDirectory()
        // The checkout may lie where nobody else can read.
        let quire = place.path + "/quire"
        #expect(try place.run("/bin/cp", ["-rL", quirePath, checkout + "/nginx", place.path]).status == 0)
        #expect(try place.run("/bin/chmod", ["-R", "a+rX", quire, place.path + "/nginx"]).status == 0)
        let home = place.path + "/home"
        try #require(mkdir(home, 0o700) == 0 && chown(home, 65_534, 65_534) == 0)

        let result = try place.run(
            "/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", quire, "nginx", "render"],
            environment: ["HOME": home, "XDG_RUNTIME_DIR": home, "PORT": "\(port.number)", "LLVM_PROFILE_FILE": "/dev/null"])

        #expect(result.status == 0, "\(result.errorOutput)")
        let prefix = String(result.output.dropLast())
        #expect(prefix.hasPrefix(home + "/quire/"))
        var status = stat()
        try #require(stat(prefix + "/..", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        let main = try String(contentsOfFile: prefix + "/generated/main.conf", encoding: .utf8)
        #expect(!main.contains("user "))
    }

    @Test("finds the nginx files of its own installation, never those of the working directory")
    func source() throws {
        let place = TemporaryDirectory()
        let installed = place.path + "/opt/share/quire/nginx"
        try FileManager.default.createDirectory(atPath: installed, withIntermediateDirectories: true)

        #expect(throws: SettingsError.self) { try installedSource(executable: place.path + "/opt/bin/quire") }
        _ = try place.write("opt/share/quire/nginx/nginx.conf", "")
        #expect(try installedSource(executable: place.path + "/opt/bin/quire") == installed)
        #expect(try installedSource(executable: checkout + "/.build/debug/quire") == checkout + "/nginx")
        #expect(throws: SettingsError.self) { try installedSource(executable: "quire") }
    }
}
