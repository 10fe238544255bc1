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

        #expect(
            configuration.files.map(\.name) == [
                "generated/main.conf", "generated/http.conf", "generated/server.conf", "generated/administration.conf",
            ])
        #expect(configuration.main == Self.header + "user www-data www-data;\nworker_processes 3;\n")
        #expect(
            configuration.http == Self.header + """
                upstream responder { server unix:/run/quire/9090/responder.sock; }
                client_max_body_size 33554432;
                fastcgi_read_timeout 60s;
                map $request_uri $api_version {
                    default "";
                    "~^/v1(?:[/?]|$)" v1;
                }
                map "" $api_versions {
                    default "v1";
                }
                map "" $api_versions_json {
                    default '"v1"';
                }
                map $api_version $api_deprecation {
                    default "";
                }
                map $api_version $api_sunset {
                    default "";
                }
                map $http_origin $cors_origin {
                    default "";
                }
                map "" $cors_vary {
                    default "";
                }
                access_log ../access.log quire buffer=64k flush=1s;

                """)
        #expect(configuration.server == Self.header + "listen [::1]:9090 default_server backlog=1024;\n")
    }

    @Test("has what is turned on")
    func goldenExtras() throws {
        let configuration = NginxConfiguration(
            try settings([
                "HOST": "0.0.0.0", "ALLOW_ANONYMOUS": "true", "TLS_CERTIFICATE": "/tls/chain.pem", "TLS_CERTIFICATE_KEY": "/tls/key.pem",
                "API_VERSIONS": "v1 deprecated 2027-01-31 sunset 2027-12-31", "CORS_ALLOWED_ORIGINS": "https://example.org",
                "TRUSTED_PROXIES": "10.0.0.0/8, ::1", "RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_CREATE": "1/minute", "ACCESS_LOG": "off",
            ]), asRoot: false)

        for lines in [
            "    v1 @1801353600;\n", "    v1 \"Fri, 31 Dec 2027 00:00:00 GMT\";\n",
            "    \"https://example.org\" \"https://example.org\";\n",
            "    default Origin;\n",
            """
            set_real_ip_from 10.0.0.0/8;
            set_real_ip_from ::1;
            real_ip_header X-Forwarded-For;
            real_ip_recursive on;
            include snippets/rate-classes.conf;
            limit_req_zone $search_client zone=search:10m rate=30r/m;
            limit_req_zone $write_client zone=write:10m rate=60r/m;
            limit_req_zone $create_client zone=create:10m rate=1r/m;
            limit_conn_zone $any_client zone=connections:10m;
            map $rate_class $retry_after {
                default 1;
                search 3;
                write 2;
                create 63;
            }
            access_log off;

            """,
        ] { #expect(configuration.http.contains(lines), "\(lines)") }
        #expect(
            configuration.server == Self.header + """
                listen 0.0.0.0:8080 ssl http2 default_server backlog=1024;
                ssl_certificate /tls/chain.pem;
                ssl_certificate_key /tls/key.pem;
                include snippets/tls.conf;
                include snippets/rate-limited.conf;
                limit_req zone=search burst=19 nodelay;
                limit_req zone=write burst=19 nodelay;
                limit_req zone=create;
                limit_conn connections 100;

                """)
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
            #expect(
                NginxGrammar.accepts(main: configuration.main, http: configuration.http, server: configuration.server),
                "seed \(seed) round \(round): \(environment)")
        }
    }

    @Test("is accepted by nginx for any valid settings, in place of the one before (D13, F7)")
    func realNginx() throws {
        let seed = seed("nginx -t for random settings", standard: 0x0d13)
        let rounds = count("QUIRE_RANDOM_SETTINGS", standard: 100)
        let nginx = try findNginx(searchPath: "/usr/sbin")
        let certificates = TemporaryDirectory()
        let tls = try certificates.makeCertificate()

        let accepted = try onThreads(4) { thread in
            var random = SplitMix(seed: seed &+ UInt64(thread))
            let directory = TemporaryDirectory()
            let prefix = NginxPrefix(source: nginxSource, output: directory / "nginx", executable: nginx)
            var accepted = 0
            for round in 0..<rounds / 4 {
                var environment = randomEnvironment(&random)
                // nginx -t binds what it listens on: a port that needs no rights, on an address every machine has.
                environment["PORT"] = "\(Int.random(in: 1024...65_535, using: &random))"
                environment["HOST"] = ["127.0.0.1", "127.1.2.3", "0.0.0.0"].randomElement(using: &random)!
                if environment["TLS_CERTIFICATE"] != nil { environment.merge(tls) { $1 } }
                let configuration = NginxConfiguration(try settings(environment), asRoot: geteuid() == 0)
                do {
                    try prefix.install(configuration)
                } catch {
                    Issue.record("seed \(seed) thread \(thread) round \(round): \(error): \(environment)")
                    continue
                }
                accepted += 1
                let installed = try readFile(directory / "nginx/generated/http.conf", atMost: 100_000)
                #expect(String(decoding: installed, as: UTF8.self) == configuration.http)
            }
            #expect(try directory.names().filter { $0.hasPrefix("nginx-") }.count == 1)
            return accepted
        }

        report("random valid settings that nginx -t accepts", "\(accepted.reduce(0, +)) of \(rounds / 4 * 4)")
        #expect(accepted.reduce(0, +) == rounds / 4 * 4)
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
            ("ALLOW_ANONYMOUS", "true"), ("API_VERSIONS", "v1"), ("API_VERSIONS", "v1 deprecated 2027-01-01"),
            ("CORS_ALLOWED_ORIGINS", "https://example.org"), ("CORS_ALLOWED_ORIGINS", "http://a.example:81, https://[::1]:82"),
            ("TRUSTED_PROXIES", "10.0.0.0/8"), ("TRUSTED_PROXIES", "::1"), ("RATE_LIMIT_ENABLED", "true"),
            ("RATE_LIMIT_SEARCH", "30/minute"), ("RATE_LIMIT_WRITE", "1/second"), ("RATE_LIMIT_CREATE", "60/hour"),
            ("RATE_LIMIT_BURST", "5"), ("RATE_LIMIT_CONNECTIONS", "5"), ("REQUEST_TIMEOUT_SECONDS", "5"),
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
        for name in ["TLS_CERTIFICATE", "TLS_CERTIFICATE_KEY"] {
            let files = ["TLS_CERTIFICATE": "/tls/a", "TLS_CERTIFICATE_KEY": "/tls/b"]
            #expect(refusal(files) == nil)
            for fragment in fragments {
                for hostile in ["/tls/x" + fragment, fragment + "/tls/x", "/tls/" + fragment + "/x"] {
                    #expect(refusal(files.merging([name: hostile]) { $1 })?.description.hasPrefix("\(name): ") == true, "\(hostile)")
                    refused += 1
                }
            }
        }
        report("hostile values of settings that are refused", "\(refused) of \(refused)")
        #expect(refused >= 1000)
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
    func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    func chance(_ percent: Int) -> Bool { number(1...100) <= percent }
    func name(_ characters: String) -> String { String((0...number(0...12)).map { _ in characters.randomElement(using: &random)! }) }
    func path() -> String { (0...number(0...3)).map { _ in "/p" + name("abcXYZ019._-") }.joined() }
    func list(_ element: () -> String) -> String {
        var elements: [String] = []
        for _ in 0...number(0...5) { elements.append(element()) }
        // What is there twice is refused.
        return elements.enumerated().filter { !elements[..<$0.offset].contains($0.element) }.map(\.element)
            .joined(separator: chance(50) ? "," : ", ")
    }
    func rate() -> String {
        [
            "\(number(1...100_000))/second", "\(number(1...100_000))/minute", "\(60 * number(1...1666))/hour", "\(number(1...9))/minute",
        ].randomElement(using: &random)!
    }
    func byte() -> Int { number(0...255) }
    func group() -> String { String(number(1...0xffff), radix: 16) }
    let dates = [
        "", " deprecated 20\(number(10...49))-0\(number(1...9))-1\(number(0...9))", " sunset 2050-12-31",
        " deprecated 2049-02-28 sunset 2050-01-01",
    ]
    var environment = [
        "HOST": ["localhost", "::1", "127.0.0.1", "127.\(byte()).3.4", "0.0.0.0", "::", "10.\(byte()).0.1", "2001:db8::\(group())"]
            .randomElement(using: &random)!,
        "ALLOW_ANONYMOUS": "true",
        "PORT": "\(number(1...65_535))",
        "RUN_DIRECTORY": path(),
        "MAX_BODY_BYTES": "\(number(1024...1_073_741_824))",
        "REQUEST_TIMEOUT_SECONDS": "\(number(1...3600))",
        "NGINX_WORKER_PROCESSES": chance(50) ? "auto" : "\(number(1...64))",
        "ACCESS_LOG": AccessLog.allCases.randomElement(using: &random)!.rawValue,
        "API_VERSIONS": "v1" + dates.randomElement(using: &random)!,
        "RATE_LIMIT_ENABLED": "\(chance(70))",
        "RATE_LIMIT_SEARCH": rate(), "RATE_LIMIT_WRITE": rate(), "RATE_LIMIT_CREATE": rate(),
        "RATE_LIMIT_BURST": chance(50) ? "auto" : "\(number(1...10_000))",
        "RATE_LIMIT_CONNECTIONS": "\(number(1...10_000))",
    ]
    if chance(50) {
        environment["CORS_ALLOWED_ORIGINS"] = list {
            let port = chance(50) ? ":\(number(1...65_535))" : ""
            let host = chance(80) ? "a\(name("abc019-"))z.example" : "[2001:db8::\(group())]"
            return (chance(50) ? "http://" : "https://") + host + port
        }
    }
    if chance(50) {
        environment["TRUSTED_PROXIES"] = list {
            switch number(1...4) {
            case 1: "\(number(1...255)).\(byte()).\(byte()).\(byte())"
            case 2: "\(number(1...255)).\(byte()).\(byte()).\(byte())/\(number(25...32))"
            case 3: "2001:db8:\(group()):\(group())::\(group())"
            default: "2001:\(group())::/\(number(33...64))"
            }
        }
    }
    if chance(50) { (environment["TLS_CERTIFICATE"], environment["TLS_CERTIFICATE_KEY"]) = (path(), path()) }
    return environment
}
