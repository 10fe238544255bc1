import Glibc
import TestSupport

/// A listening unix socket in a directory of its own, gone with this object.
final class ListeningSocket: Sendable {
    let descriptor: Int32
    private let directory = TemporaryDirectory()

    init() {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        precondition(withUnixAddress(directory / "socket") { bind(descriptor, $0, $1) } == 0)
        precondition(listen(descriptor, 1024) == 0)
    }

    deinit { close(descriptor) }

    /// A connection whose reads give up after `timeout`.
    func connect(timeout: timeval = timeval(tv_sec: 120, tv_usec: 0)) -> FastCGIClient {
        let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        precondition(withUnixAddress(directory / "socket") { Glibc.connect(connection, $0, $1) } == 0)
        var timeout = timeout
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        return FastCGIClient(connection: connection)
    }
}

/// What nginx would say, and anything worse, record by record.
final class FastCGIClient {
    private let connection: Int32

    init(connection: Int32) { self.connection = connection }

    deinit { close(connection) }

    struct Reply {
        var output: [UInt8] = []
        /// The peer said that the request is complete.
        var isComplete = false
        /// The peer closed the connection; otherwise it was silent for too long.
        var isClosed = false

        var text: String { String(decoding: output, as: UTF8.self) }
        var status: String { String(text.prefix { $0 != "\r\n" }) }
        var body: String {
            guard let end = text.firstRange(of: "\r\n\r\n") else { return "" }
            return String(text[end.upperBound...])
        }
    }

    /// Returns false when the peer no longer listens.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool { sendAll(bytes, to: connection) }

    /// Whether the connection takes bytes; a peer that does not read for 50 ms holds it up.
    var canSend: Bool {
        var waiting = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
        return poll(&waiting, 1, 50) > 0
    }

    func stopSending() { shutdown(connection, Int32(SHUT_WR)) }

    /// Whether the peer says anything, or closes the connection, within a time.
    func isAnswered(withinMilliseconds limit: Int32) -> Bool {
        var waiting = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, limit) > 0
    }

    /// Everything the peer says until it closes the connection.
    func receive() -> Reply {
        var reply = Reply()
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = uninterrupted { read(connection, &buffer, buffer.count) }
            // What a peer sees that still sends when the connection is closed.
            if count == 0 || (count < 0 && errno == ECONNRESET) { reply.isClosed = true }
            guard count > 0 else { break }
            received += buffer[..<count]
        }
        var rest = received[...]
        while rest.count >= 8 {
            let header = Array(rest.prefix(8))
            let length = Int(header[4]) << 8 | Int(header[5])
            rest = rest.dropFirst(8)
            if header[1] == 6 { reply.output += rest.prefix(length) }
            if header[1] == 3 { reply.isComplete = true }
            rest = rest.dropFirst(length + Int(header[6]))
        }
        return reply
    }

    /// Sends a whole request and returns the reply.
    func exchange(_ parameters: [(String, String)], body: [UInt8] = []) -> Reply {
        send(Records.request(parameters, body: body))
        return receive()
    }
}

/// FastCGI records (specification 1.0, section 3.3).
enum Records {
    static func record(_ type: UInt8, _ content: [UInt8], id: UInt8 = 1) -> [UInt8] {
        [1, type, 0, id, UInt8(content.count >> 8), UInt8(content.count & 255), 0, 0] + content
    }

    static func begin(keepingConnection: Bool = false, role: UInt8 = 1, id: UInt8 = 1) -> [UInt8] {
        record(1, [0, role, keepingConnection ? 1 : 0, 0, 0, 0, 0, 0], id: id)
    }

    static func parameters(_ parameters: [(String, String)], id: UInt8 = 1) -> [UInt8] {
        var content: [UInt8] = []
        for (name, value) in parameters {
            for length in [name.utf8.count, value.utf8.count] {
                content +=
                    length < 128
                    ? [UInt8(length)]
                    : [UInt8(length >> 24) | 128, UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255)]
            }
            content += Array(name.utf8) + Array(value.utf8)
        }
        return record(4, content, id: id) + record(4, [], id: id)
    }

    static func body(_ body: [UInt8], id: UInt8 = 1) -> [UInt8] {
        var records: [UInt8] = []
        var rest = body[...]
        while !rest.isEmpty {
            records += record(5, Array(rest.prefix(60_000)), id: id)
            rest = rest.dropFirst(60_000)
        }
        return records
    }

    static func request(_ parameters: [(String, String)], body: [UInt8] = [], keepingConnection: Bool = false) -> [UInt8] {
        begin(keepingConnection: keepingConnection) + self.parameters(parameters) + self.body(body) + record(5, [])
    }

    static func get(_ target: String) -> [(String, String)] { [("REQUEST_METHOD", "GET"), ("REQUEST_URI", target)] }

    static func post(_ target: String, length: Int) -> [(String, String)] {
        [("REQUEST_METHOD", "POST"), ("REQUEST_URI", target), ("CONTENT_LENGTH", "\(length)")]
    }
}
