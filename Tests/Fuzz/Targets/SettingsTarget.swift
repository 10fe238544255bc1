import Settings
import TestSupport

/// Proves that no text of a setting becomes configuration of nginx: the settings are refused in one line that names one of them, or what
/// is written for nginx keeps to a grammar of a few dozen lines. Input: lines of `NAME=value`, with \n in a value as U+2028.
struct SettingsTarget: FuzzTarget {
    private static let machine = Machine(userID: 1000, home: "/home/nobody", cores: 2, memoryBytes: 8 << 30)

    func run(_ input: [UInt8], in _: String, hasPlantedBug: Bool) throws {
        var environment: [String: String] = [:]
        for line in String(decoding: input, as: UTF8.self).split(separator: "\n") {
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { continue }
            environment[String(pair[0])] = String(pair[1].replacing("\u{2028}", with: "\n"))
        }
        let settings: Settings
        do {
            settings = try Settings.load(environment: environment, machine: Self.machine)
        } catch {
            try promise(!"\(error)".isEmpty && !"\(error)".contains("\n"), "the refusal is no line: \(error)")
            // The mistake: an origin that is refused is written all the same.
            guard hasPlantedBug, "\(error)".hasPrefix("CORS_ALLOWED_ORIGINS"), let origin = environment["CORS_ALLOWED_ORIGINS"] else {
                return
            }
            var files = Self.defaultFiles
            files.http += "    \"\(origin)\" \"\(origin)\";\n"
            return try check(files)
        }
        let configuration = NginxConfiguration(settings, asRoot: false)
        try check((configuration.main, configuration.http, configuration.server))
    }

    private typealias Files = (main: String, http: String, server: String)

    private static let defaultFiles: Files = {
        let settings = try? Settings.load(environment: [:], machine: machine)
        let configuration = NginxConfiguration(settings!, asRoot: false)
        return (configuration.main, configuration.http, configuration.server)
    }()

    private func check(_ files: Files) throws {
        try promise(
            NginxGrammar.accepts(main: files.main, http: files.http, server: files.server),
            "nginx is told more than it should be: \(files.http)\(files.server)")
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        var lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        let index = mutator.choose(lines.count)
        let start = lines[index].firstIndex(of: UInt8(ascii: "=")).map { $0 + 1 } ?? 0
        switch mutator.choose(5) {
        case 0:
            let names = Self.values.keys.sorted()
            let name = names[mutator.choose(names.count)]
            lines.append(Array("\(name)=\(Self.values[name]![mutator.choose(Self.values[name]!.count)])".utf8))
        case 1: lines.remove(at: index)
        case 2:
            lines[index].insert(
                contentsOf: Self.pieces[mutator.choose(Self.pieces.count)].utf8, at: start + mutator.choose(lines[index].count - start + 1))
        default: mutator.change(&lines[index], start..<lines[index].count, limit: 256)
        }
        return Array(lines.joined(separator: Array("\n".utf8)).prefix(limit))
    }

    private static let values: [String: [String]] = [
        "HOST": ["127.0.0.1", "::1", "0.0.0.0", "localhost"], "PORT": ["8080", "1"], "ALLOW_ANONYMOUS": ["true"],
        "API_VERSIONS": ["v1", "v1 deprecated 2027-01-31 sunset 2027-12-31"],
        "CORS_ALLOWED_ORIGINS": ["https://example.org", "http://a.example:81,https://[::1]:82"],
        "TRUSTED_PROXIES": ["10.0.0.0/8", "::1,127.0.0.1"], "RATE_LIMIT_ENABLED": ["true"], "RATE_LIMIT_SEARCH": ["30/minute", "120/hour"],
        "RATE_LIMIT_BURST": ["5"], "RATE_LIMIT_CONNECTIONS": ["5"], "TLS_CERTIFICATE": ["/tls/chain.pem"],
        "TLS_CERTIFICATE_KEY": ["/tls/key.pem"],
        "MAX_BODY_BYTES": ["1048576"], "REQUEST_TIMEOUT_SECONDS": ["5"], "ACCESS_LOG": ["all", "errors", "off"],
        "NGINX_WORKER_PROCESSES": ["2"], "RUN_DIRECTORY": ["/run/q"], "API_KEYS_REQUIRED": ["true"], "QUEUE_LIMIT": ["0", "auto"],
    ]

    private static let pieces = [";", "}", "{", "\u{2028}", "$", "\"", "'", "\\", "#", " ", ",", "/", ":", "[", "]", "é", "0", "%", "*"]

    func seeds(in _: String) throws -> [String: [UInt8]] {
        var seeds = ["nothing": ""]
        for (name, values) in Self.values {
            seeds[name.lowercased()] = values.map { "\(name)=\($0)" }.joined(separator: "\n")
        }
        seeds["all"] = Self.values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value[0])" }.joined(separator: "\n")
        return seeds.mapValues { Array($0.utf8) }
    }
}
