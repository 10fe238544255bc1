/// The part of nginx's configuration that depends on settings: one small file for each place where `nginx.conf` includes one.
///
/// What is written here is made of values that were understood: integers, names of enumerations, dates, and addresses, networks and
/// origins as they are printed, never as they were given. The paths of the socket and of the TLS files are text, of letters, digits
/// and `. _ - /` only. Nothing is substituted into the files people edit.
package struct NginxConfiguration: Sendable, Equatable {
    /// Included at the top level.
    package let main: String
    /// Included in `http`.
    package let http: String
    /// Included in `server`.
    package let server: String
    /// Included where the paths of administration are.
    package let administration: String

    package static let directory = "generated"

    package init(_ settings: Settings, asRoot: Bool) {
        // Started by another user, nginx's workers are that user, and the directive would only draw a warning.
        let user = asRoot ? ["user \(RunDirectory.workerAccount) \(RunDirectory.workerAccount);"] : []
        main = Self.file(user + ["worker_processes \(settings.nginxWorkerProcesses);"])
        http = Self.file(
            Self.responder(settings) + Self.versions(settings.apiVersions) + Self.origins(settings.corsAllowedOrigins)
                + Self.proxies(settings.trustedProxies) + Self.zones(settings.rateLimits) + [Self.directive(settings.accessLog)])
        server = Self.file(Self.listener(settings) + Self.limits(settings.rateLimits))
        // Where nobody has a key, whoever is on this machine is the administrator.
        administration = Self.file(settings.apiKeysRequired ? [] : ["include snippets/loopback-only.conf;"])
    }

    /// File names below the prefix with their contents.
    package var files: [(name: String, contents: String)] {
        [("main", main), ("http", http), ("server", server), ("administration", administration)].map { name, contents in
            ("\(Self.directory)/\(name).conf", contents)
        }
    }

    private static func file(_ lines: [String]) -> String {
        (["# Written by `quire nginx render` from the settings; changes made here are lost."] + lines).map { $0 + "\n" }.joined()
    }

    private static func responder(_ settings: Settings) -> [String] {
        [
            "upstream responder { server unix:\(RunDirectory(settings).socketPath); }",
            "client_max_body_size \(settings.maxBodyBytes);",
            "fastcgi_read_timeout \(settings.requestTimeoutSeconds)s;",
        ]
    }

    /// Which versions there are, for routing, for the body of a 404, and what their replies say about their end.
    private static func versions(_ versions: [APIVersion]) -> [String] {
        let names = versions.map(\.name)
        return map("$request_uri", "$api_version", names.map { (#""~^/\#($0)(?:[/?]|$)""#, $0) })
            + map("\"\"", "$api_versions", default: "\"\(names.joined(separator: ", "))\"")
            + map("\"\"", "$api_versions_json", default: "'\(names.map { "\"\($0)\"" }.joined(separator: ","))'")
            + map(
                "$api_version", "$api_deprecation",
                versions.compactMap { version in
                    version.deprecated.map { (version.name, "@\($0.unixSeconds)") }
                })
            + map(
                "$api_version", "$api_sunset",
                versions.compactMap { version in version.sunset.map { (version.name, "\"\($0.httpDate)\"") } })
    }

    private static func origins(_ origins: [Origin]) -> [String] {
        map("$http_origin", "$cors_origin", origins.map { ("\"\($0)\"", "\"\($0)\"") })
            // A reply to one origin must not be kept for another one.
            + map("\"\"", "$cors_vary", default: origins.isEmpty ? "\"\"" : "Origin")
    }

    private static func proxies(_ proxies: [NetworkBlock]) -> [String] {
        guard !proxies.isEmpty else { return [] }
        return proxies.map { "set_real_ip_from \($0);" } + ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;"]
    }

    private static func zones(_ limits: RateLimits) -> [String] {
        guard limits.isEnabled else { return [] }
        let classes = classes(limits)
        return ["include snippets/rate-classes.conf;"]
            + classes.map { "limit_req_zone $\($0.name)_client zone=\($0.name):10m rate=\($0.rate.inNginx);" }
            + ["limit_conn_zone $any_client zone=connections:10m;"]
            + map("$rate_class", "$retry_after", default: "1", classes.map { ($0.name, "\($0.rate.retrySeconds)") })
    }

    private static func limits(_ limits: RateLimits) -> [String] {
        guard limits.isEnabled else { return [] }
        let requests = classes(limits).map { name, rate in
            // The one that finds the bucket empty is let through besides those that nginx calls the burst.
            let further = limits.burst(of: rate) - 1
            return "limit_req zone=\(name)\(further > 0 ? " burst=\(further) nodelay" : "");"
        }
        return ["include snippets/rate-limited.conf;"] + requests + ["limit_conn connections \(limits.connections);"]
    }

    private static func classes(_ limits: RateLimits) -> [(name: String, rate: Rate)] {
        [("search", limits.search), ("write", limits.write), ("create", limits.create)]
    }

    private static func listener(_ settings: Settings) -> [String] {
        let address = "\(settings.host.inURL):\(settings.port)"
        guard let tls = settings.tls else { return ["listen \(address) default_server backlog=1024;"] }
        return [
            "listen \(address) ssl http2 default_server backlog=1024;", "ssl_certificate \(tls.certificate);",
            "ssl_certificate_key \(tls.key);", "include snippets/tls.conf;",
        ]
    }

    private static func directive(_ choice: AccessLog) -> String {
        switch choice {
        case .off: "access_log off;"
        case .errors: "access_log ../access.log quire buffer=64k flush=1s if=$is_error;"
        case .all: "access_log ../access.log quire buffer=64k flush=1s;"
        }
    }

    /// A variable that has another value for each of some values of `source`; both as nginx reads them, quotes included.
    private static func map(
        _ source: String, _ variable: String, default other: String = "\"\"", _ cases: [(key: String, value: String)] = []
    ) -> [String] {
        ["map \(source) \(variable) {", "    default \(other);"] + cases.map { "    \($0.key) \($0.value);" } + ["}"]
    }
}
