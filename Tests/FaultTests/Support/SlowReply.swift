import Glibc
import TestSupport

/// A reply that has begun to arrive, and that nobody reads on.
final class SlowReply: Sendable {
    private let descriptor: Int32

    /// Returns when its first byte is there.
    init(of target: String, from quire: QuireInstance) throws {
        guard let descriptor = connectLocally(port: quire.port) else { throw QuireInstance.Failed(what: "nobody listens") }
        self.descriptor = descriptor
        let request = "GET \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n"
        sendAll(Array(request.utf8), to: descriptor)
        var byte: UInt8 = 0
        guard uninterrupted({ recv(descriptor, &byte, 1, Int32(MSG_PEEK)) }) == 1 else {
            throw QuireInstance.Failed(what: "\(target): no reply")
        }
    }

    deinit { close(descriptor) }

    /// Reads all of it, and returns the size of its body.
    ///
    /// - Parameter glance: called some hundred times on the way.
    func readAll(_ glance: () throws -> Void = {}) throws -> Int {
        var received: [UInt8] = []
        received.reserveCapacity(64 << 20)
        var part = [UInt8](repeating: 0, count: 256 << 10)
        while case let count = uninterrupted({ recv(descriptor, &part, part.count, 0) }), count > 0 {
            received += part.prefix(count)
            try glance()
        }
        guard let reply = HTTPReply(received), reply.status == 200, reply.isComplete else {
            throw QuireInstance.Failed(what: "the reply ends after \(received.count) bytes")
        }
        return reply.body.count
    }
}
