import Glibc
import TestSupport
import Testing

/// The responder's end of the socket, as far as a test of nginx needs one: it tells what arrived and answers with given bytes.
final class StandInResponder: Sendable {
    private let listener: Int32

    /// Listens at `path`, so that nginx's workers can connect.
    init(path: String) throws {
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        let bound = withUnixAddress(path) { bind(listener, $0, $1) == 0 }
        try #require(bound)
        // The directory keeps strangers out; its mode has a test of its own.
        try #require(chmod(path, 0o666) == 0 && listen(listener, 64) == 0)
    }

    deinit { close(listener) }

    /// Whether nginx has connected for a request that nobody has answered yet.
    var wasCalled: Bool {
        let descriptor = accept(listener, nil, nil)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Answers one request with `reply` (CGI headers and body) and returns the parameters and the length of the body.
    func answer(_ reply: String) throws -> (parameters: [String: String], bodyLength: Int) {
        let exchange = try begin()
        let bodyLength = try exchange.readBody()
        try exchange.reply(reply)
        return (exchange.parameters, bodyLength)
    }

    /// Takes a request whose body may still be on its way.
    func begin() throws -> StandInExchange {
        try #require(try next(within: 120_000))
    }

    /// The next request; nil when there is none for so many milliseconds.
    fileprivate func next(within milliseconds: Int32) throws -> StandInExchange? {
        var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard uninterrupted({ poll(&waiting, 1, milliseconds) }) == 1 else { return nil }
        let connection = accept(listener, nil, nil)
        try #require(connection >= 0)
        return try StandInExchange(connection)
    }
}

/// A responder that says yes to everything, one request after the other, on a thread of its own.
final class AnsweringResponder: Sendable {
    private let isStopped = Shared(false)
    private let thread: Background<Void>

    init(path: String) throws {
        let (responder, isStopped) = (try StandInResponder(path: path), isStopped)
        thread = Background {
            while !isStopped.current {
                // The client may have gone away meanwhile, and nginx with it.
                guard let exchange = try? responder.next(within: 20), (try? exchange.readBody()) != nil else { continue }
                try? exchange.reply("Status: 200 OK\r\nContent-Type: application/json\r\n\r\n{}")
            }
        }
    }

    deinit {
        isStopped.set(true)
        try? thread.value()
    }
}

/// One request of nginx, as it arrives record by record.
final class StandInExchange {
    let parameters: [String: String]
    private let connection: Int32

    fileprivate init(_ connection: Int32) throws {
        self.connection = connection
        var parameters: [UInt8] = []
        while case let (type, content) = try Self.receiveRecord(connection), type != 4 || !content.isEmpty {
            if type == 4 { parameters += content }
        }
        self.parameters = Self.pairs(parameters)
    }

    deinit { close(connection) }

    /// Reads the body to its end, or until there are `limit` bytes of it, and returns how many there were.
    func readBody(atLeast limit: Int = .max) throws -> Int {
        var length = 0
        while length < limit, case let (_, content) = try Self.receiveRecord(connection), !content.isEmpty { length += content.count }
        return length
    }

    /// Whether nginx closes the connection before the end of the body.
    func breaksOff() -> Bool {
        while case let record? = try? Self.receiveRecord(connection) {
            if record.content.isEmpty { return false }
        }
        return true
    }

    /// Answers with CGI headers and body, and says that this is all. Throws when nginx has gone away.
    func reply(_ reply: String) throws {
        let bytes = Array(reply.utf8)
        var records: [UInt8] = [1, 6, 0, 1, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff), 0, 0] + bytes
        records += [1, 6, 0, 1, 0, 0, 0, 0, 1, 3, 0, 1, 0, 8, 0, 0] + [UInt8](repeating: 0, count: 8)
        guard send(connection, records, records.count, Int32(MSG_NOSIGNAL)) == records.count else { throw Ended() }
        shutdown(connection, Int32(SHUT_WR))
    }

    private static func receiveRecord(_ connection: Int32) throws -> (type: UInt8, content: [UInt8]) {
        let header = try receive(8, from: connection)
        let content = try receive(Int(header[4]) << 8 | Int(header[5]), from: connection)
        _ = try receive(Int(header[6]), from: connection)
        return (header[1], content)
    }

    private static func receive(_ count: Int, from connection: Int32) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard count > 0 else { return bytes }
        var received = 0
        while received < count {
            let more = bytes.withUnsafeMutableBytes { bytes in
                uninterrupted { recv(connection, bytes.baseAddress! + received, count - received, Int32(MSG_WAITALL)) }
            }
            guard more > 0 else { throw Ended() }
            received += more
        }
        return bytes
    }

    private static func pairs(_ bytes: [UInt8]) -> [String: String] {
        var rest = bytes[...]
        func length() -> Int {
            let first = Int(rest.removeFirst())
            return first < 128 ? first : (0..<3).reduce(first & 0x7f) { sum, _ in sum << 8 | Int(rest.removeFirst()) }
        }
        var pairs: [String: String] = [:]
        while !rest.isEmpty {
            let (name, value) = (length(), length())
            pairs[String(decoding: rest.prefix(name), as: UTF8.self)] = String(decoding: rest.dropFirst(name).prefix(value), as: UTF8.self)
            rest = rest.dropFirst(name + value)
        }
        return pairs
    }

    private struct Ended: Error {}
}
