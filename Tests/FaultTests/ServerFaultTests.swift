import Glibc
import TestSupport
import Testing

/// The server behind nginx on a disk that fails or is slow.
@Suite("Faults: the server's disk", .serialized) struct ServerFaultTests {
    @Test(
        "a failed sync is answered with 503, and no write is acknowledged after it; the responder exits with 70 within a second, and its successor has everything that was"
    )
    func failedSync() throws {
        let faulty = try FaultyQuire()
        let acknowledged = 1...20
        for number in acknowledged { #expect(try faulty.put(number).status == 201) }
        let responder = try #require(faulty.quire.responder)

        try faulty.setFaults(["fdatasync */wal-*.log * error \(EIO)"])
        let failure = ContinuousClock.now
        let isOver = Shared(false)
        let writer = Background { try write(faulty, from: acknowledged.upperBound + 1, until: isOver) }
        while kill(responder, 0) == 0 { yieldThread() }
        let end = failure.duration(to: .now)
        try faulty.setFaults([])
        isOver.set(true)

        #expect(end < .seconds(1))
        let replies = try writer.value()
        try faulty.quire.waitUntilReady()
        #expect(faulty.quire.log.contains("exit code 70: its storage failed"))
        for number in acknowledged {
            #expect(try faulty.get(number).json["num_chunks"] == 1)
            #expect(try faulty.search(number).json["results"]?.array?.first?["chunk"]?["text"] == .string("\(number)"))
        }
        try expectRefused(replies, faulty)
        report("milliseconds from a write whose sync failed to the end of the responder", "\(end.inMilliseconds)")
    }

    /// The replies to one write after the other, to the end of the one that is on its way when it is over.
    private func write(_ faulty: FaultyQuire, from first: Int, until isOver: Shared<Bool>) throws -> [(number: Int, reply: HTTPReply)] {
        var replies: [(Int, HTTPReply)] = []
        while !isOver.current || replies.count < 2 { replies.append((first + replies.count, try faulty.put(first + replies.count))) }
        return replies
    }

    /// The write whose sync failed may be there, and the last one was perhaps the successor's; none of those between them is there.
    private func expectRefused(_ replies: [(number: Int, reply: HTTPReply)], _ faulty: FaultyQuire) throws {
        #expect(replies[0].reply.status == 503)
        for (number, reply) in replies {
            let isThere = try faulty.get(number).status == 200
            if reply.status == 201, number == replies.last?.number {
                #expect(isThere)
                continue
            }
            #expect(reply.status == 503)
            #expect(reply.json["error_type"] == "UnavailableError")
            #expect(!isThere || number == replies.first?.number || number == replies.last?.number, "document \(number)")
        }
    }

    @Test("while a sync takes two seconds searches are as fast as ever, and writes wait for it and are acknowledged")
    func stalledSync() throws {
        let stall = try StalledSync()

        #expect(stall.flaws == [])
        #expect(min(stall.quiet.count, stall.stalled.count) > 100)
        report("p99 of searches without a write, in microseconds", "\(stall.quiet.percentile99.inMicroseconds)")
        report("p99 of searches during a sync that takes 2 s, in microseconds", "\(stall.stalled.percentile99.inMicroseconds)")
    }

    @Test("a server that acknowledges before the sync is found out, and one whose writes keep searches waiting")
    func plantedBugs() throws {
        #expect(try StalledSync(["DURABILITY": "os"]).flaws == [.acknowledgedEarly])
        // Of four threads, one would be kept for searches.
        let crowded = try StalledSync(["WORKER_THREADS": "1", "QUEUE_LIMIT": "32", "QUEUE_TIMEOUT_MS": "20000"])
        #expect(crowded.flaws == [.searchesWaited])
    }
}

/// Searches one after the other, first with nothing else to do, then while four writes wait for a sync that takes two seconds.
private struct StalledSync {
    enum Flaw {
        case acknowledgedEarly, notAcknowledged, lost, searchesWaited
    }

    let quiet: [Duration]
    let stalled: [Duration]
    private(set) var flaws: Set<Flaw> = []

    private static let delay = Duration.seconds(2)

    init(_ settings: [String: String] = [:]) throws {
        let faulty = try FaultyQuire(settings)
        for number in 1...100 { #expect(try faulty.put(number).status == 201) }
        let beginning = ContinuousClock.now
        quiet = try Self.timesOfSearches(faulty) { beginning.duration(to: .now) < Self.delay }

        try faulty.setFaults(["fdatasync */wal-*.log * delay \(Self.delay.inMilliseconds)"])
        let start = ContinuousClock.now
        let writers = (101...104).map { number in Background { (try faulty.put(number).status, start.duration(to: .now)) } }
        stalled = try Self.timesOfSearches(faulty) { !writers.allSatisfy(\.hasEnded) }
        try faulty.setFaults([])

        for writer in writers {
            let (status, duration) = try writer.value()
            if status != 201 { flaws.insert(.notAcknowledged) }
            if duration < Self.delay { flaws.insert(.acknowledgedEarly) }
        }
        for number in 101...104 where try faulty.get(number).status != 200 { flaws.insert(.lost) }
        // What else runs on the machine may take a few milliseconds from either.
        if stalled.percentile99 > max(quiet.percentile99 * 1.5, .milliseconds(20)) || stalled.max()! > Self.delay / 2 {
            flaws.insert(.searchesWaited)
        }
    }

    private static func timesOfSearches(_ faulty: FaultyQuire, while condition: () -> Bool) throws -> [Duration] {
        var times: [Duration] = []
        repeat {
            let start = ContinuousClock.now
            #expect(try faulty.search(1 + times.count % 100).status == 200)
            times.append(start.duration(to: .now))
        } while condition()
        return times
    }
}
