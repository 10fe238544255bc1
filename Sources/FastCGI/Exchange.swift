import CFastCGI
import Glibc
import HTTP
import HTTPTypes

/// One request and its reply on one accepted connection, spoken through libfcgi. A worker thread owns one and reuses it.
///
/// A connection carries one request and is closed, also when the peer asked to keep it: were it kept, what is left unread of a
/// body would be parsed as the next FastCGI request, written by the client (a POST was made to run a forged DELETE so).
struct Exchange {
    private let configuration: FastCGIConfiguration
    private let handler: FastCGIServer.Handler
    private let rejected: FastCGIServer.RejectionHandler
    private let timeout: timeval

    init(
        configuration: FastCGIConfiguration, handler: @escaping FastCGIServer.Handler,
        rejected: @escaping FastCGIServer.RejectionHandler
    ) {
        self.configuration = configuration
        self.handler = handler
        self.rejected = rejected
        timeout = timeval(configuration.socketTimeout)
    }

    /// Reads a request from `connection`, answers it and closes the connection.
    func run(on connection: Int32) {
        setTimeouts(of: connection)
        // libfcgi keeps the address, so it has to stay the same.
        let library = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
        defer { library.deallocate() }
        FCGX_InitRequest(library, -1, 0)
        library.pointee.ipcFd = connection
        // FCGX_Accept_r begins with FCGX_Finish_r, which would close a connection that is not to be kept.
        library.pointee.keepConnection = 1
        // A detached connection is closed at once. Otherwise libfcgi waits for the peer to close first, up to two seconds a
        // byte, in select(), which cannot even name descriptors above 1023.
        FCGX_Detach(library)
        // With a connection preset nothing is accepted. If it fails to become a request libfcgi closes it, tries to accept
        // another from descriptor -1, and returns that error.
        guard FCGX_Accept_r(library) == 0 else { return }
        library.pointee.keepConnection = 0

        answer(library.pointee)
        // Frees and closes. FCGX_Finish_r would first end the reply properly, also where there is none to end.
        FCGX_Free(library, 1)
    }

    private func setTimeouts(of connection: Int32) {
        withUnsafeBytes(of: timeout) { timeout in
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                let result = setsockopt(connection, SOL_SOCKET, option, timeout.baseAddress, socklen_t(timeout.count))
                precondition(result == 0, "a unix socket takes timeouts")
            }
        }
    }

    /// Reads the request that `library` holds and answers it, unless the connection broke within the body.
    private func answer(_ library: FCGX_Request) {
        let parameters = RequestParameters(library.envp)
        var request = parameters.request
        let body = BodyReader(library.in, configuration: configuration).read(announced: parameters.contentLength)

        let rejection: RequestRejection?
        switch (body, parameters.rejection, parameters.contentLength) {
        case (.broken, _, _):
            return
        case (_, let unfit?, _):
            rejection = unfit
        case (.tooLarge, nil, _):
            rejection = .bodyTooLarge(limit: configuration.maxBodyBytes)
        case (.whole(let bytes), nil, let announced?) where bytes.count < announced:
            rejection = .bodyIncomplete(expected: announced, received: bytes.count)
        case (.whole(let bytes), nil, let announced?) where bytes.count > announced:
            rejection = .badRequest("the body is longer than Content-Length")
        case (.whole(let bytes), nil, _):
            request.body = bytes
            rejection = nil
        }

        let method = request.method
        let response: Response
        if let rejection {
            response = rejected(rejection, request)
        } else {
            response = handler(request)
        }
        put(ResponseHead.bytes(of: response, method: method), to: library.out)
        if ResponseHead.isFollowedByBody(response, method: method) {
            guard putBody(of: response, to: library.out!) else { return }
        }
        // What is still buffered goes out here. A client that left shows only now, and nobody is left to be told.
        FCGX_FClose(library.err)
        FCGX_FClose(library.out)
    }

    /// Whether the reply may be ended: one that is not whole is not, so that nginx, and then the client, sees that it broke off.
    private func putBody(of response: Response, to stream: UnsafeMutablePointer<FCGX_Stream>) -> Bool {
        guard let body = response.stream else {
            put(response.body, to: stream)
            return true
        }
        do {
            try body { bytes in
                put(bytes, to: stream)
                if FCGX_GetError(stream) != 0 { throw ClientGone() }
            }
            return true
        } catch {
            return false
        }
    }

    private func put(_ bytes: [UInt8], to stream: UnsafeMutablePointer<FCGX_Stream>) {
        bytes.withUnsafeBytes { put($0, to: stream) }
    }

    /// A failure ends up in the stream's error, and nothing after it is sent.
    private func put(_ bytes: UnsafeRawBufferPointer, to stream: UnsafeMutablePointer<FCGX_Stream>) {
        var rest = bytes[...]
        // libfcgi counts in 32 bits.
        while !rest.isEmpty, FCGX_GetError(stream) == 0 {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            FCGX_PutStr(part.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(part.count), stream)
            rest = rest.dropFirst(part.count)
        }
    }
}

/// Nobody reads the reply any more.
private struct ClientGone: Error {}

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
