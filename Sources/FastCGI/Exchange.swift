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
    private let route: FastCGIServer.Route
    private let rejected: FastCGIServer.RejectionHandler
    private let shared: SharedState

    init(
        configuration: FastCGIConfiguration, route: @escaping FastCGIServer.Route,
        rejected: @escaping FastCGIServer.RejectionHandler, shared: SharedState
    ) {
        self.configuration = configuration
        self.route = route
        self.rejected = rejected
        self.shared = shared
    }

    /// Reads a request from `connection`, answers it and closes the connection.
    func run(on connection: Int32) {
        setTimeouts(of: connection, to: configuration.headTimeout)
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
        // libfcgi takes a request whose parameters end with silence or an error for one that has no more of them.
        guard FCGX_GetError(library.pointee.in) == 0 else {
            FCGX_Free(library, 1)
            return
        }
        setTimeouts(of: connection, to: configuration.socketTimeout)

        answer(library.pointee, on: connection)
        // Frees and closes. FCGX_Finish_r would first end the reply properly, also where there is none to end.
        FCGX_Free(library, 1)
    }

    private func setTimeouts(of connection: Int32, to duration: Duration) {
        withUnsafeBytes(of: timeval(duration)) { timeout in
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                let result = setsockopt(connection, SOL_SOCKET, option, timeout.baseAddress, socklen_t(timeout.count))
                precondition(result == 0, "a unix socket takes timeouts")
            }
        }
    }

    /// Answers the request that `library` holds, after reading its body or while that arrives.
    private func answer(_ library: FCGX_Request, on connection: Int32) {
        let parameters = RequestParameters(library.envp)
        let destination = route(parameters.request)
        let input = InputStream(library.in)
        if let unfit = parameters.rejection {
            reject(parameters, unfit, input, library)
        } else if case .streamed(let respond) = destination.handler {
            let body = StreamedBody(input, announced: parameters.contentLength) { shared.isStopping }
            answer(parameters.request, body, library, on: connection, respond)
        } else if let requestClass = destination.requestClass {
            // Before the body is read: it waits with nginx, and takes no memory here.
            let arrival = ContinuousClock.now
            guard shared.admission.enter(requestClass) else { return reject(parameters, .overloaded(requestClass), input, library) }
            defer { shared.admission.leave(requestClass) }
            answer(parameters, after: .now - arrival, destination.handler, input, library)
        } else {
            answer(parameters, after: .zero, destination.handler, input, library)
        }
    }

    /// Reads the body to its end and has `handler` answer. There is no response if the connection broke within it.
    private func answer(
        _ parameters: RequestParameters, after waited: Duration, _ handler: RequestHandler, _ input: InputStream, _ library: FCGX_Request
    ) {
        guard let response = response(to: parameters, after: waited, handler, input) else { return }
        _ = send(response, parameters.request.method, library)
    }

    private func response(
        to parameters: RequestParameters, after waited: Duration, _ handler: RequestHandler, _ input: InputStream
    ) -> Response? {
        var request = parameters.request
        request.waited = waited
        switch (BodyReader(input, configuration: configuration).read(announced: parameters.contentLength), parameters.contentLength) {
        case (.broken, _):
            return nil
        case (.tooLarge, _):
            return rejected(.bodyTooLarge(limit: configuration.maxBodyBytes), request)
        case (.whole(let bytes), let announced?) where bytes.count < announced:
            return rejected(.bodyIncomplete(expected: announced, received: bytes.count), request)
        case (.whole(let bytes), let announced?) where bytes.count > announced:
            return rejected(.badRequest("the body is longer than Content-Length"), request)
        case (.whole(let bytes), _):
            request.body = bytes
            return handler.respond(to: request)
        }
    }

    /// Throws the body away, without which nginx would not look for an answer, and answers with a refusal.
    private func reject(_ parameters: RequestParameters, _ rejection: RequestRejection, _ input: InputStream, _ library: FCGX_Request) {
        guard BodyReader(input, configuration: configuration).discard() else { return }
        _ = send(rejected(rejection, parameters.request), parameters.request.method, library)
    }

    /// Lets `respond` read the body.
    private func answer(
        _ request: Request, _ body: StreamedBody, _ library: FCGX_Request, on connection: Int32,
        _ respond: (Request, any IncomingBody) -> Response
    ) {
        setTimeouts(of: connection, to: configuration.streamTimeout)
        let limit = configuration.maxStreams
        let response = shared.withStream(limit: limit) { respond(request, body) } ?? rejected(.tooManyStreams(limit: limit), request)
        let isRead = body.state == .ended
        let isGone = body.state == .failed(.clientGone)
        body.close()
        guard !isGone else { return }
        if send(response, request.method, library), !isRead { linger(on: connection) }
    }

    /// Throws away what nginx still passes on of a body, until it has taken the reply and closes. Were the connection closed at once,
    /// nginx would fail to pass on the next bytes, and not look for a reply any more.
    private func linger(on connection: Int32) {
        // Where connections are not kept, nginx takes a reply for whole at their end only.
        shutdown(connection, Int32(SHUT_WR))
        let deadline = ContinuousClock.now + configuration.lingerTimeout
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
            while case let rest = deadline - .now, rest > .zero {
                var waiting = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
                poll(&waiting, 1, Int32(clamping: Int(rest / .milliseconds(1)) + 1))
                let count = recv(connection, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                guard count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR) else { return }
            }
        }
    }

    /// Whether the reply was sent to its end, as far as we can tell.
    private func send(_ response: Response, _ method: HTTPRequest.Method, _ library: FCGX_Request) -> Bool {
        put(ResponseHead.bytes(of: response, method: method), to: library.out)
        if ResponseHead.isFollowedByBody(response, method: method) {
            guard putBody(of: response, to: library.out!) else { return false }
        }
        // What is still buffered goes out here. A client that left shows only now, and nobody is left to be told.
        FCGX_FClose(library.err)
        return FCGX_FClose(library.out) == 0
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
