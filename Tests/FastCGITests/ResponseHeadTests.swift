import HTTP
import HTTPTypes
import Testing

@testable import FastCGI

@Suite struct ResponseHeadTests {
    @Test("writes status, fields and the length of the body")
    func writesHead() {
        let response = Response(status: .created, headers: [.contentType: "application/json", .location: "/v1/x"], body: [1, 2, 3])

        #expect(
            head(of: response) == "Status: 201 Created\r\nContent-Type: application/json\r\nLocation: /v1/x\r\nContent-Length: 3\r\n\r\n")
    }

    @Test("no handler can break out of a header value or the reason phrase", arguments: ["\r\n", "\n", "\r", "\0", "\u{0b}", "\u{7f}"])
    func preventsHeaderInjection(separator: String) {
        let evil = "a\(separator)Set-Cookie: b"
        var headers: HTTPFields = [.location: evil]
        headers.append(HTTPField(name: .server, lenientValue: Array(evil.utf8)))
        let head = head(of: Response(status: .init(code: 200, reasonPhrase: evil), headers: headers))

        #expect(head.split(separator: "\r\n").count == 4)
        #expect(!head.dropLast(4).replacing("\r\n", with: "").utf8.contains { $0 < 0x20 || $0 == 0x7f })
    }

    @Test("the length is the body's, whatever the handler said")
    func correctsLength() {
        let response = Response(status: .ok, headers: [.contentLength: "99"], body: [1])

        #expect(head(of: response) == "Status: 200 OK\r\nContent-Length: 1\r\n\r\n")
        #expect(ResponseHead.isFollowedByBody(response, method: .get))
    }

    @Test("HEAD keeps the length that the handler said, and no body follows")
    func answersHead() {
        let response = Response(status: .ok, headers: [.contentLength: "99"], body: [1])

        #expect(head(of: response, method: .head) == "Status: 200 OK\r\nContent-Length: 99\r\n\r\n")
        #expect(!ResponseHead.isFollowedByBody(response, method: .head))
    }

    @Test("a status without a body has neither body nor length", arguments: [HTTPResponse.Status.noContent, .notModified])
    func leavesOutBody(status: HTTPResponse.Status) {
        let response = Response(status: status, headers: [.contentLength: "1"], body: [1])

        #expect(!head(of: response).contains("Content-Length"))
        #expect(!ResponseHead.isFollowedByBody(response, method: .get))
    }

    @Test("leaves out the fields that belong to nginx")
    func leavesOutHopByHopFields() {
        let headers: HTTPFields = [.connection: "close", .transferEncoding: "chunked", HTTPField.Name("Status")!: "500 no"]

        #expect(head(of: Response(status: .ok, headers: headers)) == "Status: 200 OK\r\nContent-Length: 0\r\n\r\n")
    }

    private func head(of response: Response, method: HTTPRequest.Method = .get) -> String {
        String(decoding: ResponseHead.bytes(of: response, method: method), as: UTF8.self)
    }
}
