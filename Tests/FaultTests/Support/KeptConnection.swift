import Glibc
import TestSupport

/// A client that sends one request after the other over a connection which it keeps for as long as the server does. For one thread.
final class KeptConnection {
    private let port: Int
    private var descriptor: Int32?
    /// How often it was opened.
    private(set) var openings = 0

    init(port: Int) {
        self.port = port
    }

    deinit {
        if let descriptor { close(descriptor) }
    }

    /// - Returns: nil when the server closed the connection, without a word, just when it was used again. Whether it has done what it was
    ///   asked is not known then.
    func post(_ target: String, _ json: String) throws -> HTTPReply? {
        if isOver { end() }
        let isReused = descriptor != nil
        let connection: Int32
        if let descriptor { connection = descriptor } else { connection = try open() }
        let request =
            "POST \(target) HTTP/1.1\r\nHost: quire\r\nContent-Type: application/json\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)"
        // Should the server have gone, there is no reply either.
        sendAll(Array(request.utf8), to: connection)
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = uninterrupted { recv(connection, &chunk, chunk.count, 0) }
            guard count > 0 else {
                end()
                guard received.isEmpty, isReused else { throw QuireInstance.Failed(what: "a reply ends after \(received.count) bytes") }
                return nil
            }
            received += chunk.prefix(count)
            guard let reply = HTTPReply(received), reply.isComplete else { continue }
            if reply["connection"] == "close" { end() }
            return reply
        }
    }

    /// Whether the server has closed the connection, as every client looks before it uses one again.
    private var isOver: Bool {
        guard let descriptor else { return false }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) > 0
    }

    private func open() throws -> Int32 {
        guard let opened = connectLocally(port: port) else { throw QuireInstance.Failed(what: "nobody listens") }
        descriptor = opened
        openings += 1
        return opened
    }

    private func end() {
        if let descriptor { close(descriptor) }
        descriptor = nil
    }
}
