import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// What a machine may take away or change under a running server: its clock, its descriptors, its memory.
@Suite("Faults: the machine's resources", .serialized)
struct ResourceTests {
    @Test("a clock that jumps ten days back and ten years ahead changes no order, and nothing is lost")
    func clockSteps() throws {
        let library = try #require(
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"].map { $0 + "/faketime/libfaketimeMT.so.1" }
                .first { access($0, R_OK) == 0 }, "libfaketime is not installed: run Scripts/bootstrap")
        let clock = TemporaryDirectory()
        try clock.write("offset", "+0")
        let quire = try QuireInstance(
            noModel,
            launcher: [
                "/usr/bin/env", "LD_PRELOAD=\(library)", "FAKETIME_TIMESTAMP_FILE=\(clock / "offset")", "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
            ])
        let vectors = try quire.createVectorLibrary(index: "hnsw")
        let oracle = Oracle()
        let load = Load(on: quire, library: vectors, oracle, documentLimit: 100, seed: seed("clock steps", standard: 25))
        func year() throws -> Int {
            let body = #"{"title":"t","chunks":[{"text":"t","embedding":\#([Float](repeating: 1, count: Load.dimension))}]}"#
            let id = try quire.createVectorLibrary()
            let reply = try quire.post("/v1/libraries/\(id)/documents/with-embeddings", body)
            return try #require(reply.json["metadata"]?["created_at"]?.string.flatMap { Int($0.prefix(4)) }, "\(reply.text)")
        }
        let today = try year()

        for (step, years) in [("-10d", -1...0), ("+10y", 9...10), ("-10d", -1...0), ("+0", 0...0)] {
            load.waitForAcknowledgements(100)
            try clock.write("offset", step)
            #expect(years.contains(try year() - today), "the server's clock did not follow: \(step)")
            load.waitForAcknowledgements(100)
            try quire.killResponder(restartingAtOnce: true)
        }
        try load.stop()

        #expect(load.surprises == [])
        let contents = try Contents(of: quire, library: vectors, asking: oracle.allDocuments, searchingAll: true)
        #expect(contents.documents.count > 50)
        #expect(oracle.violations(in: contents) == [])
    }

    @Test("a server short of descriptors refuses or serves, whichever call they run out at, and loses nothing")
    func fewDescriptors() throws {
        // Every worker and every connection takes one.
        let quire = try QuireInstance(
            noModel.merging(["WORKER_THREADS": "32"]) { $1 }, launcher: ["/bin/sh", "-c", #"ulimit -S -n 64; exec "$@""#, "sh"])
        let library = try quire.createVectorLibrary()
        let responder = quire.responder
        let first = seed("few descriptors", standard: 27)
        let oracle = Oracle()
        let load = Load(
            on: quire, library: library, oracle, writers: count("QUIRE_DESCRIPTOR_CLIENTS", standard: 100), deleters: 4, searchers: 16,
            documentLimit: 300, seed: first)
        load.waitForAcknowledgements(800)
        try load.stop()
        #expect(load.surprises == [])
        #expect(quire.responder == responder, "nobody restarted it:\n\(quire.log)")

        var chance = SplitMix(seed: first &- 1)
        var statuses: Set<Int> = []
        for free in 1...8 {
            let responder = try #require(quire.responder)
            try limitDescriptors(of: responder, to: limit(of: responder, leaving: free))
            let document = chance.document(chunks: 2, dimension: Load.dimension)
            try oracle.put(document) { try #require(Oracle.Outcome(of: quire.put(document, in: library), success: 201)) }
            statuses.insert(try quire.post("/v1/admin/snapshots", "").status)
            // A log that could not open its next segment has ended the process: another one goes on.
            if quire.responder == responder { try limitDescriptors(of: responder, to: 64) }
            try quire.waitUntilReady()
        }

        #expect(statuses == [201, 503])
        #expect(try quire.post("/v1/admin/snapshots", "").status == 201)
        for _ in 0...1 {
            let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments)
            #expect(contents.documents.count > 100)
            #expect(oracle.violations(in: contents) == [])
            try quire.killResponder()
        }
    }

    /// The limit below which this many numbers are free.
    private func limit(of process: pid_t, leaving free: Int) throws -> Int {
        let open = Set(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").compactMap { Int($0) })
        let unused = (0...open.count + free).filter { !open.contains($0) }
        return unused[free]
    }

    private func limitDescriptors(of process: pid_t, to count: Int) throws {
        let prlimit = try ChildProcess("/usr/bin/prlimit", ["--pid", "\(process)", "--nofile=\(count):"], in: TemporaryDirectory())
        #expect(prlimit.wait() == 0, "\(prlimit.errors)")
    }
}
