import FastCGI
import Glibc
import HTTP
import HTTPTypes
import TestSupport
import Testing

@Suite struct RequestParametersTests {
    @Test("reads a request as nginx sends it")
    func readsRequest() {
        let read = parse([
            "FCGI_ROLE=RESPONDER", "REQUEST_METHOD=POST", "REQUEST_URI=/v1/a%2Fb?tag=x%20y&q=?", "QUERY_STRING=ignored",
            "CONTENT_TYPE=application/json", "CONTENT_LENGTH=17", "REQUEST_ID=0123abcd", "QUIRE_API_VERSION=v1",
            "HTTP_HOST=example.org", "HTTP_X_API_KEY=k", "HTTP_CUSTOM_NAME=a=b", "HTTP_CONTENT_TYPE=text/html", "HTTP_CONTENT_LENGTH=99",
        ])

        #expect(read.rejection == nil)
        #expect(read.contentLength == 17)
        #expect(read.request.method == .post)
        #expect(read.request.path == "/v1/a%2Fb")
        #expect(read.request.query == "tag=x%20y&q=?")
        #expect(read.request.id == "0123abcd")
        #expect(read.request.body.isEmpty)
        let expected: HTTPFields = [
            .contentType: "application/json", .contentLength: "17", HTTPField.Name("host")!: "example.org",
            HTTPField.Name("x-api-key")!: "k", HTTPField.Name("custom-name")!: "a=b",
        ]
        #expect(read.request.headers == expected)
    }

    @Test(
        "knows every method, and takes unknown ones for the router to refuse",
        arguments: [
            "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "get",
        ])
    func readsMethods(name: String) {
        let read = parse(["REQUEST_METHOD=\(name)", "REQUEST_URI=/"])

        #expect(read.rejection == nil)
        #expect(read.request.method.rawValue == name)
    }

    @Test(
        "refuses what is not a request",
        arguments: [
            ([], "method"), (["REQUEST_METHOD=GET"], "target"), (["REQUEST_URI=/"], "method"),
            (["REQUEST_METHOD=", "REQUEST_URI=/"], "token"), (["REQUEST_METHOD=G T", "REQUEST_URI=/"], "token"),
            (["REQUEST_METHOD=GET", "REQUEST_METHOD=DELETE", "REQUEST_URI=/"], "twice"),
            (["REQUEST_METHOD=GET", "REQUEST_URI=/", "REQUEST_URI=/b"], "twice"),
            (["REQUEST_METHOD=GET", "REQUEST_URI=http://host/"], "slash"), (["REQUEST_METHOD=GET", "REQUEST_URI="], "slash"),
            (["REQUEST_METHOD=OPTIONS", "REQUEST_URI=*"], "slash"), (["REQUEST_METHOD=GET", "REQUEST_URI=a"], "slash"),
            (["REQUEST_METHOD=GET", "REQUEST_URI=/a b"], "percent"), (["REQUEST_METHOD=GET", "REQUEST_URI=/a\r\nb"], "percent"),
            (["REQUEST_METHOD=GET", "REQUEST_URI=/a#b"], "percent"), (["REQUEST_METHOD=GET", "REQUEST_URI=/\u{7f}"], "percent"),
        ])
    func refusesMalformedRequests(parameters: [String], reason: String) throws {
        #expect(try #require(parse(parameters).reason).contains(reason))
    }

    @Test("refuses a target that is not UTF-8, before and after the question mark")
    func refusesTargetsInOtherEncodings() {
        for target in [[0x2f, 0xff], [0x2f, 0x3f, 0xc3]] as [[UInt8]] {
            let read = parse([Array("REQUEST_METHOD=GET".utf8), Array("REQUEST_URI=".utf8) + target])
            #expect(read.reason?.contains("UTF-8") == true)
        }
        #expect(parse(["REQUEST_METHOD=GET", "REQUEST_URI=/é?é"]).request.query == "é")
    }

    @Test(
        "takes only digits for a length",
        arguments: [
            ("0", 0), ("00012", 12), ("9223372036854775807", Int.max), ("", nil),
        ])
    func readsLength(text: String, length: Int?) {
        let read = parse(base + ["CONTENT_LENGTH=\(text)"])

        #expect(read.rejection == nil)
        #expect(read.contentLength == length)
    }

    @Test(
        "refuses a length that is no number",
        arguments: [
            "-1", "+1", "1 ", " 1", "0x10", "1,1", "9223372036854775808", "92233720368547758070", "٣", "1\u{0b}",
        ])
    func refusesLength(text: String) {
        let read = parse(base + ["CONTENT_LENGTH=\(text)"])

        #expect(read.reason?.contains("Content-Length") == true)
        #expect(read.contentLength == nil)
    }

    @Test("refuses two lengths and two content types, even equal ones")
    func refusesRepeatedBodyParameters() {
        #expect(parse(base + ["CONTENT_LENGTH=1", "CONTENT_LENGTH=1"]).reason?.contains("twice") == true)
        #expect(parse(base + ["CONTENT_TYPE=a/b", "CONTENT_TYPE=a/b"]).reason?.contains("twice") == true)
    }

    @Test("the first problem is the one that is told")
    func tellsFirstProblem() {
        #expect(parse(["REQUEST_METHOD= ", "REQUEST_URI=x", "CONTENT_LENGTH=x"]).reason == "the method is not a token")
    }

    @Test("refuses control characters in a header value, and keeps every other byte")
    func checksHeaderValues() throws {
        for control in [1, 8, 10, 13, 0x1f, 0x7f] as [UInt8] {
            let read = parse(base.map { Array($0.utf8) } + [Array("HTTP_A=x".utf8) + [control] + Array("y".utf8)])
            #expect(read.reason?.contains("control character") == true)
            #expect(read.request.headers.isEmpty)
        }
        let read = parse(base.map { Array($0.utf8) } + [Array("HTTP_A=x\ty".utf8) + [0xe9, 0xff]])
        let field = try #require(read.request.headers.first)
        #expect(field.withUnsafeBytesOfValue(Array.init) == Array("x\ty".utf8) + [0xe9, 0xff])
    }

    @Test(
        "drops what is no header name, and the Proxy header",
        arguments: [
            "HTTP_", "HTTP_A B", "HTTP_:PATH", "HTTP_\r\n", "HTTP_PROXY", "HTTP_É", "HTTP_" + String(repeating: "A", count: 257), "=",
            "NAME",
        ])
    func dropsHeaders(name: String) {
        let read = parse(base + ["\(name)=value"])

        #expect(read.rejection == nil)
        #expect(read.request.headers.isEmpty)
    }

    @Test("keeps a header that came twice, in its order")
    func keepsRepeatedHeaders() {
        let read = parse(base + ["HTTP_ACCEPT=a", "HTTP_HOST=h", "HTTP_ACCEPT=b"])

        #expect(read.request.headers[values: .accept] == ["a", "b"])
    }

    @Test("refuses more header fields than anybody needs")
    func boundsHeaders() {
        let fields = (0...RequestParameters.maxHeaderFields).map { "HTTP_A\($0)=x" }

        #expect(parse(base + fields.dropLast()).rejection == nil)
        #expect(parse(base + fields).rejection == .headersTooLarge(limit: 128))
    }

    @Test(
        "takes the client's request id only when it is a sane token",
        arguments: [
            ("abc-DEF_0.9", "abc-DEF_0.9"), (String(repeating: "x", count: 64), String(repeating: "x", count: 64)),
            (String(repeating: "x", count: 65), "nginx"), ("", "nginx"), ("a b", "nginx"), ("é", "nginx"), ("a/b", "nginx"),
        ])
    func choosesIdentifier(sent: String, expected: String) {
        for name in ["REQUEST_ID", "QUIRE_REQUEST_ID"] {
            #expect(parse(base + ["HTTP_X_REQUEST_ID=\(sent)", "\(name)=nginx"]).request.id == expected)
            #expect(parse(base + ["\(name)=nginx", "HTTP_X_REQUEST_ID=\(sent)"]).request.id == expected)
        }
    }

    @Test("makes an id up when nobody gave one")
    func inventsIdentifier() {
        let ids = (0..<100).map { _ in parse(base).request.id }

        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) })
    }

    @Test("survives any bytes")
    func survivesAnything() {
        var random = SplitMix(seed: 42)
        for _ in 0..<2_000 {
            let parameters = (0..<Int.random(in: 0..<6, using: &random)).map { _ -> [UInt8] in
                let prefix = ["", "HTTP_", "REQUEST_URI=", "REQUEST_METHOD=", "CONTENT_LENGTH=", "HTTP_A="].randomElement(using: &random)!
                return Array(prefix.utf8)
                    + (0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 1...255, using: &random) }
            }
            let read = parse(parameters)
            #expect(read.rejection != nil || read.request.path.hasPrefix("/"))
        }
    }

    private let base = ["REQUEST_METHOD=GET", "REQUEST_URI=/"]

    private func parse(_ parameters: [String]) -> RequestParameters { parse(parameters.map { Array($0.utf8) }) }

    private func parse(_ parameters: [[UInt8]]) -> RequestParameters {
        var strings: [UnsafeMutablePointer<CChar>?] = parameters.map { bytes in
            strdup(bytes.map { CChar(bitPattern: $0) } + [0])
        }
        defer { for string in strings { free(string) } }
        strings.append(nil)
        return RequestParameters(strings)
    }
}

extension RequestParameters {
    /// What is wrong with a malformed request, in words for the client.
    fileprivate var reason: String? {
        if case .badRequest(let reason) = rejection { reason } else { nil }
    }
}
