/// What may stand in the files that are written for nginx from settings: every line of them, and nothing else.
package enum NginxGrammar {
    package static func accepts(main: String, http: String, server: String) -> Bool {
        let comment = /# Written by `quire nginx render` from the settings; changes made here are lost\./
        let inMain: [Regex<Substring>] = [/user www-data www-data;/, /worker_processes [1-9][0-9]?;/]
        let inHTTP: [Regex<Substring>] = [
            /upstream responder \{ server unix:(?:\/[A-Za-z0-9._-]+)+\/responder\.sock; \}/, /client_max_body_size [1-9][0-9]{3,9};/,
            /fastcgi_read_timeout [1-9][0-9]{0,3}s;/, /map (?:\$[a-z_]+|"") \$[a-z_]+ \{/, /\}/,
            /\ {4}default (?:""|"v1"|'"v1"'|Origin|1);/, /\ {4}"~\^\/v1\(\?:\[\/\?\]\|\$\)" v1;/, /\ {4}v1 @[0-9]{1,11};/,
            /\ {4}v1 "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} 00:00:00 GMT";/,
            /\ {4}"https?:\/\/[a-z0-9.:\[\]-]+" "https?:\/\/[a-z0-9.:\[\]-]+";/, /\ {4}(?:search|write|create) [1-9][0-9]?;/,
            /set_real_ip_from [0-9a-f.:]+(?:\/[1-9][0-9]{0,2})?;/, /real_ip_header X-Forwarded-For;/, /real_ip_recursive on;/,
            /include snippets\/rate-classes\.conf;/,
            /limit_req_zone \$(?:search|write|create)_client zone=(?:search|write|create):10m rate=[1-9][0-9]{0,5}r\/[sm];/,
            /limit_conn_zone \$any_client zone=connections:10m;/,
            /access_log (?:off|\.\.\/access\.log quire buffer=64k flush=1s(?: if=\$is_error)?);/,
        ]
        let inServer: [Regex<Substring>] = [
            /listen (?:[0-9.]+|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4}(?: ssl http2)? default_server backlog=1024;/,
            /ssl_certificate(?:_key)? (?:\/[A-Za-z0-9._-]+)+;/, /include snippets\/(?:tls|rate-limited)\.conf;/,
            /limit_req zone=(?:search|write|create)(?: burst=[1-9][0-9]{0,3} nodelay)?;/, /limit_conn connections [1-9][0-9]{0,4};/,
        ]
        return [(main, inMain), (http, inHTTP), (server, inServer)].allSatisfy { text, grammar in
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return lines.first?.wholeMatch(of: comment) != nil && lines.last == "" && lines.count > 2
                && lines.dropFirst().dropLast().allSatisfy { line in grammar.contains { line.wholeMatch(of: $0) != nil } }
        }
    }
}
