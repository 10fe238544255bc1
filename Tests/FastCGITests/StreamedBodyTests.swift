import FastCGI
import Glibc
import HTTP
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// Reads all lines; says how many there were, how many bytes they had, and how it ended.
@Sendable private func count(_ request: Request, _ body: any IncomingBody) -> Response {
    var reader = LineReader(body, maxLineBytes: 10_000)
    var (lines, bytes) = (0, 0)
    do throws(IncomingBodyError) {
        while let line = try reader.next() {
            guard case .bytes(let content) = line.content else { continue }
            lines += 1
            bytes += content.count
        }
        return Response(status: .ok, body: Array("\(lines) lines, \(bytes) bytes".utf8))
    } catch {
        return Response(status: .ok, body: Array("\(lines) lines, \(error)".utf8))
    }
}

@Suite("Streamed bodies", .timeLimit(.minutes(10))) struct StreamedBodyTests {
    private let post = [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/stream")]

    private func beginning(_ parameters: [(String, String)]? = nil) -> [UInt8] {
        Records.begin() + Records.parameters(parameters ?? post)
    }

    private let end = Records.record(5, [])

    @Test("are read while they arrive, announced or not, and the reply follows", arguments: [nil, 14])
    func arrives(length: Int?) throws {
        let gate = Gate()
        let fixture = try ServerFixture(
            stream: .streamed { request, body in
                #expect(request.body.isEmpty)
                guard let first = try? body.read(atMost: 4) else { return Response(status: .badRequest) }
                gate.pass()
                var rest: [UInt8] = []
                while let piece = try? body.read(atMost: 3) {
                    #expect((1...3).contains(piece.count))
                    rest += piece
                }
                #expect((try? body.read(atMost: 1)) == .some(nil))
                return Response(status: .ok, body: first + [0x7C] + rest)
            })
        let client = fixture.socket.connect()

        client.send(beginning(length.map { Records.post("/stream", length: $0) }) + Records.body(Array("first ".utf8)))
        gate.waitForArrival()
        client.send(Records.body(Array("and rest".utf8)) + end)
        gate.open()
        let reply = client.receive()

        #expect(reply.body == "firs|t and rest" && reply.isComplete && reply.isClosed)
        #expect(fixture.handled.count == 1)
    }

    @Test("of many megabytes are sent whole before anybody reads the reply, over any limit of other bodies")
    func sendsAllFirst() throws {
        let fixture = try ServerFixture(maxBodyBytes: 100, maxDiscardedBytes: 100, stream: .streamed(count))
        let client = fixture.socket.connect()
        let record = Records.body(Array(String(repeating: String(repeating: "x", count: 9_999) + "\n", count: 6).utf8))

        client.send(beginning())
        for _ in 0..<1748 {
            let isTaken = client.send(record)
            #expect(isTaken)
        }
        client.send(end)

        #expect(client.receive().body == "10488 lines, 104869512 bytes")
    }

    @Test("hold their client up when nobody reads them: what was not read is not in memory")
    func holdsClientUp() throws {
        let gate = Gate()
        let fixture = try ServerFixture(
            stream: .streamed { request, body in
                _ = try? body.read(atMost: 1)
                gate.pass()
                return count(request, body)
            })
        let client = fixture.socket.connect()
        let line = Array(String(repeating: "x", count: 9_999).utf8) + [0x0A]

        client.send(beginning())
        var lines = 0
        client.send(Records.body(line))
        gate.waitForArrival()
        while client.canSend, lines < 1000 {
            client.send(Records.body(line))
            lines += 1
        }
        gate.open()
        client.send(end)

        #expect(lines < 200)
        #expect(client.receive().body == "\(lines + 1) lines, \((lines + 1) * 9_999 - 1) bytes")
    }

    @Test("end with their client; what was read before is there, nobody is answered, and the worker is free")
    func clientLeaves() throws {
        let seen = Mutex("")
        let fixture = try ServerFixture(
            workers: 1,
            stream: .streamed { request, body in
                let response = count(request, body)
                seen.withLock { $0 = String(decoding: response.body, as: UTF8.self) }
                return response
            })
        let client = fixture.socket.connect()

        client.send(beginning() + Records.body(Array("one\ntwo\nthr".utf8)))
        client.stopSending()
        let reply = client.receive()

        #expect(reply.output.isEmpty && reply.isClosed)
        #expect(seen.withLock { $0 } == "2 lines, clientGone")
        #expect(fixture.socket.connect().exchange(Records.get("/")).body == "GET /")
    }

    @Test("end when nothing comes for too long, and are answered all the same")
    func stalls() throws {
        let fixture = try ServerFixture(
            workers: 1, streamTimeout: .milliseconds(50), lingerTimeout: .milliseconds(50), stream: .streamed(count))
        let client = fixture.socket.connect()

        client.send(beginning() + Records.body(Array("one\ntwo".utf8)))

        #expect(client.receive().body == "1 lines, timedOut")
        #expect(fixture.socket.connect().exchange(Records.get("/")).isComplete)
    }

    @Test("are read to their end though a signal interrupts the wait for more of them")
    func interrupted() throws {
        let gate = Gate()
        let worker = Mutex<Interruptible?>(nil)
        let fixture = try ServerFixture(
            stream: .streamed { request, body in
                worker.withLock { $0 = Interruptible() }
                gate.pass()
                return count(request, body)
            })
        let client = fixture.socket.connect()

        client.send(beginning() + Records.body(Array("one\n".utf8)))
        gate.waitForArrival()
        gate.open()
        let interruptible = try #require(worker.withLock { $0 })
        for _ in 0..<100 {
            interruptible.interrupt()
            client.send(Records.body(Array("more\n".utf8)))
        }
        client.send(end)

        #expect(client.receive().body == "101 lines, 403 bytes")
    }

    @Test("end when the server stops, and are answered all the same")
    func serverStops() throws {
        let gate = Gate()
        let fixture = try ServerFixture(
            stream: .streamed { request, body in
                _ = try? body.read(atMost: 4)
                gate.pass()
                return count(request, body)
            })
        let client = fixture.socket.connect()
        client.send(beginning() + Records.body(Array("one\ntwo\n".utf8)))
        gate.waitForArrival()

        #expect(!fixture.server.stop(drainingFor: .milliseconds(20)))
        gate.open()
        client.stopSending()

        #expect(client.receive().body == "0 lines, stopping")
        #expect(fixture.server.stop(drainingFor: .seconds(120)))
    }

    @Test("that are longer or shorter than announced end with an error")
    func wrongLengths() throws {
        let fixture = try ServerFixture(stream: .streamed(count))
        let body = Array("one\ntwo".utf8)

        let short = fixture.socket.connect()
        short.send(beginning(Records.post("/stream", length: 8)) + Records.body(body) + end)
        short.stopSending()
        // One at a time: a second stream may be one too many.
        #expect(short.receive().body == "1 lines, wrongLength(announced: 8, received: 7)")
        let long = fixture.socket.connect()
        long.send(beginning(Records.post("/stream", length: 5)) + Records.body(body) + end)
        long.stopSending()

        #expect(long.receive().body == "0 lines, wrongLength(announced: 5, received: 7)")
    }

    @Test("are answered before their end if their handler likes, and nothing hidden in the rest is executed", arguments: [0, 1, 100_000])
    func answersEarly(readBytes: Int) throws {
        let fixture = try ServerFixture(
            workers: 1,
            stream: .streamed { _, body in
                var left = readBytes
                while left > 0, let piece = try? body.read(atMost: left) { left -= piece.count }
                return Response(status: .notFound, body: Array("no".utf8))
            })
        let forged = Records.request([("REQUEST_METHOD", "DELETE"), ("REQUEST_URI", "/v1/libraries/all")])
        let client = fixture.socket.connect()

        client.send(Records.begin(keepingConnection: true) + Records.parameters(post))
        let records = Records.body(Array([[UInt8]](repeating: forged, count: 1000).joined()))
        for _ in 0..<100 {
            let isTaken = client.send(records)
            #expect(isTaken)
        }
        client.send(end + forged)
        let reply = client.receive()
        // Now it may close, and does.
        client.stopSending()

        #expect(reply.status == "Status: 404 Not Found" && reply.body == "no" && reply.isComplete && reply.isClosed)
        fixture.finish()
        #expect(fixture.handled.map(\.method) == [.post])
    }

    @Test("are waited for no longer than is said when nobody reads them")
    func lingers() throws {
        let fixture = try ServerFixture(
            workers: 1, lingerTimeout: .milliseconds(50), stream: .streamed { _, _ in Response(status: .notFound) })
        let client = fixture.socket.connect()

        client.send(beginning() + Records.body([1, 2, 3]))

        #expect(client.receive().isComplete)
        #expect(fixture.socket.connect().exchange(Records.get("/")).isComplete)
    }

    @Test("leave workers to other requests: too many at one time are refused")
    func boundsStreams() throws {
        let gate = Gate()
        let fixture = try ServerFixture(
            workers: 3, maxStreams: 1,
            stream: .streamed { request, body in
                gate.pass()
                return count(request, body)
            })
        let first = fixture.socket.connect()
        first.send(beginning())
        gate.waitForArrival()

        let second = fixture.socket.connect()
        second.send(Records.request(post, body: Array("one\n".utf8)))
        second.stopSending()

        #expect(second.receive().status == "Status: 400 Bad Request")
        #expect(fixture.rejections == [.tooManyStreams(limit: 1)])
        #expect(fixture.socket.connect().exchange(Records.get("/")).isComplete)
        gate.open()
        first.send(Records.body(Array("one\n".utf8)) + end)
        #expect(first.receive().body == "1 lines, 3 bytes")
        // The place is free again.
        gate.open()
        #expect(fixture.socket.connect().exchange(post, body: Array("one\ntwo".utf8)).body == "2 lines, 6 bytes")
    }

    @Test("of unfit requests are never handed over")
    func refusesUnfit() throws {
        let fixture = try ServerFixture(stream: .streamed(count))

        let reply = fixture.socket.connect().exchange(post + [("CONTENT_LENGTH", "x")], body: [1, 2, 3])

        #expect(reply.body.hasPrefix("rejected") && fixture.handled.isEmpty)
    }

    @Test("have nothing to give once their request is answered")
    func closes() throws {
        // Sound: the test looks at it when the handler has returned.
        nonisolated(unsafe) var kept: (any IncomingBody)?
        let fixture = try ServerFixture(
            stream: .streamed { _, body in
                kept = body
                return Response(status: .ok)
            })
        let client = fixture.socket.connect()
        client.send(Records.request(post, body: [1, 2, 3]))
        client.stopSending()

        #expect(client.receive().isComplete)
        fixture.finish()

        let body = try #require(kept)
        #expect(try body.read(atMost: 1) == nil)
    }

    @Test("may be answered with more than fits into memory at once")
    func spooledReply() throws {
        let directory = TemporaryDirectory()
        let fixture = try ServerFixture(
            stream: .streamed { _, body in
                do {
                    let results = try SpooledBody(in: directory.path)
                    var reader = LineReader(body, maxLineBytes: 100)
                    while let line = try reader.next() { try results.append(Array("{\"line\":\(line.number)}\n".utf8)) }
                    return Response(status: .ok, spooled: results)
                } catch {
                    return Response(status: .badRequest)
                }
            })
        let lines = [UInt8](repeating: 0x0A, count: 5_000) + Array(repeating: Array("x\n".utf8), count: 100_000).joined()

        let reply = fixture.socket.connect().exchange(post, body: lines)

        let expected = (5_001...105_000).map { "{\"line\":\($0)}\n" }.joined()
        #expect(reply.text == "Status: 200 OK\r\nContent-Length: \(expected.utf8.count)\r\n\r\n" + expected)
        #expect(reply.isComplete)
    }
}
