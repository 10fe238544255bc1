import FastCGI
import Glibc
import HTTP
import HTTPTypes
import Synchronization

/// A server on a socket of its own that remembers what it was asked.
final class ServerFixture: Sendable {
    let socket: ListeningSocket
    let server: FastCGIServer
    private let record: Record

    private final class Record: Sendable {
        let handled = Mutex<[Request]>([])
        let rejections = Mutex<[RequestRejection]>([])
    }

    /// - Parameters:
    ///   - stream: answers what is sent to "/stream".
    ///   - classesArePaths: what is sent to "/search" is of that class, and what no class is named like, of none; else all are of one.
    init(
        socket: ListeningSocket = ListeningSocket(), workers: Int = 2, queueLimit: Int? = nil, queueTimeout: Duration = .seconds(20),
        maxBodyBytes: Int = 1 << 20, maxDiscardedBytes: Int = 1 << 24,
        maxStreams: Int? = nil, classesArePaths: Bool = false,
        headTimeout: Duration = .seconds(20), socketTimeout: Duration = .seconds(20), bodyTimeout: Duration = .seconds(20),
        streamTimeout: Duration = .seconds(20), lingerTimeout: Duration = .seconds(60), stream: RequestHandler? = nil,
        handler: @escaping @Sendable (Request) -> Response = { Response(status: .ok, body: Array("\($0.method) \($0.path)".utf8)) }
    ) throws {
        let record = Record()
        self.socket = socket
        self.record = record
        server = try FastCGIServer(
            configuration: FastCGIConfiguration(
                listeningDescriptor: socket.descriptor, workerThreads: workers, queueLimit: queueLimit, queueTimeout: queueTimeout,
                maxStreams: maxStreams, maxBodyBytes: maxBodyBytes, maxDiscardedBytes: maxDiscardedBytes, headTimeout: headTimeout,
                socketTimeout: socketTimeout, bodyTimeout: bodyTimeout,
                streamTimeout: streamTimeout, lingerTimeout: lingerTimeout),
            rejected: { rejection, request in
                record.rejections.withLock { $0.append(rejection) }
                return Response(status: .badRequest, body: Array("rejected \(request.id)".utf8))
            },
            route: { request in
                if case .streamed(let stream) = stream, request.path == "/stream" {
                    return Destination(
                        .streamed { request, body in
                            record.handled.withLock { $0.append(request) }
                            return stream(request, body)
                        })
                }
                let answer = RequestHandler.whole { request in
                    record.handled.withLock { $0.append(request) }
                    return handler(request)
                }
                return Destination(answer, classesArePaths ? RequestClass(rawValue: String(request.path.dropFirst())) : .read)
            })
        try server.start()
    }

    /// Never leaves threads behind on a socket that is about to be closed.
    deinit { _ = server.stop(drainingFor: .seconds(120)) }

    var handled: [Request] { record.handled.withLock { $0 } }
    var rejections: [RequestRejection] { record.rejections.withLock { $0 } }

    /// Returns when all that was accepted has been dealt with.
    func finish() { precondition(server.stop(drainingFor: .seconds(120))) }
}

/// A door that handlers wait at, and that tells when one of them has come.
final class Gate: Sendable {
    private let arrivals: (reading: Int32, writing: Int32)
    private let openings: (reading: Int32, writing: Int32)

    init() {
        arrivals = Self.makePipe()
        openings = Self.makePipe()
    }

    deinit {
        for end in [arrivals.reading, arrivals.writing, openings.reading, openings.writing] { close(end) }
    }

    func pass() {
        Self.put(arrivals.writing)
        Self.take(openings.reading)
    }

    func waitForArrival() { Self.take(arrivals.reading) }

    func open() { Self.put(openings.writing) }

    private static func makePipe() -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private static func put(_ descriptor: Int32) {
        var byte: UInt8 = 1
        precondition(write(descriptor, &byte, 1) == 1)
    }

    private static func take(_ descriptor: Int32) {
        var byte: UInt8 = 0
        precondition(read(descriptor, &byte, 1) == 1)
    }
}
