import FastCGI
import Glibc
import HTTP
import HTTPTypes
import TestSupport
import Testing

@Suite("The load of the transport", .timeLimit(.minutes(1)))
struct TransportLoadTests {
    @Test("busy workers, running streams and connections that wait are counted while they are")
    func counts() throws {
        let arrived = Shared(0)
        let isOpen = Shared(false)
        let wait: @Sendable () -> Void = {
            arrived.update { $0 += 1 }
            isOpen.wait { $0 }
        }
        let fixture = try ServerFixture(
            workers: 2,
            stream: .streamed { _, _ in
                wait()
                return Response(status: .ok)
            }
        ) { _ in
            wait()
            return Response(status: .ok)
        }
        #expect(fixture.server.load == TransportLoad(workers: 2, busyWorkers: 0, streams: 0, accepted: 0, queue: fixture.server.load.queue))

        let clients = (0..<5).map { _ in fixture.socket.connect() }
        #expect(clients[0].send(Records.request(Records.get("/"))))
        #expect(clients[1].send(Records.request([("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/stream")])))
        arrived.wait { $0 == 2 }
        let load = fixture.server.load
        isOpen.set(true)
        for client in clients.dropFirst(2) { #expect(client.send(Records.request(Records.get("/")))) }
        for client in clients { _ = client.receive() }
        fixture.finish()

        #expect(load.busyWorkers == 2 && load.streams == 1 && load.accepted == 2)
        // Where the system says it: three connections that nobody has accepted.
        #expect(load.queue?.waiting ?? 3 == 3 && load.queue?.limit ?? 1 > 0)
        #expect(fixture.server.load.busyWorkers == 0 && fixture.server.load.accepted == 5)
    }
}
