import Glibc
import TestSupport
import Testing

@testable import Settings

@Suite("The generated nginx configuration")
struct NginxConfigurationTests {
    private static let header = "# Written by `quire nginx render` from the settings; changes made here are lost.\n"

    @Test("is these three files")
    func golden() throws {
        let configuration = NginxConfiguration(
            try settings(["PORT": "9090", "HOST": "::1", "NGINX_WORKER_PROCESSES": "3", "ACCESS_LOG": "all"], machine: rootUser),
            asRoot: true)

        #expect(configuration.files.map(\.name) == ["generated/main.conf", "generated/http.conf", "generated/server.conf"])
        #expect(configuration.main == Self.header + "user www-data www-data;\nworker_processes 3;\n")
        #expect(
            configuration.http == Self.header + """
                upstream responder {
                    server unix:/run/quire/9090/responder.sock;
                }

                client_max_body_size 33554432;
                access_log ../access.log quire buffer=64k flush=1s;

                """)
        #expect(configuration.server == Self.header + "listen [::1]:9090 default_server backlog=1024;\n")
    }

    @Test("names no user unless it is root that starts nginx")
    func unprivileged() throws {
        let configuration = NginxConfiguration(try settings(["ACCESS_LOG": "off"]), asRoot: false)

        #expect(configuration.main == Self.header + "worker_processes 6;\n")
        #expect(configuration.http.hasSuffix("\naccess_log off;\n"))
    }

    @Test("keeps to its grammar for any valid settings")
    func grammar() throws {
        let seed: UInt64 = 0x5e77_1465
        var random = SplitMix(seed: seed)

        for round in 0..<200 {
            let environment = randomEnvironment(&random)
            let configuration = NginxConfiguration(try settings(environment), asRoot: Bool.random(using: &random))
            #expect(followsGrammar(configuration), "seed \(seed) round \(round): \(environment)")
        }
    }

    @Test("is accepted by nginx, in place of the one before")
    func realNginx() throws {
        let seed: UInt64 = 0x0d13
        var random = SplitMix(seed: seed)
        let directory = TemporaryDirectory()
        let nginx = try findNginx(searchPath: "/usr/sbin")
        let prefix = NginxPrefix(source: nginxSource, output: directory.path + "/nginx", executable: nginx)

        for round in 0..<8 {
            var environment = randomEnvironment(&random)
            // nginx -t binds what it listens on: a port that needs no rights, on the address every machine has.
            environment["PORT"] = "\(freePort())"
            environment["HOST"] = "127.0.0.1"
            environment["NGINX_WORKER_PROCESSES"] = "\(round + 1)"
            let configuration = NginxConfiguration(try settings(environment), asRoot: geteuid() == 0)
            try prefix.install(configuration)
            let main = try readFile(directory.path + "/nginx/generated/main.conf", atMost: 1000)
            #expect(String(decoding: main, as: UTF8.self) == configuration.main, "seed \(seed) round \(round)")
        }
        #expect(try directory.names().filter { $0.hasPrefix("nginx-") }.count == 1)
    }

    @Test("never sees a hostile value: the settings refuse it first (D13)")
    func hostileValues() throws {
        let fragments = [
            ";", "}", "{", "\n", "\r", "\t", " ", "$", "$request_id", "#", "\"", "'", "\\", "`id`", "$(id)", "\0", "*",
            "; include /etc/passwd;",
            "}\nserver { listen 1; }", "\u{2028}", "é", "%00",
        ]
        let valid = [
            ("HOST", "127.0.0.1"), ("PORT", "8080"), ("RUN_DIRECTORY", "/run/q"), ("MAX_BODY_BYTES", "4096"),
            ("NGINX_WORKER_PROCESSES", "2"),
            ("ACCESS_LOG", "all"), ("LOG_LEVEL", "info"), ("DURABILITY", "always"), ("EMBEDDING_MODEL", "m"), ("LOG_JSON_FORMAT", "true"),
        ]
        var refused = 0
        for (name, value) in valid {
            #expect(refusal([name: value]) == nil)
            for fragment in fragments {
                for hostile in [value + fragment, fragment + value] {
                    #expect(refusal([name: hostile]) != nil, "\(name)=\(hostile)")
                    refused += 1
                }
            }
        }
        #expect(refused >= 400)
    }

    @Test(
        "refuses run directories whose path could be read in two ways, or does not fit a socket's address",
        arguments: [
            "relative", "~/run", "/a/../b", "/a/./b", "/a//b", "/..", "/", "", "/a b", "/" + String(repeating: "r", count: 92),
        ])
    func runDirectories(path: String) throws {
        #expect(refusal(["RUN_DIRECTORY": path])?.description.hasPrefix("RUN_DIRECTORY: ") == true)
    }

    @Test("refuses a derived run directory as it would a given one")
    func derivedRunDirectories() throws {
        #expect(refusal(["XDG_RUNTIME_DIR": "/run/user/a b"])?.description.hasPrefix("RUN_DIRECTORY: \"auto\"") == true)
        #expect(refusal(["TMPDIR": "/tmp;x"]) != nil)
        #expect(refusal(["RUN_DIRECTORY": "/" + String(repeating: "r", count: 91)]) == nil)
    }

    @Test("holds no text of settings that have nothing to do with nginx")
    func unrelatedSettings() throws {
        let odd = try settings(["VECTOR_DB_DATA_DIR": "/data; } evil", "QUIRE_MODEL_DIR": "/m$x"])

        #expect(NginxConfiguration(odd, asRoot: false) == NginxConfiguration(try settings(), asRoot: false))
    }
}

private func randomEnvironment(_ random: inout SplitMix) -> [String: String] {
    let characters = Array("abcXYZ019._-")
    let parts = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        "p" + String((0..<Int.random(in: 0...12, using: &random)).map { _ in characters.randomElement(using: &random)! })
    }
    return [
        "HOST": ["localhost", "::1", "127.0.0.1", "127.\(Int.random(in: 0...255, using: &random)).3.4"].randomElement(using: &random)!,
        "PORT": "\(Int.random(in: 1...65_535, using: &random))",
        "RUN_DIRECTORY": "/" + parts.joined(separator: "/"),
        "MAX_BODY_BYTES": "\(Int.random(in: 1024...1_073_741_824, using: &random))",
        "NGINX_WORKER_PROCESSES": ["auto", "\(Int.random(in: 1...64, using: &random))"].randomElement(using: &random)!,
        "ACCESS_LOG": AccessLog.allCases.randomElement(using: &random)!.rawValue,
    ]
}

private func followsGrammar(_ configuration: NginxConfiguration) -> Bool {
    let comment = "# Written by `quire nginx render` from the settings; changes made here are lost."
    let socket = /\ \ \ \ server unix:(?:\/[A-Za-z0-9._-]+)+\/responder\.sock;/
    let listen = /listen (?:127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\]):[1-9][0-9]{0,4} default_server backlog=1024;/
    let accessLog = /access_log (?:off|\.\.\/access\.log quire buffer=64k flush=1s(?: if=\$is_error)?);/

    func lines(_ text: String) -> [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    let (main, http, server) = (lines(configuration.main), lines(configuration.http), lines(configuration.server))
    let workers = main.dropFirst().first == "user www-data www-data;" ? main.dropFirst(2) : main.dropFirst()
    return main.first == Substring(comment) && workers.count == 2 && workers.first?.wholeMatch(of: /worker_processes [1-9][0-9]?;/) != nil
        && http.count == 8 && http[0] == comment && http[1] == "upstream responder {" && http[2].wholeMatch(of: socket) != nil
        && http[3] == "}" && http[4] == "" && http[5].wholeMatch(of: /client_max_body_size [1-9][0-9]{3,9};/) != nil
        && http[6].wholeMatch(of: accessLog) != nil && http[7] == ""
        && server.count == 3 && server[0] == comment && server[1].wholeMatch(of: listen) != nil && server[2] == ""
}
