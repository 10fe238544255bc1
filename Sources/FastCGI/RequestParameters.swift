import Glibc
package import HTTP
import HTTPTypes

/// What the FastCGI parameters of one request say: the request without its body.
///
/// The parameters come from nginx, which got half of them from the client, so nothing is taken on trust: anything that is
/// missing, repeated or malformed ends up in `rejection`, and reading never fails. Values end at their first NUL, because libfcgi
/// hands out C strings; nginx refuses NUL itself.
package struct RequestParameters {
    /// As far as it could be read; with a `rejection`, what is missing is empty (`GET` for the method).
    package private(set) var request: Request
    /// The announced length of the body; nil when none was announced, as with chunked transfer.
    package private(set) var contentLength: Int?
    /// The first reason to refuse the request.
    package private(set) var rejection: RequestRejection?

    private var seen: Seen = []

    /// More header fields than this are refused.
    package static let maxHeaderFields = 128

    /// Reads `NAME=value` strings up to the null pointer that ends them.
    package init(_ parameters: UnsafePointer<UnsafeMutablePointer<CChar>?>) {
        request = Request(method: .get, path: "", id: "")
        var clientIdentifier: String?
        var nginxIdentifier: String?

        var next = parameters
        while let parameter = next.pointee {
            next += 1
            guard let equals = strchr(parameter, CInt(UInt8(ascii: "="))) else { continue }
            let name = UnsafeRawBufferPointer(start: parameter, count: equals - parameter)
            let value = UnsafeRawBufferPointer(start: equals + 1, count: strlen(equals + 1))

            if name.starts(with: "HTTP_") {
                let field = UnsafeRawBufferPointer(rebasing: name[5...])
                readHeader(field, value)
                if field.equals("X_REQUEST_ID") { clientIdentifier = Self.identifier(value) }
            } else if name.equals("REQUEST_METHOD") {
                readMethod(value)
            } else if name.equals("REQUEST_URI") {
                readTarget(value)
            } else if name.equals("CONTENT_LENGTH") {
                readContentLength(value)
            } else if name.equals("CONTENT_TYPE") {
                if !value.isEmpty, takeFirst(.contentType, "CONTENT_TYPE") { append(.contentType, value) }
            } else if name.equals("REQUEST_ID") || name.equals("QUIRE_REQUEST_ID") {
                nginxIdentifier = Self.identifier(value) ?? nginxIdentifier
            }
        }

        if !seen.contains(.method) { refuse("the request has no method") }
        if !seen.contains(.target) { refuse("the request has no target") }
        request.id = clientIdentifier ?? nginxIdentifier ?? Self.randomIdentifier()
    }

    private mutating func refuse(_ reason: String) {
        refuse(.badRequest(reason))
    }

    private mutating func refuse(_ reason: RequestRejection) {
        rejection = rejection ?? reason
    }

    /// A parameter that decides what is executed must not come twice: whoever wrote the second one meant something else.
    private mutating func takeFirst(_ parameter: Seen, _ name: String) -> Bool {
        guard seen.insert(parameter).inserted else {
            refuse("\(name) was given twice")
            return false
        }
        return true
    }

    private mutating func readMethod(_ value: UnsafeRawBufferPointer) {
        guard takeFirst(.method, "the method") else { return }
        if let known = Self.knownMethods.first(where: { value.equals($0.name) }) {
            request.method = known.method
        } else if let method = HTTPRequest.Method(String(decoding: value, as: UTF8.self)) {
            request.method = method
        } else {
            refuse("the method is not a token")
        }
    }

    private static let knownMethods: [(name: StaticString, method: HTTPRequest.Method)] = [
        ("GET", .get), ("POST", .post), ("PUT", .put), ("PATCH", .patch), ("DELETE", .delete), ("HEAD", .head), ("OPTIONS", .options),
    ]

    private mutating func readTarget(_ value: UnsafeRawBufferPointer) {
        guard takeFirst(.target, "the request target") else { return }
        guard value.first == UInt8(ascii: "/") else { return refuse("the request target does not begin with a slash") }
        guard !value.contains(where: { $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "#") }) else {
            return refuse("the request target contains a character that must be percent-encoded")
        }
        let end = value.firstIndex(of: UInt8(ascii: "?")) ?? value.count
        guard let path = String(validating: value[..<end], as: UTF8.self),
            let query = String(validating: value.dropFirst(end + 1), as: UTF8.self)
        else { return refuse("the request target is not UTF-8") }
        request.path = path
        request.query = query
    }

    private mutating func readContentLength(_ value: UnsafeRawBufferPointer) {
        // nginx passes the parameter empty when there is no such header.
        guard !value.isEmpty, takeFirst(.contentLength, "Content-Length") else { return }
        var length = 0
        for byte in value {
            let (digit, (tens, tooBig)) = (Int(byte) - 48, length.multipliedReportingOverflow(by: 10))
            guard (0...9).contains(digit), !tooBig, case (let sum, false) = tens.addingReportingOverflow(digit) else {
                return refuse("Content-Length is not a number of bytes")
            }
            length = sum
        }
        contentLength = length
        append(.contentLength, value)
    }

    private mutating func readHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard let field = HeaderNames.name(forParameter: name), !Self.ignoredHeaders.contains(field.canonicalName) else { return }
        append(field, value)
    }

    /// In lower case, because the case of a name says nothing. nginx passes the first two a second time; CONTENT_LENGTH and CONTENT_TYPE
    /// are the ones it checked. Proxy is no header of HTTP and became an attack by this very mapping (CVE-2016-5385).
    private static let ignoredHeaders: Set = ["content-length", "content-type", "proxy"]

    private mutating func append(_ name: HTTPField.Name, _ value: UnsafeRawBufferPointer) {
        guard request.headers.count < Self.maxHeaderFields else { return refuse(.headersTooLarge(limit: Self.maxHeaderFields)) }
        guard !value.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f }) else {
            return refuse("the value of \(name.canonicalName) contains a control character")
        }
        request.headers.append(HTTPField(name: name, value: value))
    }

    /// A request id that is safe in a header, a log line and a file name; nil for anything else.
    private static func identifier(_ value: UnsafeRawBufferPointer) -> String? {
        guard (1...64).contains(value.count) else { return nil }
        let sane = value.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return sane ? String(decoding: value, as: UTF8.self) : nil
    }

    private static func randomIdentifier() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<2 {
            var bits = generator.next()
            for _ in 0..<16 {
                bytes.append(digits[Int(bits & 15)])
                bits >>= 4
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private struct Seen: OptionSet {
        let rawValue: UInt8
        static let method = Seen(rawValue: 1)
        static let target = Seen(rawValue: 2)
        static let contentLength = Seen(rawValue: 4)
        static let contentType = Seen(rawValue: 8)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes are exactly `text`.
    func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && memcmp(baseAddress!, text.utf8Start, count) == 0
    }

    /// Whether these bytes begin with `text`.
    func starts(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && memcmp(baseAddress!, text.utf8Start, text.utf8CodeUnitCount) == 0
    }
}
