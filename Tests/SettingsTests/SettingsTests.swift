import FoundationEssentials
import TestSupport
import Testing

@testable import Settings

@Suite("Settings")
struct SettingsTests {
    @Test("have the documented defaults for an ordinary user")
    func defaults() throws {
        let settings = try settings()

        #expect(settings.host.description == "127.0.0.1")
        #expect(settings.port == 8080)
        #expect(!settings.allowAnonymous && settings.tls == nil)
        #expect(settings.apiVersions.map(\.description) == ["v1"])
        #expect(settings.corsAllowedOrigins == [] && settings.trustedProxies == [])
        #expect(!settings.rateLimits.isEnabled && settings.rateLimits.burst == nil && settings.rateLimits.connections == 100)
        #expect(settings.rateLimits.search.description == "30/minute")
        #expect(settings.rateLimits.write.description == "60/minute")
        #expect(settings.rateLimits.create.description == "10/minute")
        #expect(settings.dataDirectory == "/home/ada/.local/share/quire")
        #expect(!settings.apiKeysRequired && settings.keysFile == "/home/ada/.local/share/quire/keys.json")
        #expect(settings.durability == .always)
        #expect(settings.maxChunksPerDocument == 1000)
        #expect(settings.maxChunkLength == 10_000)
        #expect(settings.maxQueryLength == 1000)
        #expect(settings.maxResultsK == 100)
        #expect(settings.maxDocumentsPerLibrary == 1_000_000)
        #expect(settings.maxTagsPerDocument == 50)
        #expect(settings.maxTagLength == 100)
        #expect(settings.maxTitleLength == 500)
        #expect(settings.maxAuthorLength == 200)
        #expect(settings.maxBodyBytes == 33_554_432)
        #expect(settings.maxLineBytes == 33_554_432)
        #expect(settings.maxBulkDocuments == 100)
        #expect(settings.requestTimeoutSeconds == 60)
        #expect(settings.embeddingModel == "all-minilm-l6-v2")
        #expect(settings.embeddingDimension == nil)
        #expect(settings.modelDirectory == "/home/ada/.cache/quire/models/all-minilm-l6-v2")
        #expect(settings.models == [] && settings.keyVariables == ["COHERE_API_KEY", "OPENAI_API_KEY"])
        #expect(settings.queryCacheBytes == 16 << 20)
        #expect(settings.workerThreads == 24)
        #expect(settings.queueLimit == 48 && settings.queueTimeoutMS == 2000)
        #expect(settings.indexBuildThreads == 6)
        #expect(settings.nginxWorkerProcesses == 6)
        #expect(settings.runDirectory == "/tmp/quire-1000/8080")
        #expect(settings.logLevel == .info)
        #expect(settings.logJSONFormat == false)
        #expect(settings.accessLog == .errors)
        #expect(settings.requestLog == .all)
        #expect(settings.slowQueryMS == 1000)
    }

    @Test("put root's files where a service's belong")
    func rootDefaults() throws {
        let settings = try settings(["PORT": "9090"], machine: rootUser)

        #expect(settings.dataDirectory == "/var/lib/quire")
        #expect(settings.runDirectory == "/run/quire/9090")
        #expect(settings.modelDirectory == "/superuser/.cache/quire/models/all-minilm-l6-v2")
    }

    @Test("follow the directories that the environment names")
    func ambientDirectories() throws {
        #expect(try settings(["HOME": "/h/"]).dataDirectory == "/h/.local/share/quire")
        #expect(try settings(["HOME": ""]).dataDirectory == "/home/ada/.local/share/quire")
        #expect(try settings(["XDG_CACHE_HOME": "/c"]).modelDirectory == "/c/quire/models/all-minilm-l6-v2")
        #expect(try settings(["XDG_RUNTIME_DIR": "/run/user/1000/"]).runDirectory == "/run/user/1000/quire/8080")
        #expect(try settings(["XDG_RUNTIME_DIR": "relative", "TMPDIR": "/t"]).runDirectory == "/t/quire-1000/8080")
        #expect(try settings(["TMPDIR": "relative"]).runDirectory == "/tmp/quire-1000/8080")
        #expect(try settings(machine: Machine(userID: 1, home: "/x", cores: 1, memoryBytes: 8 << 30)).workerThreads == 16)
        #expect(try settings(machine: Machine(userID: 1, home: "/x", cores: 200, memoryBytes: 8 << 30)).nginxWorkerProcesses == 64)
        #expect(try settings(machine: Machine(userID: 1, home: "/x", cores: 300, memoryBytes: 8 << 30)).indexBuildThreads == 256)
    }

    @Test("can each be set from the environment, and from the file in lower case")
    func overrides() throws {
        let changed = [
            "HOST": "::", "PORT": "1", "ALLOW_ANONYMOUS": "true", "TLS_CERTIFICATE": "/tls/chain.pem",
            "TLS_CERTIFICATE_KEY": "/tls/key.pem",
            "API_VERSIONS": "v1 sunset 2030-01-01", "CORS_ALLOWED_ORIGINS": "https://a.example, http://b.example:81",
            "TRUSTED_PROXIES": "10.1.2.3/8, ::1", "RATE_LIMIT_ENABLED": "yes", "RATE_LIMIT_SEARCH": "1/second",
            "RATE_LIMIT_WRITE": "2/minute", "RATE_LIMIT_CREATE": "180/hour", "RATE_LIMIT_BURST": "4", "RATE_LIMIT_CONNECTIONS": "5",
            "API_KEYS_REQUIRED": "false", "KEYS_FILE": "/keys",
            "VECTOR_DB_DATA_DIR": "/data/", "DURABILITY": "interval:250",
            "SNAPSHOT_LOG_BYTES": "2097152", "MEMORY_BUDGET_BYTES": "1073741824", "DISK_RESERVE_BYTES": "0",
            "MAX_CHUNKS_PER_DOCUMENT": "2",
            "MAX_CHUNK_LENGTH": "3", "MAX_QUERY_LENGTH": "4", "MAX_RESULTS_K": "5", "MAX_DOCUMENTS_PER_LIBRARY": "0",
            "MAX_TAGS_PER_DOCUMENT": "7", "MAX_TAG_LENGTH": "8", "MAX_TITLE_LENGTH": "9", "MAX_AUTHOR_LENGTH": "10",
            "MAX_BODY_BYTES": "2048", "MAX_LINE_BYTES": "4096", "MAX_BULK_DOCUMENTS": "12",
            "REQUEST_TIMEOUT_SECONDS": "13",
            "EMBEDDING_MODEL": "embed-english-v3.0", "EMBEDDING_DIMENSION": "1024",
            "QUIRE_MODEL_DIR": "~/weights", "QUERY_CACHE_BYTES": "11", "WORKER_THREADS": "3", "QUEUE_LIMIT": "14", "QUEUE_TIMEOUT_MS": "15",
            "INDEX_BUILD_THREADS": "2",
            "NGINX_WORKER_PROCESSES": "1",
            "RUN_DIRECTORY": "/srv/run.1/q_2-x", "LOG_LEVEL": "WARNING", "LOG_JSON_FORMAT": "True", "ACCESS_LOG": "off",
            "REQUEST_LOG": "errors", "SLOW_QUERY_MS": "0",
        ]
        let directory = TemporaryDirectory()
        let lines = changed.map { "\($0.key.lowercased()): \"\($0.value)\"" }.joined(separator: "\n")

        let fromEnvironment = try settings(changed)
        let fromFile = try settings(file: directory.write("quire.yaml", lines))

        // A list has no variable.
        let names = try Settings.explain(environment: [:], machine: ordinaryUser).map(\.name).filter { $0 != "models" }
        #expect(Set(changed.keys.map { $0.lowercased() }) == Set(names))
        #expect(fromEnvironment == fromFile)
        #expect(fromEnvironment.host.inURL == "[::]")
        #expect(fromEnvironment.port == 1)
        #expect(fromEnvironment.allowAnonymous && !fromEnvironment.apiKeysRequired && fromEnvironment.keysFile == "/keys")
        #expect(fromEnvironment.tls == TLSFiles(certificate: "/tls/chain.pem", key: "/tls/key.pem"))
        #expect(fromEnvironment.apiVersions.map(\.description) == ["v1 sunset 2030-01-01"])
        #expect(fromEnvironment.corsAllowedOrigins.map(\.description) == ["https://a.example", "http://b.example:81"])
        #expect(fromEnvironment.trustedProxies.map(\.description) == ["10.0.0.0/8", "::1"])
        #expect(
            fromEnvironment.rateLimits
                == RateLimits(
                    isEnabled: true, search: try #require(Rate("1/second")), write: try #require(Rate("2/minute")),
                    create: try #require(Rate("180/hour")), burst: 4, connections: 5))
        #expect(fromEnvironment.snapshotLogBytes == 2 << 20)
        #expect(fromEnvironment.memoryBudgetBytes == 1 << 30)
        #expect(fromEnvironment.diskReserveBytes == 0)
        #expect(fromEnvironment.dataDirectory == "/data")
        #expect(fromEnvironment.durability == .interval(milliseconds: 250))
        #expect(fromEnvironment.maxChunksPerDocument == 2)
        #expect(fromEnvironment.maxChunkLength == 3)
        #expect(fromEnvironment.maxQueryLength == 4)
        #expect(fromEnvironment.maxResultsK == 5)
        #expect(fromEnvironment.maxDocumentsPerLibrary == 0)
        #expect(fromEnvironment.maxTagsPerDocument == 7)
        #expect(fromEnvironment.maxTagLength == 8)
        #expect(fromEnvironment.maxTitleLength == 9)
        #expect(fromEnvironment.maxAuthorLength == 10)
        #expect(fromEnvironment.maxBodyBytes == 2048)
        #expect(fromEnvironment.maxLineBytes == 4096)
        #expect(fromEnvironment.maxBulkDocuments == 12)
        #expect(fromEnvironment.requestTimeoutSeconds == 13)
        #expect(fromEnvironment.embeddingModel == "embed-english-v3.0")
        #expect(fromEnvironment.embeddingDimension == 1024)
        #expect(fromEnvironment.modelDirectory == "/home/ada/weights")
        #expect(fromEnvironment.queryCacheBytes == 11)
        #expect(fromEnvironment.workerThreads == 3)
        #expect(fromEnvironment.queueLimit == 14 && fromEnvironment.queueTimeoutMS == 15)
        #expect(fromEnvironment.indexBuildThreads == 2)
        #expect(fromEnvironment.nginxWorkerProcesses == 1)
        #expect(fromEnvironment.runDirectory == "/srv/run.1/q_2-x")
        #expect(fromEnvironment.logLevel == .warning)
        #expect(fromEnvironment.logJSONFormat)
        #expect(fromEnvironment.accessLog == .off)
        #expect(fromEnvironment.requestLog == .errors)
        #expect(fromEnvironment.slowQueryMS == 0)
    }

    @Test("take the environment before the file, and the file before the default")
    func precedence() throws {
        let directory = TemporaryDirectory()
        let file = try directory.write("quire.yaml", "# a comment\n---\nport: 2000 # ours\nmax_results_k: 20\r\n")

        let read = try Settings.explain(file: file, environment: ["PORT": "3000"], machine: ordinaryUser)

        let origins = Dictionary(uniqueKeysWithValues: read.map { ($0.name, $0) })
        #expect(origins["port"]?.value == "3000")
        #expect(origins["port"]?.origin == .environment)
        #expect(origins["max_results_k"]?.value == "20")
        #expect(origins["max_results_k"]?.origin == .file(path: file, line: 4))
        #expect(origins["max_query_length"]?.origin == .builtIn)
    }

    @Test("are all in the shipped file, with their defaults")
    func shippedFileListsEverything() throws {
        let file = try SettingsFile(path: shippedFile)
        let declared = try Settings.explain(environment: [:], machine: ordinaryUser)

        #expect(file.keys.map(\.name) == declared.map(\.name))
        #expect(file.lists["models"]?.isEmpty == true && declared.first { $0.name == "models" }?.defaultText == "[]")
        for setting in declared where setting.name != "models" {
            #expect(try file.text(of: setting.name)?.text == setting.defaultText, "\(setting.name)")
        }
        let headings = try String(contentsOfFile: shippedFile, encoding: .utf8).matches(of: /\n# ---- (.*?) -+\n/).map { String($0.1) }
        var sections: [String] = []
        for setting in declared where sections.last != setting.section.title { sections.append(setting.section.title) }
        #expect(headings == sections)
        #expect(try settings(file: shippedFile) == settings())
        #expect(try settings(file: shippedFile, machine: rootUser) == settings(machine: rootUser))
    }

    @Test(
        "accept the bounds and refuse one step beyond",
        arguments: [
            ("PORT", 1, 65_535), ("MAX_CHUNKS_PER_DOCUMENT", 1, 100_000), ("MAX_CHUNK_LENGTH", 1, 1_000_000),
            ("MAX_QUERY_LENGTH", 1, 1_000_000),
            ("MAX_RESULTS_K", 1, 10_000), ("MAX_DOCUMENTS_PER_LIBRARY", 0, 1_000_000_000), ("MAX_TAGS_PER_DOCUMENT", 1, 10_000),
            ("MAX_TAG_LENGTH", 1, 10_000), ("MAX_TITLE_LENGTH", 1, 100_000), ("MAX_AUTHOR_LENGTH", 1, 100_000),
            ("MAX_BODY_BYTES", 1024, 1_073_741_824), ("MAX_LINE_BYTES", 1024, 1_073_741_824), ("MAX_BULK_DOCUMENTS", 1, 10_000),
            ("EMBEDDING_DIMENSION", 1, 65_536),
            ("WORKER_THREADS", 1, 1024), ("REQUEST_TIMEOUT_SECONDS", 1, 3600), ("RATE_LIMIT_BURST", 1, 10_000),
            ("RATE_LIMIT_CONNECTIONS", 1, 10_000),
            ("INDEX_BUILD_THREADS", 1, 256), ("NGINX_WORKER_PROCESSES", 1, 64),
        ])
    func bounds(name: String, least: Int, most: Int) {
        for accepted in [least, least + 1, most - 1, most] { #expect(refusal([name: "\(accepted)"]) == nil, "\(accepted)") }
        for refused in [least - 1, most + 1] {
            let line = refusal([name: "\(refused)"])?.description ?? ""
            #expect(line.hasPrefix("\(name): \"\(refused)\" (from the environment) is refused; accepted: "))
            #expect(line.hasSuffix("a whole number from \(least) to \(most)"))
        }
    }

    @Test(
        "refuse what is not a plain number",
        arguments: [
            "", " ", "80 ", " 80", "+80", "-80", "80.0", "8e1", "0x50", "8_0", "８０", "eighty", "99999999999999999999", "80;", "auto ",
        ])
    func numbers(text: String) {
        #expect(refusal(["PORT": text]) != nil)
        #expect(refusal(["WORKER_THREADS": text]) != nil)
        #expect(refusal(["EMBEDDING_DIMENSION": text]) != nil)
        #expect(refusal(["DURABILITY": "interval:\(text)"]) != nil)
    }

    @Test(
        "refuse words that are not on the list",
        arguments: [
            ("DURABILITY", "Always"), ("DURABILITY", "interval"), ("DURABILITY", "interval:0"), ("DURABILITY", "interval:60001"),
            ("LOG_LEVEL", "verbose"), ("LOG_LEVEL", ""), ("LOG_JSON_FORMAT", "maybe"), ("ACCESS_LOG", "on"), ("REQUEST_LOG", "some"),
            ("SLOW_QUERY_MS", "-1"), ("EMBEDDING_MODEL", ""),
            ("EMBEDDING_MODEL", "a b"), ("EMBEDDING_MODEL", "../x"), ("EMBEDDING_MODEL", String(repeating: "m", count: 65)),
            ("VECTOR_DB_DATA_DIR", ""), ("VECTOR_DB_DATA_DIR", "data"), ("VECTOR_DB_DATA_DIR", "~ada/x"), ("VECTOR_DB_DATA_DIR", "/"),
            ("VECTOR_DB_DATA_DIR", "/a\nb"), ("QUIRE_MODEL_DIR", "./m"), ("QUIRE_MODEL_DIR", "/" + String(repeating: "m", count: 4096)),
        ])
    func words(name: String, text: String) {
        #expect(refusal([name: text])?.description.hasPrefix("\(name): ") == true)
    }

    @Test("print durations and choices the way they are written")
    func printing() throws {
        let read = try Settings.explain(
            environment: ["DURABILITY": "interval:5", "EMBEDDING_DIMENSION": "384", "LOG_LEVEL": "Error"], machine: ordinaryUser)

        #expect(read.first { $0.name == "durability" }?.value == "interval:5")
        #expect(read.first { $0.name == "embedding_dimension" }?.value == "384")
        #expect(read.first { $0.name == "log_level" }?.value == "error")
        #expect(try Settings.explain(environment: ["DURABILITY": "os"], machine: ordinaryUser).contains { $0.value == "os" })
        #expect(try Settings.explain(environment: [:], machine: ordinaryUser).contains { $0.value == "always" })
    }

    @Test(
        "listen where they are told to",
        arguments: [
            ("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.9.8.7", "127.9.8.7"), ("::1", "[::1]"),
            ("0:0:0:0:0:0:0:1", "[::1]"),
        ])
    func loopback(text: String, printed: String) throws {
        #expect(try settings(["HOST": text]).host.inURL == printed)
    }

    @Test(
        "need keys on every address that others could reach, unless everybody is welcome",
        arguments: [
            "0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "128.0.0.1", "126.255.255.255", "::ffff:127.0.0.1", "::2", "fe80::1", "2001:DB8::1",
        ])
    func publicAddresses(text: String) throws {
        for anonymous in [[:], ["ALLOW_ANONYMOUS": "false"]] {
            let host = anonymous.merging(["HOST": text]) { $1 }
            #expect(try settings(host).apiKeysRequired)
            let line = refusal(host.merging(["API_KEYS_REQUIRED": "false"]) { $1 })?.description
            #expect(line?.hasPrefix("HOST: ") == true && line?.hasSuffix("or with ALLOW_ANONYMOUS=true") == true)
        }
        let open = try settings(["HOST": text, "ALLOW_ANONYMOUS": "true"])
        #expect(open.host.description == text.lowercased() && !open.apiKeysRequired)
    }

    @Test(
        "refuse every name, and everything else that is no address",
        arguments: [
            "[::1]", "127.1", "127.0.0.1:80", "127.0.0.1 ", "LOCALHOST", "example.org", "", "*", "127.0.0.1\0", "unix:/tmp/x", "::1%lo",
            "127.0.0.01", "0x7f.0.0.1", "127.0.0.1/8", ":", "1::2::3",
        ])
    func noAddresses(text: String) {
        for anonymous in ["true", "false"] {
            let line = refusal(["HOST": text, "ALLOW_ANONYMOUS": anonymous])?.description
            #expect(line?.hasSuffix("accepted: localhost, or an IP address") == true)
        }
    }

    @Test(
        "trust the proxies of a network",
        arguments: [
            ("10.1.2.3", "10.1.2.3"), ("10.1.2.3/32", "10.1.2.3"), ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.255.3/17", "10.1.128.0/17"),
            ("255.255.255.255/1", "128.0.0.0/1"), ("2001:db8::ff/64", "2001:db8::/64"), ("::1", "::1"),
            ("fe80:ffff::/10", "fe80::/10"),
        ])
    func networks(text: String, printed: String) throws {
        #expect(try settings(["TRUSTED_PROXIES": text]).trustedProxies.map(\.description) == [printed])
    }

    @Test(
        "trust nobody by mistake",
        arguments: [
            "", "0.0.0.0/0", "::/0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0", "proxy.example",
            "10.0.0.1,", "10.0.0.1 10.0.0.2", "10.0.0.1, 10.0.0.1", "10.0.0.1/8,10.0.0.2/8", "none,::1", "*", "unix:",
        ])
    func noNetworks(text: String) {
        #expect(refusal(["TRUSTED_PROXIES": text])?.description.contains("such as 10.0.0.0/8") == true)
    }

    @Test("ask for keys when told to, and then not everybody is let in")
    func keys() throws {
        #expect(try settings(["API_KEYS_REQUIRED": "yes", "KEYS_FILE": "~/k.json"]).keysFile == "/home/ada/k.json")
        #expect(try settings(["API_KEYS_REQUIRED": "True"]).apiKeysRequired)
        #expect(try settings(["VECTOR_DB_DATA_DIR": "/d"]).keysFile == "/d/keys.json")
        for text in ["", "maybe", "AUTO"] { #expect(refusal(["API_KEYS_REQUIRED": text]) != nil) }
        let line = refusal(["API_KEYS_REQUIRED": "true", "ALLOW_ANONYMOUS": "1"])?.description
        #expect(line == "ALLOW_ANONYMOUS: \"true\" (from the environment) is refused; accepted: false where API_KEYS_REQUIRED is true")
        #expect(refusal(["COHERE_API_KEY": "k", "UNRELATED": "x"]) == nil)
    }

    @Test("say how far apart the requests of a rate are")
    func intervals() throws {
        for (rate, interval): (String, Duration) in [
            ("4/second", .milliseconds(250)), ("30/minute", .seconds(2)), ("120/hour", .seconds(30)),
        ] { #expect(try #require(Rate(rate)).interval == interval) }
    }

    @Test("keep the run directory and the data directory apart")
    func contradiction() {
        for (run, data) in [("/a/b", "/a/b"), ("/a/b/c", "/a/b"), ("/a/b", "/a/b/c")] {
            let line = refusal(["RUN_DIRECTORY": run, "VECTOR_DB_DATA_DIR": data])?.description
            #expect(line?.hasPrefix("RUN_DIRECTORY: \"\(run)\" (from the environment) is refused; accepted: a directory apart") == true)
        }
        #expect(refusal(["RUN_DIRECTORY": "/a/bc", "VECTOR_DB_DATA_DIR": "/a/b"]) == nil)
    }

    @Test("say which default cannot be worked out")
    func homeless() {
        let nobody = Machine(userID: 65_534, home: nil, cores: 1, memoryBytes: 8 << 30)

        #expect(refusal(machine: nobody)?.description.hasPrefix("VECTOR_DB_DATA_DIR: \"auto\" (the default) is refused") == true)
        #expect(refusal(["VECTOR_DB_DATA_DIR": "~/x"], machine: nobody) != nil)
        #expect(refusal(["VECTOR_DB_DATA_DIR": "/x", "QUIRE_MODEL_DIR": "/m"], machine: nobody) == nil)
    }

    @Test("report a refused value on one line of bounded length")
    func oneLineErrors() {
        let hostile = "\n\u{1b}[31m\u{202e}\u{2028}" + String(repeating: "x", count: 500)
        let line = refusal(["LOG_LEVEL": hostile])?.description ?? ""

        #expect(line.contains(String(repeating: "x", count: 72) + "…\""))
        #expect(!line.contains(String(repeating: "x", count: 73)))
        #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control || $0.value == 0x202e || $0.value == 0x2028 })
        #expect(SettingsError.exitCode == 78)
    }

    @Test("are all in docs/configuration.md, which is made of them")
    func document() throws {
        let document = try Settings.document()

        #expect(try document == String(contentsOfFile: checkout + "/docs/configuration.md", encoding: .utf8))
        let declared = try Settings.explain(environment: [:], machine: rootUser)
        #expect(declared.count > 40)
        for setting in declared {
            #expect(document.contains("\n| `\(setting.name)` | `\(setting.defaultText)` | "))
            #expect(document.contains("\n## \(setting.section.title)\n\n\(setting.section.note)\n"))
        }
    }

    @Test("know the machine they run on")
    func machine() {
        #expect(Machine.current.cores >= 1)
        #expect(Machine.current.home?.hasPrefix("/") == true)
        #expect((try? Settings.load(environment: [:])) != nil)
    }
}
