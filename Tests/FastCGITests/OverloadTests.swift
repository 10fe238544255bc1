import FastCGI
import Glibc
import HTTP
import HTTPTypes
import TestSupport
import Testing

@Suite("More requests than are handled at one time", .timeLimit(.minutes(10)))
struct OverloadTests {
    /// Whatever is answered counts its arrival and waits until it may go on.
    private final class Work: Sendable {
        let arrived = Shared(0)
        let isOpen = Shared(false)

        func wait() -> Response {
            arrived.update { $0 += 1 }
            isOpen.wait { $0 }
            return Response(status: .ok)
        }
    }

    private func send(_ path: String, to fixture: ServerFixture) -> FastCGIClient {
        let client = fixture.socket.connect()
        #expect(client.send(Records.request(Records.get(path))))
        return client
    }

    @Test("busy workers, running streams and requests that wait are counted while they are")
    func counts() throws {
        let work = Work()
        let fixture = try ServerFixture(
            workers: 2, queueLimit: 8, classesArePaths: true, stream: .streamed { _, _ in work.wait() }
        ) { _ in work.wait() }
        let nothing: [RequestClass: Int] = [.search: 0, .write: 0, .read: 0]
        #expect(
            fixture.server.load
                == TransportLoad(
                    workers: 2, busyWorkers: 0, streams: 0, accepted: 0, waiting: nothing, waitingLimit: 8, turnedAway: nothing))

        var clients = (0..<2).map { _ in send("/read", to: fixture) }
        let stream = fixture.socket.connect()
        #expect(stream.send(Records.request([("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/stream")])))
        work.arrived.wait { $0 == 3 }
        clients += (0..<3).map { _ in send("/search", to: fixture) }
        eventually { fixture.server.load.waiting[.search] == 3 }
        let load = fixture.server.load
        work.isOpen.set(true)
        for client in clients + [stream] { _ = client.receive() }
        stream.stopSending()
        fixture.finish()

        #expect(load.busyWorkers == 2 && load.streams == 1 && load.accepted == 6 && load.waiting[.read] == 0)
        #expect(fixture.server.load.busyWorkers == 0 && fixture.server.load.waiting == nothing)
        #expect(fixture.handled.count == 6 && fixture.rejections.isEmpty)
    }

    @Test("as many of a class wait as may; more are turned away at once, and other classes wait in lines of their own")
    func fullLine() throws {
        let work = Work()
        let fixture = try ServerFixture(workers: 1, queueLimit: 2, classesArePaths: true) { _ in work.wait() }
        var clients = [send("/search", to: fixture)]
        work.arrived.wait { $0 == 1 }
        clients += (0..<2).map { _ in send("/search", to: fixture) }
        eventually { fixture.server.load.waiting[.search] == 2 }

        let refused = send("/search", to: fixture)
        #expect(refused.receive().status.hasPrefix("Status: 400") && fixture.rejections == [.overloaded(.search)])
        clients.append(send("/write", to: fixture))
        eventually { fixture.server.load.waiting[.write] == 1 }

        work.isOpen.set(true)
        for client in clients { #expect(client.receive().status.hasPrefix("Status: 200")) }
        #expect(fixture.server.load.turnedAway == [.search: 1, .write: 0, .read: 0])
    }

    @Test("a request that waits for too long is turned away, and none of its body was kept")
    func deadline() throws {
        let work = Work()
        let fixture = try ServerFixture(
            workers: 1, queueLimit: 2, queueTimeout: .milliseconds(20), classesArePaths: true
        ) { _ in work.wait() }
        let first = send("/search", to: fixture)
        work.arrived.wait { $0 == 1 }

        #expect(send("/write", to: fixture).receive().status.hasPrefix("Status: 400"))

        #expect(fixture.rejections == [.overloaded(.write)] && fixture.server.load.waiting[.write] == 0)
        work.isOpen.set(true)
        #expect(first.receive().status.hasPrefix("Status: 200"))
    }

    @Test("what has no class is answered while nobody else is")
    func withoutClass() throws {
        let work = Work()
        let fixture = try ServerFixture(workers: 1, queueLimit: 1, classesArePaths: true) { request in
            request.path == "/health" ? Response(status: .ok) : work.wait()
        }
        let clients = RequestClass.allCases.map { send("/\($0.rawValue)", to: fixture) }
        work.arrived.wait { $0 == 1 }
        eventually { fixture.server.load.waiting.values.reduce(0, +) == 2 }

        for _ in 0..<10 { #expect(send("/health", to: fixture).receive().status.hasPrefix("Status: 200")) }

        work.isOpen.set(true)
        for client in clients { #expect(client.receive().status.hasPrefix("Status: 200")) }
    }
}
