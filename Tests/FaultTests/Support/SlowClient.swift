import Glibc
import TestSupport

/// A client that sends or reads as slowly as a server lets it.
final class SlowClient: Sendable {
    enum Kind: CaseIterable {
        case headers, body, reader
    }

    let kind: Kind
    private let descriptor: Int32

    /// - Parameters:
    ///   - address: one of this machine.
    ///   - requests: that a reader sends before it reads the first reply.
    init(from address: String, to port: Int, _ kind: Kind, requests: Int = 1) throws {
        self.kind = kind
        guard let descriptor = connectLocally(port: port, from: address) else {
            throw QuireInstance.Failed(what: "no connection from \(address)")
        }
        self.descriptor = descriptor
        switch kind {
        case .headers: put("POST /v1/libraries HTTP/1.1\r\nHost: quire\r\n")
        case .body: put("POST /v1/libraries HTTP/1.1\r\nHost: quire\r\nContent-Length: 100000\r\n\r\n{")
        case .reader: put(String(repeating: "GET /openapi.json HTTP/1.1\r\nHost: quire\r\n\r\n", count: requests))
        }
    }

    deinit { close(descriptor) }

    /// A byte of the request, or of the reply.
    func drip() {
        switch kind {
        case .headers: put("a")
        case .body: put(" ")
        case .reader:
            var byte: UInt8 = 0
            recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
        }
    }

    /// Whether the server has not closed the connection. What it has sent is not looked at.
    var isOpen: Bool {
        var state = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        return getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &state, &size) == 0 && Int(state.tcpi_state) == TCP_ESTABLISHED
    }

    private func put(_ text: String) {
        _ = text.withCString { send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }
}
