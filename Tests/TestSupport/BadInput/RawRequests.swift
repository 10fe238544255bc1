/// Requests as bytes, which a server and one behind it could read differently.
package enum RawRequests {
    /// Targets that are refused with 400 before anything looks at them (C5).
    package static let ambiguousTargets: [String] = {
        let parts = [
            "..%2f", "..%2F", "%2e%2e", "%2E", "%00", "%0d%0a", "%1f", "%7f", "/", "//", "%zz", "%", "..", "../x", ".", "./x", "a\\b",
            "%5c", "%5C", "x#y", "x#y?z", "%0d%0aX-Injected:%201",
        ]
        return parts.flatMap { ["/v1/\($0)", "/v1/libraries/\($0)", "/nowhere/\($0)"] } + [
            "//", "/..", "/.", "/%761/libraries", "/v%31/libraries", "/%2fv1", "*", "v1", "http://", "http://quire?x", "http://quire//v1",
            "/v1/\u{1}",
        ]
    }()

    /// Requests whose end is in doubt, or that are none: 400 each, and nothing of what may hide behind them is answered (C7).
    package static let doubtful: [(what: String, request: String)] = {
        let post = "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\n"
        let hidden = "GET /v1/hidden HTTP/1.1\r\nHost: quire\r\n\r\n"
        return [
            ("length and coding", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden),
            ("coding and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" + hidden),
            ("two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + hidden),
            ("one length twice", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
            ("negative length", post + "Content-Length: -1\r\n\r\n" + hidden), ("length with sign", post + "Content-Length: +3\r\n\r\nabc"),
            ("length list", post + "Content-Length: 3, 3\r\n\r\nabc"), ("hexadecimal length", post + "Content-Length: 0x3\r\n\r\nabc"),
            ("huge length", post + "Content-Length: 99999999999999999999\r\n\r\n"),
            ("unknown coding", post + "Transfer-Encoding: gzip\r\n\r\n" + hidden),
            ("two codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            ("chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
            ("folded header", post + "X-A: b\r\n c\r\n\r\n"), ("NUL in a header", post + "X-A: b\0c\r\n\r\n"),
            ("no host", "GET /v1/x HTTP/1.1\r\n\r\n"), ("two hosts", "GET /v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            ("bad host", "GET /v1/x HTTP/1.1\r\nHost: a/b\r\n\r\n"), ("unknown version", "GET /v1/x HTTP/3.0\r\nHost: a\r\n\r\n"),
            ("no version at all", "GET /v1/x HTTP\r\nHost: a\r\n\r\n"), ("nonsense", "\u{3}\r\n\r\n"),
            ("lower-case method", "get / HTTP/1.1\r\n\r\n"),
        ]
    }()

    /// Heads that are too long, and the error of each.
    package static let largeHeads: [(what: String, request: String, error: String)] = {
        let end = "Host: quire\r\nConnection: close\r\n\r\n"
        let many = (0..<12).map { "X-\($0): \(String(repeating: "b", count: 4000))\r\n" }.joined()
        return [
            ("request line", "GET /v1/\(String(repeating: "a", count: 8192)) HTTP/1.1\r\n" + end, "414 URITooLongError"),
            ("one header", "GET /health HTTP/1.1\r\nX-A: \(String(repeating: "b", count: 8192))\r\n" + end, "431 HeadersTooLargeError"),
            ("all headers", "GET /health HTTP/1.1\r\n" + many + end, "431 HeadersTooLargeError"),
        ]
    }()

    /// Bodies of more than `limit` bytes, declared and not: 413 (C8). Whoever sends one says that no more comes.
    package static func largeBodies(limit: Int) -> [(what: String, request: String)] {
        let post = "POST /v1/libraries HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n"
        let chunk = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"
        let chunks = String(repeating: chunk, count: limit / 0x10000 + 1)
        return [
            ("declared", post + "Content-Length: \(limit + 1)\r\n\r\n"),
            ("expected", post + "Content-Length: \(limit + 1)\r\nExpect: 100-continue\r\n\r\n"),
            ("chunked", post + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n"),
        ]
    }

    /// Values of X-Request-Id that are no sane token: the server makes an id of its own.
    package static let insaneIDs = ["", "a b", "a\"b", "a$b", "é", "a,b", String(repeating: "x", count: 65)]
}
