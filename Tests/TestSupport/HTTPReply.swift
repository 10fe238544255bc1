import FoundationEssentials
import Glibc

/// An HTTP reply as it came over the wire.
package struct HTTPReply: Sendable {
    package let status: Int
    /// Names in lower case, in order.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    /// - Returns: `nil` for bytes that are no reply, as when a server closes without a word.
    package init?(_ bytes: [UInt8]) {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count >= 2, let status = Int(first[1]) else { return nil }
        self.status = status
        headers = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (line[..<colon].lowercased(), String(line[colon...].dropFirst().drop { $0 == " " }))
        }
        body = Array(bytes[end.upperBound...])
    }

    package subscript(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    package func headers(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }

    package var isComplete: Bool { self["content-length"].flatMap { Int($0) } == body.count }

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// Null if the body is no JSON.
    package var json: JSON { (try? JSON(parsing: body)) ?? .null }

    package func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body))
    }
}

/// Sends bytes to a local port and returns everything that comes back until the other side closes.
///
/// - Parameter ending: say that nothing more will come, and stop at the end of the reply. A server that refused a body otherwise
///   waits seconds for the rest of it before it closes.
/// - Returns: Nothing if the server closes without a word; `nil` if nothing listens.
package func exchange(_ request: [UInt8], port: Int, ending: Bool = false) -> [UInt8]? {
    guard let descriptor = connectLocally(port: port) else { return nil }
    defer { close(descriptor) }
    sendAll(request, to: descriptor)
    if ending { shutdown(descriptor, Int32(SHUT_WR)) }
    return receiveAll(from: descriptor, endingWithReply: ending)
}

/// Sends bytes, or as many as the other side takes: a server may answer and close before it has read everything, and what it said still
/// counts. Returns whether it took all of them.
@discardableResult
package func sendAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let sent = rest.withUnsafeBytes { bytes in
            uninterrupted { send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
        }
        guard sent > 0 else { return false }
        rest = rest.dropFirst(sent)
    }
    return true
}

/// Everything that comes until the other side closes, or until the end of a reply.
package func receiveAll(from descriptor: Int32, endingWithReply: Bool = false) -> [UInt8] {
    var received: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = uninterrupted({ recv(descriptor, &chunk, chunk.count, 0) }), count > 0 {
        received += chunk.prefix(count)
        if endingWithReply, HTTPReply(received)?.isComplete == true { break }
    }
    return received
}

/// Makes a system call again as long as something interrupts it.
///
/// A wait for a socket with a timeout, as those of `connectLocally`, is interrupted when the process is halted and goes on (signal(7)):
/// by a debugger, or by whoever makes a copy of the machine.
package func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    var result = call()
    while result < 0, errno == EINTR { result = call() }
    return result
}

/// A port that nothing listens on at this moment. Who is slow to listen may find it taken: `ReservedPort` is not.
package func freePort() -> Int { ReservedPort().number }

/// A port that no program is given by the system while this exists, and on which one that asks for it by its number may listen, if it lets
/// others use its address again (SO_REUSEADDR, socket(7)), as nginx does.
package final class ReservedPort: Sendable {
    package let number: Int
    private let descriptor: Int32

    package init() {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        var address = localAddress(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
        }
        precondition(isBound, "there is a free port")
        number = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}

/// A connection to a local port, on which no wait is longer than two minutes; `nil` if nothing listens.
///
/// - Parameter source: the address of this machine that it comes from; any of 127.0.0.0/8 will do.
package func connectLocally(port: Int, from source: String? = nil) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if let source {
        var address = localAddress(port: 0)
        precondition(inet_pton(AF_INET, source, &address.sin_addr) == 1, "it is an address")
        let isBound = withUnsafeBytes(of: address) { bytes in
            bind(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
        }
        precondition(isBound, "it is an address of this machine")
    }
    let address = localAddress(port: port)
    let failed = withUnsafeBytes(of: address) { bytes in
        connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) != 0
    }
    if failed {
        close(descriptor)
        return nil
    }
    var patience = timeval(tv_sec: 120, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    return descriptor
}

private func localAddress(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}
