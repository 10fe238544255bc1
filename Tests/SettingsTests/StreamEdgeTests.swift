import FoundationEssentials
import Glibc
import Settings
import TestSupport
import Testing

/// What nginx does with a body that is passed on as it comes.
@Suite("nginx, streams")
struct StreamEdgeTests {
    private let nginx: RunningNginx
    private let responder: StandInResponder
    private let client: Int32

    private static let target = "/v1/libraries/6f0c/documents/stream"

    init() throws {
        nginx = try RunningNginx(["MAX_BODY_BYTES": "200000"])
        responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        client = try #require(connectLocally(port: nginx.settings.port))
    }

    private func send(_ text: String) { Self.send(text, to: client) }

    /// On a thread of its own, because nobody may be reading.
    private func sendInBackground(_ text: String) -> Background<Void> {
        let client = client
        return Background { Self.send(text, to: client) }
    }

    private static func send(_ text: String, to client: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }

    private func head(_ target: String = target, length: Int?) -> String {
        "POST \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n"
            + (length.map { "Content-Length: \($0)\r\n\r\n" } ?? "Transfer-Encoding: chunked\r\n\r\n")
    }

    /// The reply up to its end: nginx waits seconds for the rest of a body that it does not pass on.
    private func receive() throws -> HTTPReply {
        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while HTTPReply(received)?.isComplete != true, case let count = recv(client, &block, block.count, 0), count > 0 {
            received += block.prefix(count)
        }
        return try #require(HTTPReply(received))
    }

    private var temporaryFiles: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: nginx.runDirectory.path + "/body-temp") }
    }

    @Test("passes the body on while it arrives, over the limit of other bodies, and keeps nothing of it", arguments: [true, false])
    func passesOn(isAnnounced: Bool) throws {
        let part = String(repeating: "x", count: 300_000)
        func framed(_ part: String) -> String { isAnnounced ? part : "\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n" }

        send(head(length: isAnnounced ? 900_000 : nil) + framed(part))
        let exchange = try responder.begin()
        // The client has not sent more than this.
        #expect(try exchange.readBody(atLeast: 300_000) == 300_000)
        #expect(try temporaryFiles.isEmpty)
        let rest = sendInBackground(framed(part) + framed(part) + (isAnnounced ? "" : "0\r\n\r\n"))
        #expect(try exchange.readBody() == 600_000)
        try rest.value()
        try exchange.reply("Status: 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 11\r\n\r\n{\"line\":1}\n")

        let reply = try receive()
        #expect(reply.status == 200 && reply.text.contains("{\"line\":1}\n"))
        #expect(exchange.parameters["REQUEST_URI"] == Self.target && exchange.parameters["QUIRE_API_VERSION"] == "v1")
        #expect(exchange.parameters["CONTENT_LENGTH"] == (isAnnounced ? "900000" : ""))
    }

    @Test("holds the client up when the responder does not read, and collects nothing")
    func holdsClientUp() throws {
        send(head(length: 100_000_000))
        let exchange = try responder.begin()
        let block = [UInt8](repeating: 0x78, count: 65_536)
        var sent = 0
        var waiting = pollfd(fd: client, events: Int16(POLLOUT), revents: 0)
        while sent < 100_000_000, poll(&waiting, 1, 100) > 0 {
            let count = Glibc.send(client, block, min(block.count, 100_000_000 - sent), Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            if count > 0 { sent += count }
        }

        // What the buffers of two sockets hold.
        #expect(sent < 20_000_000)
        #expect(try temporaryFiles.isEmpty)
        close(client)
        #expect(exchange.breaksOff())
    }

    @Test("tells the responder of a client that leaves, by closing", arguments: [true, false])
    func clientLeaves(isAnnounced: Bool) throws {
        send(head(length: isAnnounced ? 1000 : nil) + (isAnnounced ? "one\ntwo" : "7\r\none\ntwo\r\n"))
        let exchange = try responder.begin()
        #expect(try exchange.readBody(atLeast: 7) == 7)

        close(client)

        #expect(exchange.breaksOff())
    }

    @Test("passes a reply on that does not wait for the end of the body")
    func repliesEarly() throws {
        send(head(length: 10_000_000) + "x")
        let exchange = try responder.begin()
        try exchange.reply("Status: 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"mine\":404}")

        let rest = sendInBackground(String(repeating: "x", count: 9_999_999))
        let reply = try receive()

        #expect(reply.status == 404 && reply.text.contains("{\"mine\":404}"))
        close(client)
        _ = exchange.breaksOff()
        try rest.value()
    }

    @Test("treats no other path so", arguments: ["/v1/libraries/a/b/documents/stream", "/v1/libraries/a/documents/streams", "/v1/stream"])
    func otherPaths(target: String) throws {
        send(head(target, length: 200_001) + String(repeating: "x", count: 200_001))

        #expect(try receive().asError == "413 PayloadTooLargeError")
        #expect(!responder.wasCalled)
    }
}
