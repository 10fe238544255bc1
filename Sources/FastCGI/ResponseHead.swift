import HTTP
import HTTPTypes

/// The head of a response as CGI writes it (RFC 3875, section 6): `Status`, the fields, an empty line.
enum ResponseHead {
    /// The bytes to send before the body of `response`.
    ///
    /// Whatever the handler put into a value, no line but the ones meant here can come of it: control characters become spaces,
    /// also where `HTTPField` should have done so already. `Content-Length` is the length of the body, whatever the handler
    /// said, except for HEAD, where only the handler knows it; fields that belong to nginx are left out.
    static func bytes(of response: Response, method: HTTPRequest.Method) -> [UInt8] {
        var head: [UInt8] = []
        head.reserveCapacity(256 + 64 * response.headers.count)
        head += "Status: ".utf8
        append(response.status.code, to: &head)
        head.append(UInt8(ascii: " "))
        append(response.status.reasonPhrase.utf8, to: &head)
        head += lineEnd

        let computesLength = method != .head && allowsBody(response.status) && response.stream == nil
        for field in response.headers {
            let name = field.name
            if name == .connection || name == .transferEncoding || name == statusField { continue }
            if name == .contentLength, computesLength || !allowsBody(response.status) { continue }
            head += name.rawName.utf8
            head += ": ".utf8
            field.withUnsafeBytesOfValue { append($0, to: &head) }
            head += lineEnd
        }
        if computesLength {
            head += "Content-Length: ".utf8
            append(response.body.count, to: &head)
            head += lineEnd
        }
        head += lineEnd
        return head
    }

    /// Whether the body of `response` follows the head.
    static func isFollowedByBody(_ response: Response, method: HTTPRequest.Method) -> Bool {
        method != .head && allowsBody(response.status) && (!response.body.isEmpty || response.stream != nil)
    }

    private static func allowsBody(_ status: HTTPResponse.Status) -> Bool {
        status.code >= 200 && status.code != 204 && status.code != 304
    }

    private static let lineEnd: [UInt8] = [0x0d, 0x0a]
    private static let statusField = HTTPField.Name("status")!

    private static func append(_ value: some Sequence<UInt8>, to head: inout [UInt8]) {
        for byte in value {
            head.append(byte < 0x20 && byte != 0x09 || byte == 0x7f ? 0x20 : byte)
        }
    }

    private static func append(_ number: Int, to head: inout [UInt8]) {
        head += String(number).utf8
    }
}
