import FoundationEssentials
import Glibc
import Locks
import TestSupport
import Testing

@Suite("What survives a crash")
struct CrashTests {
    @Test("nothing acknowledged is lost and nothing half-done is visible when the responder is killed under load and among snapshots")
    func killUnderLoad() throws {
        let quire = try QuireInstance(noModel)
        // By distance: the angles between vectors of later writes are too small for single precision, and all would be rank 1.
        let library = try quire.createLibrary(#"{"name":"test","embedding_dimension":3,"metric":"l2"}"#)
        let oracle = Oracle()
        let writers = try (0..<4).map { writer in
            try Thread("writer") {
                var number = 0
                while !oracle.isStopped {
                    oracle.write(quire, library, writer: writer, number: number)
                    number += 1
                }
            }
        }

        let snapshots = try Thread("snapshots") {
            // Whether one is taken or the responder is killed meanwhile makes no difference to what was acknowledged.
            while !oracle.isStopped { _ = try? quire.post("/v1/admin/snapshots", "") }
        }

        for kills in 1...3 {
            let goal = oracle.acknowledgements + 60
            while oracle.acknowledgements < goal { sched_yield() }
            try quire.killResponder()
            #expect(oracle.acknowledgements >= 60 * kills)
        }
        oracle.stop()
        for writer in writers { writer.join() }
        snapshots.join()

        #expect(oracle.surprises.isEmpty)
        try oracle.check(quire, library)
        let listed = try quire.get("/v1/admin/snapshots")
        #expect(String(decoding: listed.body, as: UTF8.self).contains(".snap"))
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

    /// What the writers know to be stored, deleted, or in doubt.
    // Sound as Sendable: all state is read and written under `lock`.
    private final class Oracle: @unchecked Sendable {
        private let lock = Lock()
        private var stopped = false
        private var successes = 0
        private var stored: [String: [Float]] = [:]
        private var deleted: Set<String> = []
        private var unknown: Set<String> = []
        private var unexpected: [String] = []

        var isStopped: Bool { lock.withLock { stopped } }
        /// How many writes and deletes were acknowledged; never fewer than before.
        var acknowledgements: Int { lock.withLock { successes } }
        var surprises: [String] { lock.withLock { unexpected } }

        func stop() { lock.withLock { stopped = true } }

        /// Adds a document of three chunks, and deletes every third one again.
        func write(_ quire: QuireInstance, _ library: String, writer: Int, number: Int) {
            let id = UUID().uuidString.lowercased()
            let vector: [Float] = [Float(writer + 1), Float(number + 1), Float(writer * number)]
            let chunk = #"{"text":"\#(id)","embedding":\#(vector)}"#
            record(
                id, vector,
                try? quire.post(
                    "/v1/libraries/\(library)/documents/with-embeddings",
                    #"{"id":"\#(id)","title":"t","chunks":[\#(chunk),\#(chunk),\#(chunk)]}"#), 201)
            guard number % 3 == 0, lock.withLock({ stored[id] != nil }) else { return }
            record(id, nil, try? quire.delete("/v1/documents/\(id)"), 204)
        }

        private func record(_ id: String, _ vector: [Float]?, _ reply: HTTPReply?, _ success: Int) {
            lock.withLock {
                switch reply?.status {
                case success:
                    successes += 1
                    if let vector { stored[id] = vector } else { deleted.insert(id) }
                    if vector == nil { stored[id] = nil }
                case 503 where (try? reply?.decoded(as: ErrorReply.self))?.detail == "The server is starting":
                    // On a machine as busy as this one the next responder may take its time to load. Nothing was tried.
                    break
                case 503 where reply?["retry-after"] != nil && (try? reply?.decoded(as: ErrorReply.self))?.error_type == "UnavailableError":
                    // The responder died before it could say what became of the request.
                    unknown.insert(id)
                    stored[id] = nil
                default: unexpected.append("\(reply?.status ?? 0): \(reply?.text ?? "no reply")")
                }
            }
        }

        func check(_ quire: QuireInstance, _ library: String) throws {
            try lock.withLock {
                #expect(stored.count > 50)
                // Only what was in flight: one request of each writer, at each of the three kills.
                #expect(unknown.count <= 12)
                #expect(!deleted.isEmpty)
                for (id, vector) in stored {
                    let document = try quire.get("/v1/documents/\(id)?include_embeddings=true").decoded(as: DocumentReply.self)
                    #expect(document.chunks.map(\.text) == [id, id, id])
                    #expect(document.chunks.map(\.embedding) == [vector, vector, vector])
                }
                for id in deleted {
                    #expect(try quire.get("/v1/documents/\(id)").status == 404)
                }
                var whole = 0
                for id in unknown {
                    let reply = try quire.get("/v1/documents/\(id)")
                    #expect([200, 404].contains(reply.status))
                    guard reply.status == 200 else { continue }
                    whole += 1
                    #expect(try reply.decoded(as: DocumentReply.self).num_chunks == 3)
                }
                let counted = try quire.get("/v1/libraries/\(library)").decoded(as: LibraryReply.self)
                #expect(counted.num_documents == stored.count + whole)
                #expect(counted.num_chunks == 3 * counted.num_documents)
                let (id, vector) = try #require(stored.first)
                #expect(try quire.search(library, vector, k: 3).results.filter { $0.chunk.text == id }.count == 3)
            }
        }
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
