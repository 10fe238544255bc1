import Glibc
import TestSupport
import Testing

@Suite("While the responder loads")
struct StartingTests {
    @Test("health is 200, everything else 503 with Retry-After, within a second of the start; SIGTERM is heard")
    func answersWhileLoading() throws {
        // A file that is read first, and that nobody writes to: the responder loads until it is told to stop.
        let data = TemporaryDirectory()
        #expect(mkfifo(data / "CURRENT", 0o600) == 0)
        let start = ContinuousClock.now
        let quire = try QuireInstance(
            ["QUIRE_MODEL_DIR": "/nonexistent/quire-model", "VECTOR_DB_DATA_DIR": data.path], awaitingReady: false)

        var health = try? quire.get("/health")
        while health?.status != 200, ContinuousClock.now - start < .seconds(10) { health = try? quire.get("/health") }

        #expect(health?.status == 200)
        for path in ["/ready", "/v1/libraries", "/v1/models"] {
            let reply = try quire.get(path)
            #expect(reply.status == 503)
            #expect(reply["retry-after"] == "1")
            let error = try reply.decoded(as: ErrorReply.self)
            #expect(error.error_type == "UnavailableError")
            #expect(error.detail == "The server is starting")
        }
        #expect(quire.stopServer() == 0)
    }

    @Test("after a long load everything is answered, without another start")
    func becomesReady() throws {
        // Without snapshots it does not matter what CURRENT names, but it is read.
        let data = TemporaryDirectory()
        let current = data / "CURRENT"
        #expect(mkfifo(current, 0o600) == 0)
        let quire = try QuireInstance(noModel.merging(["VECTOR_DB_DATA_DIR": data.path]) { $1 }, awaitingReady: false)
        try quire.waitUntil("the responder says that it loads") { (try? quire.get("/health"))?.status == 200 }
        #expect(try quire.get("/ready").status == 503)
        let responder = quire.responder

        let writer = open(current, O_WRONLY)
        close(writer)

        try quire.waitUntilReady()
        #expect(try quire.get("/v1/libraries").status == 200)
        #expect(quire.responder == responder)
    }

    @Test("data that turns out to be damaged after a long load ends the server with 65")
    func refusesLate() throws {
        let data = TemporaryDirectory()
        let current = data / "CURRENT"
        #expect(mkfifo(current, 0o600) == 0)
        // Cut off within its header.
        try data.write("wal-0000000000000001.log", [1, 2, 3])
        let quire = try QuireInstance(noModel.merging(["VECTOR_DB_DATA_DIR": data.path]) { $1 }, awaitingReady: false)
        try quire.waitUntil("the responder says that it loads") { (try? quire.get("/health"))?.status == 200 }

        let writer = open(current, O_WRONLY)
        close(writer)

        #expect(quire.waitForServer() == 65)
        #expect(try quire.get("/health").status == 503)
    }
}
