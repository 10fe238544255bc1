import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import Settings

@Suite("nginx's prefix")
struct NginxPrefixTests {
    /// nginx tries whether it could listen.
    private let port = ReservedPort()

    private func configuration(bodyBytes: Int = 4096) throws -> NginxConfiguration {
        NginxConfiguration(try settings(["MAX_BODY_BYTES": "\(bodyBytes)", "PORT": "\(port.number)"]), asRoot: geteuid() == 0)
    }

    private func prefix(_ directory: TemporaryDirectory, source: String = nginxSource) throws -> NginxPrefix {
        NginxPrefix(source: source, output: directory.path + "/nginx", executable: try findNginx(searchPath: ""))
    }

    /// A source like ours with one line added to `nginx.conf`.
    private func source(_ directory: TemporaryDirectory, adding line: String) throws -> String {
        let copy = directory.path + "/source"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
        for name in ["nginx.conf", "conf.d", "snippets"] {
            try FileManager.default.copyItem(atPath: nginxSource + "/" + name, toPath: copy + "/" + name)
        }
        let main = try String(contentsOfFile: copy + "/nginx.conf", encoding: .utf8)
        try directory.write("source/nginx.conf", main + "\n" + line + "\n")
        return copy
    }

    private func generated(_ directory: TemporaryDirectory) throws -> String {
        try String(contentsOfFile: directory.path + "/nginx/generated/http.conf", encoding: .utf8)
    }

    @Test("holds the files of the source as they are, and the generated ones")
    func contents() throws {
        let directory = TemporaryDirectory()
        try prefix(directory).install(configuration())

        for name in ["nginx.conf", "conf.d/40-versions.conf", "snippets/error-pages.conf"] {
            let copied = try readFile(directory.path + "/nginx/" + name, atMost: 1 << 20)
            #expect(try copied == readFile(nginxSource + "/" + name, atMost: 1 << 20))
        }
        #expect(try generated(directory).contains("client_max_body_size 4096;"))
    }

    @Test("stays as it was when nginx refuses the new one, and says why")
    func refusedByNginx() throws {
        let directory = TemporaryDirectory()
        try prefix(directory).install(configuration())

        let error = #expect(throws: SettingsError.self) {
            try prefix(directory, source: source(directory, adding: "nonsense on;")).install(configuration(bodyBytes: 8192))
        }

        #expect(error?.description.contains("unknown directive \"nonsense\"") == true)
        #expect(error?.description.contains(directory.path + "/nginx/nginx.conf:") == true)
        #expect(try generated(directory).contains("client_max_body_size 4096;"))
        #expect(try directory.names().filter { $0.hasPrefix("nginx-") || $0.hasPrefix(".nginx-") }.count == 1)
    }

    @Test("is cleared of what a killed predecessor left behind")
    func leftovers() throws {
        let directory = TemporaryDirectory()
        try prefix(directory).install(configuration())
        for name in ["nginx-0123456789abcdef", "nginx-1f", "nginx-notes", "nginx-0123456789abcdef0"] {
            try FileManager.default.createDirectory(atPath: directory.path + "/" + name, withIntermediateDirectories: false)
        }
        try #require(symlink("nginx-1f", directory.path + "/.nginx-1f") == 0)

        try prefix(directory).install(configuration(bodyBytes: 8192))

        let names = try directory.names()
        #expect(names.contains("nginx-notes") && names.contains("nginx-0123456789abcdef0"))
        #expect(!names.contains("nginx-0123456789abcdef") && !names.contains("nginx-1f") && !names.contains(".nginx-1f"))
        #expect(try generated(directory).contains("client_max_body_size 8192;"))
    }

    @Test("does not replace what it did not make")
    func foreignOutput() throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/nginx", withIntermediateDirectories: false)
        #expect(throws: SettingsError.nginx(reason: "\(directory.path)/nginx exists and was not made by this command")) {
            try prefix(directory).install(configuration())
        }

        try FileManager.default.removeItem(atPath: directory.path + "/nginx")
        try #require(symlink("/etc", directory.path + "/nginx") == 0)
        #expect(throws: SettingsError.self) { try prefix(directory).install(configuration()) }
        #expect(try directory.names() == [".nginx.lock", "nginx"])
    }

    @Test("comes out whole when several write it at once")
    func concurrent() async throws {
        let directory = TemporaryDirectory()
        let output = directory.path + "/nginx"
        let configurations = try (0..<4).map { try configuration(bodyBytes: 5000 + $0) }
        let executable = try findNginx(searchPath: "")

        try await withThrowingTaskGroup(of: Void.self) { group in
            for configuration in configurations {
                group.addTask { try NginxPrefix(source: nginxSource, output: output, executable: executable).install(configuration) }
            }
            try await group.waitForAll()
        }

        #expect(try configurations.map(\.http).contains(generated(directory)))
        #expect(try directory.names().filter { $0.hasPrefix("nginx-") }.count == 1)
    }

    @Test("says what is missing")
    func missing() throws {
        let directory = TemporaryDirectory()

        let noSource = #expect(throws: SettingsError.self) { try prefix(directory, source: "/nonexistent").install(configuration()) }
        #expect(noSource?.description.contains("/nonexistent/nginx.conf: No such file") == true)
        let noParent = NginxPrefix(source: nginxSource, output: directory.path + "/none/nginx", executable: "/bin/true")
        #expect(throws: SettingsError.self) { try noParent.install(configuration()) }
        let noProgram = NginxPrefix(source: nginxSource, output: directory.path + "/nginx", executable: "/nonexistent/nginx")
        let error = #expect(throws: SettingsError.self) { try noProgram.install(configuration()) }
        #expect(error?.description == "nginx configuration: cannot run /nonexistent/nginx: No such file or directory")
        let silent = NginxPrefix(source: nginxSource, output: directory.path + "/nginx", executable: "/bin/false")
        #expect(throws: SettingsError.nginx(reason: "nginx -t -q ended with status 1")) { try silent.install(configuration()) }
        let partial = try directory.write("nginx.conf", "")
        let halfSource = NginxPrefix(source: directory.path, output: directory.path + "/nginx", executable: "/bin/true")
        #expect(throws: SettingsError.self) { try halfSource.install(configuration()) }
        #expect(FileManager.default.fileExists(atPath: partial))
    }

    @Test("is found relative to the working directory, and at the root")
    func relativeOutput() throws {
        let here = NginxPrefix(source: "/nonexistent", output: "quire-nginx-test-\(getpid())", executable: "/bin/true")
        #expect(throws: SettingsError.self) { try here.install(configuration()) }
        unlink(".quire-nginx-test-\(getpid()).lock")
        let missing = NginxPrefix(source: "/nonexistent", output: "/proc/quire/nginx", executable: "/bin/true")
        #expect(throws: SettingsError.self) { try missing.install(configuration()) }
    }

    @Test("tells how a program ended")
    func commands() throws {
        let killed = try runCommand("/bin/sh", ["-c", "echo no >&2; kill -9 $$"])
        #expect(killed.status == 128 + SIGKILL)
        #expect(killed.errorOutput == "no\n")
        #expect(try runCommand("/bin/sh", ["-c", "exit 3"]).status == 3)
        let talkative = try runCommand("/bin/sh", ["-c", "while :; do echo 0123456789012345678901234567890123456789 >&2 || exit 4; done"])
        #expect(talkative.errorOutput == "its output could not be read: larger than 1048576 bytes")
        #expect(talkative.status != 0)
    }

    @Test("finds nginx on the path first, and never in the working directory")
    func findingNginx() throws {
        let directory = TemporaryDirectory()
        let fake = try directory.write("nginx", "#!/bin/sh\n")
        #expect(try findNginx(searchPath: ":.:" + directory.path) != fake)
        try #require(chmod(fake, 0o755) == 0)
        #expect(try findNginx(searchPath: ":.:" + directory.path) == fake)
    }
}

@Suite("The run directory")
struct RunDirectoryTests {
    @Test("is made with its parents, for its owner and nginx's workers only")
    func made() throws {
        let directory = TemporaryDirectory()
        let run = RunDirectory(path: directory.path + "/quire/9000")

        let group = try run.prepare()
        #expect(try run.prepare() == group)

        var status = stat()
        try #require(lstat(run.path, &status) == 0)
        #expect(status.st_mode & 0o7777 == (geteuid() == 0 ? 0o750 : 0o700))
        #expect(status.st_uid == geteuid())
        #expect((group != nil) == (geteuid() == 0))
        if let group { #expect(status.st_gid == group) }
        #expect(run.socketPath == directory.path + "/quire/9000/responder.sock")
    }

    @Test("gets its mode back when somebody has opened it")
    func repaired() throws {
        let directory = TemporaryDirectory()
        let run = RunDirectory(path: directory.path + "/run")
        try run.prepare()
        try #require(chmod(run.path, 0o777) == 0)

        try run.prepare()

        var status = stat()
        try #require(lstat(run.path, &status) == 0)
        #expect(status.st_mode & 0o007 == 0)
    }

    private func failure(_ path: String) -> String? {
        do throws(SettingsError) {
            try RunDirectory(path: path).prepare()
            return nil
        } catch {
            return error.description
        }
    }

    @Test("is refused where another user could take it over")
    func refused() throws {
        let directory = TemporaryDirectory()
        let file = try directory.write("file", "")
        try #require(symlink("/tmp", directory.path + "/link") == 0)
        try #require(mkdir(directory.path + "/open", 0o755) == 0 && chmod(directory.path + "/open", 0o777) == 0)

        #expect(failure(file)?.hasSuffix("file: exists and is not a directory") == true)
        #expect(failure(directory.path + "/link")?.contains("is not a directory") == true)
        #expect(failure(file + "/run")?.contains("Not a directory") == true)
        #expect(failure(file + "/deeper/run")?.contains("Not a directory") == true)
        #expect(failure(directory.path + "/open/run")?.contains("is not sticky") == true)
        try #require(chmod(directory.path + "/open", 0o1777) == 0)
        #expect(failure(directory.path + "/open/run") == nil)
    }

    @Test("is refused where a group could take it over, unless nobody else is in that group", .enabled(if: geteuid() == 0))
    func groups() throws {
        let directory = TemporaryDirectory()
        let parent = directory.path + "/parent"
        try #require(mkdir(parent, 0o700) == 0 && chown(parent, 0, 12_345) == 0 && chmod(parent, 0o775) == 0)

        #expect(failure(parent + "/run")?.contains("can be written by group 12345 and is not sticky") == true)
        for (group, mode) in [(12_345, 0o1775), (12_345, 0o755), (0, 0o775)] as [(gid_t, mode_t)] {
            try #require(chown(parent, 0, group) == 0 && chmod(parent, mode) == 0)
            #expect(failure(parent + "/run") == nil)
        }
    }

    @Test("trusts root's group and the account's private one, which has its number and no members")
    func privateGroups() {
        #expect(RunDirectory.isTrusted(0, by: 12_345, in: 12_345))
        #expect(RunDirectory.isTrusted(12_345, by: 12_345, in: 12_345))
        #expect(!RunDirectory.isTrusted(12_345, by: 12_345, in: 100))
        #expect(!RunDirectory.isTrusted(100, by: 12_345, in: 100))

        setgrent()
        defer { endgrent() }
        while let group = getgrent()?.pointee {
            guard group.gr_gid != 0, group.gr_mem.pointee != nil else { continue }
            #expect(!RunDirectory.isTrusted(group.gr_gid, by: group.gr_gid, in: group.gr_gid))
        }
    }

    @Test("is refused when it, or a directory above it, belongs to somebody else", .enabled(if: geteuid() == 0))
    func foreign() throws {
        let directory = TemporaryDirectory()
        let foreign = directory.path + "/foreign"
        try #require(mkdir(foreign, 0o755) == 0 && chown(foreign, 12_345, 12_345) == 0)

        #expect(failure(foreign)?.contains("belongs to another user (uid 12345)") == true)
        #expect(failure(foreign + "/run")?.contains("belongs to another user (uid 12345)") == true)
    }
}
