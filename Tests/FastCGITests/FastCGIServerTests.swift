import FastCGI
import Glibc
import HTTP
import HTTPTypes
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct FastCGIServerTests {
    @Test("answers a GET and closes the connection")
    func answersGet() throws {
        let fixture = try ServerFixture()

        let reply = fixture.socket.connect().exchange(Records.get("/v1/libraries?limit=2") + [("HTTP_HOST", "h"), ("REQUEST_ID", "r1")])

        #expect(reply.text == "Status: 200 OK\r\nContent-Length: 17\r\n\r\nGET /v1/libraries")
        #expect(reply.isComplete && reply.isClosed)
        let request = try #require(fixture.handled.first)
        #expect(request.query == "limit=2")
        #expect(request.id == "r1")
        #expect(request.headers[HTTPField.Name("host")!] == "h")
    }

    @Test("hands over every body up to the limit unchanged", arguments: [0, 1, 8_184, 8_192, 65_536, 1 << 20])
    func readsBodies(count: Int) throws {
        let fixture = try ServerFixture { Response(status: .ok, body: $0.body) }
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }

        let announced = fixture.socket.connect().exchange(Records.post("/", length: count), body: body)
        let unannounced = fixture.socket.connect().exchange([("REQUEST_METHOD", "PUT"), ("REQUEST_URI", "/")], body: body)

        #expect(announced.output.suffix(count) == body[...])
        #expect(unannounced.output.suffix(count) == body[...])
        #expect(fixture.handled.map(\.body.count) == [count, count])
    }

    @Test("sends a reply of many megabytes whole, and none to HEAD")
    func sendsLargeReplies() throws {
        let body = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let fixture = try ServerFixture { _ in Response(status: .ok, body: body) }

        let reply = fixture.socket.connect().exchange(Records.get("/"))
        let head = fixture.socket.connect().exchange([("REQUEST_METHOD", "HEAD"), ("REQUEST_URI", "/")])

        #expect(reply.output.suffix(body.count) == body[...])
        #expect(reply.isComplete)
        #expect(head.text == "Status: 200 OK\r\n\r\n")
    }

    @Test("sends a stream piece by piece, without its length, and none of it to HEAD")
    func sendsStreams() throws {
        let fixture = try ServerFixture { _ in
            var response = Response(status: .ok)
            response.stream = { put in
                for number in 0..<300 { try [UInt8](repeating: UInt8(number % 256), count: 10_000).withUnsafeBytes(put) }
            }
            return response
        }

        let reply = fixture.socket.connect().exchange(Records.get("/"))
        let head = fixture.socket.connect().exchange([("REQUEST_METHOD", "HEAD"), ("REQUEST_URI", "/")])

        #expect(reply.isComplete)
        #expect(reply.output.starts(with: "Status: 200 OK\r\n\r\n".utf8))
        #expect(reply.output.suffix(3_000_000).first == 0 && reply.output.last == 43)
        #expect(head.isComplete && head.text == "Status: 200 OK\r\n\r\n")
    }

    @Test("a stream that fails breaks off without an end, and the next request is served")
    func breaksOff() throws {
        struct Failed: Error {}
        let fixture = try ServerFixture { request in
            var response = Response(status: .ok)
            if request.path == "/broken" {
                response.stream = { put in
                    try [UInt8](repeating: 1, count: 100_000).withUnsafeBytes(put)
                    throw Failed()
                }
            }
            return response
        }

        let reply = fixture.socket.connect().exchange(Records.get("/broken"))

        #expect(!reply.isComplete && reply.isClosed)
        #expect(fixture.socket.connect().exchange(Records.get("/")).isComplete)
    }

    @Test("a reply is sent whole though signals interrupt the wait for who reads it slowly")
    func interrupted() throws {
        let gate = Gate()
        let worker = Mutex<Interruptible?>(nil)
        let body = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let fixture = try ServerFixture { _ in
            worker.withLock { $0 = Interruptible() }
            gate.pass()
            return Response(status: .ok, body: body)
        }
        let client = fixture.socket.connect()

        client.send(Records.request(Records.get("/")))
        gate.waitForArrival()
        gate.open()
        let interruptible = try #require(worker.withLock { $0 })
        for _ in 0..<1000 { interruptible.interrupt() }
        let reply = client.receive()

        #expect(reply.output.suffix(body.count) == body[...])
        #expect(reply.isComplete)
    }

    @Test("a stream ends when nobody reads it any more")
    func endsWithItsReader() throws {
        let gate = Gate()
        let fixture = try ServerFixture(workers: 1) { request in
            var response = Response(status: .ok)
            guard request.path == "/endless" else { return response }
            response.stream = { put in
                gate.pass()
                while true { try [UInt8](repeating: 1, count: 100_000).withUnsafeBytes(put) }
            }
            return response
        }
        do {
            let client = fixture.socket.connect()
            client.send(Records.request(Records.get("/endless")))
            gate.waitForArrival()
        }

        gate.open()

        #expect(fixture.socket.connect().exchange(Records.get("/")).isComplete)
    }

    @Test("a body over the limit is read, thrown away and refused", arguments: [true, false])
    func refusesLargeBodies(isAnnounced: Bool) throws {
        let fixture = try ServerFixture(maxBodyBytes: 100)
        let parameters = isAnnounced ? Records.post("/", length: 300_000) : [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/")]

        let reply = fixture.socket.connect().exchange(parameters + [("REQUEST_ID", "r7")], body: [UInt8](repeating: 7, count: 300_000))

        #expect(reply.status == "Status: 400 Bad Request")
        #expect(reply.body == "rejected r7")
        #expect(fixture.rejections == [.bodyTooLarge(limit: 100)])
        #expect(fixture.handled.isEmpty)
    }

    @Test("a body without end is refused after a bounded part of it")
    func boundsDiscarding() throws {
        let fixture = try ServerFixture(maxBodyBytes: 100, maxDiscardedBytes: 100_000)
        let client = fixture.socket.connect()

        client.send(Records.begin() + Records.parameters([("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/")]))
        while client.send(Records.body([UInt8](repeating: 7, count: 60_000))) {}

        #expect(client.receive().isClosed)
        #expect(fixture.rejections == [.bodyTooLarge(limit: 100)])
        #expect(fixture.handled.isEmpty)
    }

    @Test("no request hidden in a refused body is executed, though the client asks to keep the connection", arguments: [50, 1 << 20])
    func executesNothingHiddenInBodies(maxDiscardedBytes: Int) throws {
        let fixture = try ServerFixture(maxBodyBytes: 100, maxDiscardedBytes: maxDiscardedBytes)
        let forged = Records.request([("REQUEST_METHOD", "DELETE"), ("REQUEST_URI", "/v1/libraries/all")])
        let body = Array([[UInt8]](repeating: forged, count: 200).joined())
        // Refused for its size, for its target, and not refused at all.
        let refused = [Records.post("/", length: body.count), Records.post("no-slash", length: body.count)]

        for parameters in refused {
            let client = fixture.socket.connect()
            client.send(Records.request(parameters, body: body, keepingConnection: true))
            client.send(forged)
            #expect(client.receive().isClosed)
        }
        let kept = fixture.socket.connect()
        kept.send(Records.request(Records.get("/"), keepingConnection: true) + forged)
        #expect(kept.receive().isClosed)

        fixture.finish()
        #expect(fixture.handled.map(\.method) == [.get])
        #expect(fixture.rejections == [.bodyTooLarge(limit: 100), .badRequest("the request target does not begin with a slash")])
    }

    @Test("a body that is shorter or longer than announced is refused, not executed")
    func refusesWrongLengths() throws {
        let fixture = try ServerFixture()

        _ = fixture.socket.connect().exchange(Records.post("/", length: 10), body: [1, 2, 3])
        _ = fixture.socket.connect().exchange(Records.post("/", length: 2), body: [1, 2, 3])

        #expect(fixture.handled.isEmpty)
        #expect(
            fixture.rejections == [
                .bodyIncomplete(expected: 10, received: 3), .badRequest("the body is longer than Content-Length"),
            ])
    }

    @Test("a connection that breaks within the body is closed without a reply, and nothing is executed")
    func dropsBrokenBodies() throws {
        let fixture = try ServerFixture()
        let client = fixture.socket.connect()

        client.send(Records.begin() + Records.parameters(Records.post("/", length: 10)) + Records.body([1, 2, 3]))
        client.stopSending()
        let reply = client.receive()

        #expect(reply.isClosed && !reply.isComplete && reply.output.isEmpty)
        fixture.finish()
        #expect(fixture.handled.isEmpty && fixture.rejections.isEmpty)
    }

    @Test("a body that takes too long in all is dropped, however often a byte comes")
    func boundsBodyTime() throws {
        let fixture = try ServerFixture(bodyTimeout: .nanoseconds(1))

        let reply = fixture.socket.connect().exchange(Records.post("/", length: 3), body: [1, 2, 3])

        #expect(reply.isClosed && reply.output.isEmpty)
        #expect(fixture.handled.isEmpty)
    }

    @Test("silent connections hold up nobody and are dropped after the socket timeout")
    func dropsHalfOpenConnections() throws {
        // In which whoever is not silent has to get its turn, too.
        let fixture = try ServerFixture(workers: 4, socketTimeout: .seconds(3))
        let beginnings: [[UInt8]] = [
            [], Records.begin(), Records.begin() + Records.parameters(Records.post("/", length: 10)) + Records.body([1]),
        ]
        let silent = beginnings.map { beginning in
            let client = fixture.socket.connect()
            client.send(beginning)
            return client
        }

        #expect(fixture.socket.connect().exchange(Records.get("/")).body == "GET /")

        for client in silent { #expect(client.receive().isClosed) }
        fixture.finish()
        #expect(fixture.handled.count == 1 && fixture.rejections.isEmpty)
    }

    @Test("who says nothing of a request has a worker for the shorter timeout, who is slow with its body for the longer one")
    func dropsSilentConnectionsSooner() throws {
        // More connections than threads.
        let fixture = try ServerFixture(workers: 1, queueLimit: 0, headTimeout: .milliseconds(200), socketTimeout: .seconds(60))
        let slow = fixture.socket.connect()
        slow.send(Records.begin() + Records.parameters(Records.post("/", length: 2)) + Records.body([1]))
        let silent = (0..<20).map { number in
            let client = fixture.socket.connect()
            client.send(number % 2 == 0 ? [] : Records.begin())
            return client
        }

        for client in silent { #expect(client.receive().isClosed) }
        slow.send(Records.body([2]) + Records.record(5, []))

        #expect(slow.receive().body == "POST /")
        fixture.finish()
        #expect(fixture.handled.count == 1 && fixture.rejections.isEmpty)
    }

    @Test("what is no FastCGI is dropped, and the next request is served")
    func dropsGarbage() throws {
        let fixture = try ServerFixture()
        let truncated = Array(Records.parameters([("REQUEST_METHOD", "GET")]).prefix(12))
        let garbage: [[UInt8]] = [
            Array("GET / HTTP/1.0\r\n\r\n".utf8), [UInt8](repeating: 0, count: 64), [UInt8](repeating: 255, count: 64),
            Records.begin(role: 2), Records.begin(id: 0), Records.begin() + Records.begin(), Records.begin() + truncated,
            Records.begin() + Records.body([1, 2, 3]), Records.record(9, []), Records.parameters(Records.get("/")),
        ]

        for bytes in garbage {
            let client = fixture.socket.connect()
            client.send(bytes)
            client.stopSending()
            #expect(client.receive().isClosed)
        }

        #expect(fixture.socket.connect().exchange(Records.get("/")).body == "GET /")
        #expect(fixture.handled.count == 1)
    }

    @Test("a client that leaves before the reply costs nothing but its reply")
    func survivesLeavingClients() throws {
        let gate = Gate()
        let fixture = try ServerFixture(workers: 1) { _ in
            gate.pass()
            return Response(status: .ok, body: [UInt8](repeating: 1, count: 1 << 20))
        }
        do {
            let client = fixture.socket.connect()
            client.send(Records.request(Records.get("/")))
            gate.waitForArrival()
        }

        gate.open()
        gate.open()

        #expect(fixture.socket.connect().exchange(Records.get("/")).isComplete)
        #expect(fixture.handled.count == 2)
    }

    @Test("answers every one of many clients at once")
    func servesConcurrentClients() async throws {
        let fixture = try ServerFixture(workers: 4)
        let socket = fixture.socket

        let wrong = await withTaskGroup { group in
            for client in 0..<16 {
                group.addTask {
                    (0..<25).filter { socket.connect().exchange(Records.get("/\(client)/\($0)")).body != "GET /\(client)/\($0)" }.count
                }
            }
            return await group.reduce(0, +)
        }

        #expect(wrong == 0)
        fixture.finish()
        #expect(fixture.handled.count == 400 && Set(fixture.handled.map(\.path)).count == 400)
        #expect(fixture.rejections.isEmpty)
    }

    @Test("stopping lets running requests finish, and leaves waiting connections to the next server")
    func drainsAndHandsOver() throws {
        let gate = Gate()
        let socket = ListeningSocket()
        let first = try ServerFixture(socket: socket) { _ in
            gate.pass()
            return Response(status: .ok, body: Array("drained".utf8))
        }
        let running = socket.connect()
        running.send(Records.request(Records.get("/")))
        gate.waitForArrival()

        #expect(!first.server.stop(drainingFor: .milliseconds(20)))
        let waiting = socket.connect()
        waiting.send(Records.request(Records.get("/later")))
        gate.open()
        #expect(first.server.stop(drainingFor: .seconds(120)))

        #expect(running.receive().body == "drained")
        #expect(first.handled.count == 1)
        let second = try ServerFixture(socket: socket)
        #expect(waiting.receive().body == "GET /later")
        #expect(second.handled.count == 1)
    }

    @Test("while accepting fails connections wait, and it is retried until that ends")
    func retriesAccepting() throws {
        let gate = Gate()
        let socket = ListeningSocket()
        let listening = dup(socket.descriptor)
        let null = open("/dev/null", O_RDONLY)
        let server = try makeServer(listening) { _ in
            gate.pass()
            return Response(status: .ok)
        }
        try server.start()
        let busy = socket.connect()
        busy.send(Records.request(Records.get("/")))
        gate.waitForArrival()

        // While its only worker is busy, the server loses its socket, and gets it back.
        dup2(null, listening)
        gate.open()
        #expect(busy.receive().isComplete)
        let waiting = socket.connect()
        waiting.send(Records.request(Records.get("/")))
        #expect(!waiting.isAnswered(withinMilliseconds: 60))
        dup2(socket.descriptor, listening)
        gate.open()

        #expect(waiting.receive().isComplete)
        #expect(server.stop(drainingFor: .seconds(120)))
        close(listening)
        close(null)
    }

    @Test("is started once, and stops without having been started")
    func startsOnce() throws {
        let socket = ListeningSocket()
        let server = try makeServer(socket.descriptor)

        #expect(server.stop(drainingFor: .zero))
        try server.start()
        #expect(throws: FastCGIError.alreadyStarted) { try server.start() }
        #expect(server.stop(drainingFor: .seconds(120)))
    }

    @Test("threads that cannot be had are told, and nothing is left running")
    func tellsMissingThreads() throws {
        let socket = ListeningSocket()
        let configuration = FastCGIConfiguration(
            listeningDescriptor: socket.descriptor, workerThreads: 2, maxBodyBytes: 1, stackBytes: 1 << 50)
        let server = try FastCGIServer(
            configuration: configuration, rejected: { _, _ in Response(status: .badRequest) },
            route: { _ in Destination(.whole { _ in Response(status: .ok) }) })

        #expect(throws: FastCGIError.systemCallFailed(call: "pthread_create", errno: EAGAIN)) { try server.start() }
        #expect(server.stop(drainingFor: .zero))
    }

    @Test("listens on nothing but a listening unix socket")
    func checksDescriptor() {
        let unix = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listen(tcp, 1)
        defer {
            close(unix)
            close(tcp)
        }

        #expect(throws: FastCGIError.notListening(descriptor: unix)) { try makeServer(unix) }
        #expect(throws: FastCGIError.notListening(descriptor: -1)) { try makeServer(-1) }
        #expect(throws: FastCGIError.notUnixSocket(descriptor: tcp)) { try makeServer(tcp) }
    }

    @Test("handlers run with SIGTERM, SIGINT and SIGHUP blocked, SIGUSR1 open, and libfcgi's handlers gone")
    func leavesSignalsAlone() throws {
        let blocked = Mutex<[Int32]>([])
        let fixture = try ServerFixture { _ in
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            blocked.withLock { $0 = (1..<32).filter { sigismember(&mask, $0) == 1 } }
            return Response(status: .ok)
        }

        _ = fixture.socket.connect().exchange(Records.get("/"))

        let signals = blocked.withLock { $0 }
        #expect(Set([SIGHUP, SIGINT, SIGTERM]).isSubset(of: signals))
        #expect(!signals.contains(SIGUSR1))
        var action = sigaction()
        sigaction(SIGUSR1, nil, &action)
        #expect(action.__sigaction_handler.sa_handler == nil)
    }

    private func makeServer(
        _ descriptor: Int32, handler: @escaping @Sendable (Request) -> Response = { _ in Response(status: .ok) }
    ) throws -> FastCGIServer {
        try FastCGIServer(
            configuration: FastCGIConfiguration(listeningDescriptor: descriptor, workerThreads: 1, maxBodyBytes: 1),
            rejected: { _, _ in Response(status: .badRequest) }, route: { _ in Destination(.whole(handler)) })
    }
}
