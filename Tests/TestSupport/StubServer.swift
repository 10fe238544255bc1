import Glibc
import Locks

/// An HTTP server on the loopback interface that answers as a test says, and remembers what it was asked.
///
/// Connections are kept open until the client or the test ends, as those of a real server.
package final class StubServer: Sendable {
    package struct Request: Sendable {
        package let method: String
        package let target: String
        /// Names in lower case.
        package let headers: [String: String]
        package let body: [UInt8]

        /// The body as JSON; null if it is none.
        package var json: JSON { (try? JSON(parsing: body)) ?? .null }
    }

    package enum Answer: Sendable {
        case reply(Int, headers: [String: String] = [:], body: [UInt8])
        /// These bytes, after which the connection is closed.
        case raw([UInt8])
        /// Nothing, until the client goes.
        case silence

        package static func json(_ status: Int, headers: [String: String] = [:], _ body: JSON) -> Answer {
            .reply(status, headers: headers, body: Array(body.text.utf8))
        }
    }

    package let port: Int
    private let state: State
    private let acceptor: Thread

    /// - Parameter answer: called for each request, on the thread of its connection; also told how many came before it.
    package init(_ answer: @escaping @Sendable (Request, Int) -> Answer) {
        let (listener, port) = Self.listen()
        self.port = port
        let state = State(listener: listener, answer: answer)
        self.state = state
        do {
            acceptor = try Thread("stub-accept") { state.acceptAll() }
        } catch {
            preconditionFailure("there is room for a thread: \(error)")
        }
    }

    deinit {
        state.stop()
        acceptor.join()
        close(state.listener)
    }

    /// `http://127.0.0.1:<port>`
    package var url: String { "http://127.0.0.1:\(port)" }
    package var requests: [Request] { state.remembered.current.requests }
    package var connections: Int { state.remembered.current.connections }

    /// Returns when `count` requests have come.
    package func waitForRequests(_ count: Int) { state.remembered.wait { $0.requests.count >= count } }

    private static func listen() -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutableBytes(of: &address) { bytes in
            let address = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!
            return bind(descriptor, address, size) == 0 && Glibc.listen(descriptor, 64) == 0 && getsockname(descriptor, address, &size) == 0
        }
        precondition(isListening, "a socket can listen on a free port")
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}

extension StubServer {
    fileprivate struct Remembered {
        var requests: [Request] = []
        var connections = 0
        var open: Set<Int32> = []
        var isStopped = false
    }

    fileprivate final class State: Sendable {
        let listener: Int32
        let answer: @Sendable (Request, Int) -> Answer
        let remembered = Shared(Remembered())

        init(listener: Int32, answer: @escaping @Sendable (Request, Int) -> Answer) {
            (self.listener, self.answer) = (listener, answer)
        }

        func acceptAll() {
            while true {
                let connection = acceptOne(listener)
                guard connection >= 0 else { return }
                // A program that is started meanwhile would keep it open, and the client would not see its end.
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                let isTaken = remembered.update { remembered in
                    remembered.connections += 1
                    if !remembered.isStopped { remembered.open.insert(connection) }
                    return !remembered.isStopped
                }
                guard isTaken, let thread = try? Thread("stub", { self.serve(connection) }) else {
                    close(connection)
                    continue
                }
                thread.detach()
            }
        }

        func stop() {
            // A socket that is shut down wakes who waits for it; each is closed by its own thread.
            remembered.update { remembered in
                remembered.isStopped = true
                for connection in remembered.open { shutdown(connection, Int32(SHUT_RDWR)) }
            }
            shutdown(listener, Int32(SHUT_RDWR))
        }

        private func acceptOne(_ listener: Int32) -> Int32 {
            uninterrupted { accept(listener, nil, nil) }
        }

        private func serve(_ connection: Int32) {
            defer {
                remembered.update { _ = $0.open.remove(connection) }
                close(connection)
            }
            var received: [UInt8] = []
            while let request = read(from: connection, &received) {
                let before = remembered.update { remembered in
                    remembered.requests.append(request)
                    return remembered.requests.count - 1
                }
                switch answer(request, before) {
                case .reply(let status, let headers, let body):
                    var head = "HTTP/1.1 \(status) Status\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n"
                    for (name, value) in headers { head += "\(name): \(value)\r\n" }
                    guard sendAll(Array((head + "\r\n").utf8) + body, to: connection) else { return }
                case .raw(let bytes):
                    sendAll(bytes, to: connection)
                    return
                case .silence:
                    while receive(from: connection, &received) {}
                    return
                }
            }
        }

        private func read(from connection: Int32, _ received: inout [UInt8]) -> Request? {
            var head: Range<Int>?
            while head == nil {
                head = received.firstRange(of: Array("\r\n\r\n".utf8))
                if head == nil, !receive(from: connection, &received) { return nil }
            }
            let lines = String(decoding: received[..<head!.lowerBound], as: UTF8.self).split(separator: "\r\n")
            let first = lines[0].split(separator: " ")
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let name = line.prefix { $0 != ":" }
                headers[name.lowercased()] = String(line.dropFirst(name.count + 1).drop { $0 == " " })
            }
            let end = head!.upperBound + (headers["content-length"].flatMap { Int($0) } ?? 0)
            while received.count < end { if !receive(from: connection, &received) { return nil } }
            let body = Array(received[head!.upperBound..<end])
            received.removeSubrange(..<end)
            return Request(method: String(first[0]), target: String(first[1]), headers: headers, body: body)
        }

        /// Returns whether there was anything.
        private func receive(from connection: Int32, _ received: inout [UInt8]) -> Bool {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = uninterrupted { recv(connection, &buffer, buffer.count, 0) }
            guard count > 0 else { return false }
            received += buffer[..<count]
            return true
        }
    }
}
