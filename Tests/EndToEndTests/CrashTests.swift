import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("What survives a crash")
struct CrashTests {
    @Test("nothing acknowledged is lost and nothing half-done is visible when the responder is killed under load and among snapshots")
    func killUnderLoad() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary(#"{"name":"test","embedding_dimension":\#(Load.dimension),"metric":"l2"}"#)
        let oracle = Oracle()
        let load = Load(
            on: quire, library: library, oracle, writers: 4, deleters: 1, searchers: 1, documentLimit: 100, seed: seed("crash", standard: 1)
        )

        for _ in 1...3 {
            load.waitForAcknowledgements(80)
            try quire.killResponder()
        }
        try load.stop()

        #expect(load.surprises == [])
        // Only what was in flight: one request of each client that changes something, at each of the three kills.
        #expect(oracle.unknowns <= 15)
        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(contents.documents.count > 50 && contents.asked.count > contents.documents.count)
        #expect(oracle.violations(in: contents) == [])
        #expect(try quire.get("/v1/admin/snapshots").text.contains(".snap"))
    }

    @Test("a damaged snapshot, or index in it, is said, and everything is there all the same")
    func damagedSnapshot() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary(#"{"name":"test","embedding_dimension":3,"metric":"l2","index_type":"hnsw"}"#)
        func add(_ number: Int) throws {
            let chunk = #"{"text":"\#(number)","embedding":[\#(number),1,1]}"#
            let body = #"{"title":"t","chunks":[\#(chunk)]}"#
            #expect(try quire.post("/v1/libraries/\(library)/documents/with-embeddings", body).status == 201)
        }
        /// Takes a snapshot with the index and flips a bit of it, `fromEnd` bytes before its end.
        func damageSnapshot(fromEnd: Int) throws -> String {
            while try !quire.get("/v1/libraries/\(library)/index").text.contains(#""pending":0"#) { sched_yield() }
            let reply = try quire.post("/v1/admin/snapshots", "")
            #expect(reply.status == 201)
            let name = try #require(reply.text.split(separator: "\"").first { $0.hasSuffix(".snap") })
            let path = "\(quire.dataDirectory)/\(name)"
            var bytes = try contents(of: path)
            bytes[bytes.count - fromEnd] ^= 1
            try Data(bytes).write(to: URL(filePath: path))
            return String(name)
        }
        for number in 1...3 { try add(number) }

        // Behind the last byte of the index, which may be padding, is the end's header of 24 bytes.
        let first = try damageSnapshot(fromEnd: 24 + 40)
        try quire.killResponder()

        try quire.waitUntil("the log says that indexes are built again") { quire.log.contains("they are built again") }
        #expect(try quire.get("/v1/libraries/\(library)/statistics").text.contains(#""num_chunks":3"#))

        try add(4)
        let second = try damageSnapshot(fromEnd: 10)
        #expect(second > first)
        try quire.killResponder()

        try quire.waitUntil("the log says that the snapshot is damaged") { quire.log.contains("a snapshot is damaged; it was renamed") }
        let found = try quire.post("/v1/libraries/\(library)/search/embedding", #"{"embedding":[4,1,1],"k":10}"#)
        #expect(found.json["results"]?.array?.count == 4)
    }

    @Test("damage before the end of the log is refused with exit 65, the place, and 503 from nginx at once")
    func damagedLog() throws {
        let quire = try QuireInstance(noModel)
        _ = try quire.createLibrary(#"{"name":"first","embedding_dimension":3}"#)
        _ = try quire.createLibrary(#"{"name":"second","embedding_dimension":3}"#)
        #expect(quire.stopServer() == 0)
        let segment = try #require(try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectory).first { $0.hasSuffix(".log") })
        let path = quire.dataDirectory + "/" + segment
        var bytes = try Data(contentsOf: URL(filePath: path))
        let name = try #require(bytes.firstRange(of: Data("first".utf8)))
        bytes[name.lowerBound] ^= 1
        try bytes.write(to: URL(filePath: path))

        try quire.startServer()

        #expect(quire.waitForServer() == 65)
        let reply = try quire.get("/ready")
        #expect(reply.status == 503)
        #expect(reply["retry-after"] != nil)
        #expect(try reply.decoded(as: ErrorReply.self).error_type == "UnavailableError")
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    }

    @Test("a torn tail is cut and kept aside; what was acknowledged before it stays")
    func tornTail() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        #expect(quire.stopServer() == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectory)
        let path = quire.dataDirectory + "/" + (try #require(names.first { $0.hasSuffix(".log") }))
        var bytes = try Data(contentsOf: URL(filePath: path))
        let end = try #require(bytes.lastIndex { $0 != 0 })
        // Half a record header, as a write that was cut short leaves it.
        let garbage = (end / 8 + 1) * 8
        bytes.replaceSubrange(garbage..<garbage + 11, with: (0..<11).map { UInt8($0 * 7 + 1) })
        try bytes.write(to: URL(filePath: path))

        try quire.startServer()
        try quire.waitUntilReady()

        #expect(try quire.get("/v1/libraries/\(library)").status == 200)
        #expect(try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectory).contains { $0.hasSuffix(".torn") })
        #expect(try quire.post("/v1/libraries", #"{"name":"after","embedding_dimension":3}"#).status == 201)
    }
}
