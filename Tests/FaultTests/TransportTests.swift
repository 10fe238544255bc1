import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// What comes over connections that break, or that nobody who means well would open.
@Suite("Faults: connections", .serialized)
struct TransportTests {
    /// Sends something and closes the connection at once.
    private func leave(_ quire: QuireInstance, after text: String) {
        guard let descriptor = connectLocally(port: quire.port) else { return }
        sendAll(Array(text.utf8), to: descriptor)
        close(descriptor)
    }

    @Test("a thousand bodies that break off store nothing, and leave no descriptor and no memory behind")
    func brokenBodies() throws {
        let breaks = count("QUIRE_BROKEN_BODIES", standard: 1000)
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        let responder = try #require(quire.responder)
        let document = #"{"title":"t","chunks":[{"text":"a","embedding":[1,2,3]}]}"#
        let path = "/v1/libraries/\(library)/documents/with-embeddings"
        func breakOff(_ number: Int) {
            // Every length of the body but the whole one.
            let part = document.prefix(number % document.count)
            let head = "POST \(path) HTTP/1.1\r\nHost: quire\r\nContent-Length: \(document.utf8.count)\r\n\r\n"
            leave(quire, after: head + part)
        }
        for number in 0..<100 { breakOff(number) }
        _ = try quire.get("/ready")
        let before = try Footprint(of: responder)

        for number in 0..<breaks { breakOff(number) }

        #expect(try quire.get("/v1/libraries/\(library)").json["num_documents"] == 0)
        try quire.waitUntil("descriptors are closed") { (try? Footprint(of: responder).descriptors) == before.descriptors }
        let after = try Footprint(of: responder)
        #expect(after.bytes < before.bytes + 8 << 20)
        #expect(quire.responder == responder)
        report(
            "bodies that break off: stored, further descriptors, further memory",
            "0 of \(breaks), 0, \((after.bytes - before.bytes) >> 10) KiB")
    }

    @Test("a thousand clients that leave while they are searching leave no descriptor and no memory behind")
    func leavingClients() throws {
        let leaving = count("QUIRE_LEAVING_CLIENTS", standard: 1000)
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary()
        var chance = SplitMix(seed: seed("clients that leave", standard: 10))
        for _ in 0..<100 {
            let document = chance.document(chunks: 20, dimension: Load.dimension)
            #expect(try quire.put(document, in: library).status == 201)
        }
        let responder = try #require(quire.responder)
        let body = #"{"embedding":[1,0,0,0,0,0,0,0],"k":100,"exact":true}"#
        let request =
            "POST /v1/libraries/\(library)/search/embedding HTTP/1.1\r\nHost: quire\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        func isAnswered() -> Bool { (try? quire.search(library, for: [1, 0, 0, 0, 0, 0, 0, 0], count: 100, isExact: true))?.status == 200 }
        for _ in 0..<100 { #expect(isAnswered()) }
        let descriptors = try Footprint(of: responder).descriptors
        func leaveAll() throws {
            for _ in 0..<leaving { leave(quire, after: request) }
            // They may come faster than they are answered.
            try quire.waitUntil("a search is answered", isAnswered)
            try quire.waitUntil("descriptors are closed") { (try? Footprint(of: responder).descriptors) == descriptors }
        }
        // What as many threads take once, they keep.
        try leaveAll()
        let before = try Footprint(of: responder)

        try leaveAll()

        let after = try Footprint(of: responder)
        #expect(after.bytes < before.bytes + 8 << 20)
        #expect(quire.responder == responder)
        report(
            "clients that leave while they search: further descriptors, further memory",
            "0 after \(leaving), \((after.bytes - before.bytes) >> 10) KiB")
    }

    @Test("a reply of tens of megabytes to a client that hardly reads takes no memory of the responder's for long, and no thread")
    func slowReader() throws {
        let quire = try QuireInstance(noModel.merging(["WORKER_THREADS": "1", "QUEUE_TIMEOUT_MS": "20000"]) { $1 })
        let responder = try #require(quire.responder)
        let document = try addLargeDocument(to: quire)
        let before = try Footprint(of: responder)

        let readers = try (0..<2).map { _ in try SlowReply(of: document, from: quire) }
        defer { withExtendedLifetime(readers) {} }
        // One thread answers all of them, and this, while nobody has read a byte.
        let whole = try quire.get(document)
        #expect(whole.status == 200 && whole.body.count > 8 << 20)
        try quire.waitUntil("its memory is given back") { ((try? Footprint(of: responder).bytes) ?? .max) < before.bytes + 96 << 20 }
        report(
            "replies of \(whole.body.count >> 20) MB to clients that do not read: further memory of the responder",
            "\((try Footprint(of: responder).bytes - before.bytes) >> 20) MiB")
    }

    /// Returns where its thousand vectors are read, which takes more than 8 MiB.
    private func addLargeDocument(to quire: QuireInstance) throws -> String {
        let library = try quire.createLibrary(#"{"name":"v","embedding_dimension":1024}"#)
        let vector = Data([Float](repeating: 0.12345678, count: 1024).withUnsafeBytes(Array.init)).base64EncodedString()
        let chunks = (0..<1000).map { #"{"text":"\#($0)","embedding":"\#(vector)"}"# }
        let added = try quire.post(
            "/v1/libraries/\(library)/documents/with-embeddings", #"{"title":"t","chunks":[\#(chunks.joined(separator: ","))]}"#)
        return try #require(added["location"]) + "?include_embeddings=true"
    }

    @Test("a reply of 50 MB to a slow client takes at most three times its size of the responder's memory, then waits in a file of nginx's")
    func largeReply() throws {
        let chunks = count("QUIRE_LARGE_REPLY_CHUNKS", standard: 3600)
        let settings = ["WORKER_THREADS": "1", "QUEUE_TIMEOUT_MS": "20000", "MAX_CHUNKS_PER_DOCUMENT": "\(chunks)"]
        let quire = try QuireInstance(noModel.merging(settings) { $1 })
        let library = try quire.createLibrary(#"{"name":"v","embedding_dimension":1024,"metric":"l2"}"#)
        let responder = try #require(quire.responder)
        // 15 characters for each number, and 4 bytes on the way there.
        let vector = Data([Float](repeating: -1.2345678e-10, count: 1024).withUnsafeBytes(Array.init)).base64EncodedString()
        /// Returns where it is read.
        func addDocument(_ count: Int) throws -> String {
            let chunks = (0..<count).map { #"{"text":"\#($0)","embedding":"\#(vector)"}"# }.joined(separator: ",")
            let added = try quire.post(
                "/v1/libraries/\(library)/documents/with-embeddings", #"{"title":"t","chunks":[\#(chunks)]}"#)
            return try #require(added["location"], "\(added.text.prefix(500))") + "?include_embeddings=true"
        }
        let (long, shorter) = (try addDocument(chunks), try addDocument(1000))
        let before = try Footprint(of: responder).bytes

        let highest = HighestFootprint(of: responder)
        let whole = try SlowReply(of: long, from: quire)
        // Its only thread is free again, while nobody has read more than a byte.
        #expect(try quire.get("/v1/libraries/\(library)").status == 200)
        let peak = try highest.stop()
        let held = try heldReplies(of: quire)
        let size = try whole.readAll()

        #expect(size > 50 << 20)
        #expect(peak < before + 3 * size)
        // What nginx does not hold in memory, and the kernel has not taken off its hands.
        #expect((size - 16 << 20..<size).contains(held), "\(held)")
        try quire.waitUntil("its memory is given back") { ((try? Footprint(of: responder).bytes) ?? .max) < before + 96 << 20 }

        // One that is longer than such a file may be waits with the responder, and is whole all the same.
        try quire.changeNginx(
            "snippets/fastcgi-buffers.conf", [("fastcgi_max_temp_file_size 256m;", "fastcgi_max_temp_file_size 4m;")])
        let limited = try SlowReply(of: shorter, from: quire)
        try quire.waitUntil("nginx's file is full") { ((try? heldReplies(of: quire)) ?? 0) >= 3 << 20 }
        var largest = 0
        let limitedSize = try limited.readAll { largest = try max(largest, heldReplies(of: quire)) }
        #expect(limitedSize > 14 << 20)
        #expect(largest <= 4 << 20)
        #expect(quire.responder == responder)
        report(
            "a reply of \(size >> 20) MiB to a slow client: further memory of the responder, file of nginx's",
            "\((peak - before) >> 20) MiB, \(held >> 20) MiB")
    }

    @Test("a responder that is halted and goes on, as by a debugger or docker pause, breaks off neither a stream of documents nor a reply")
    func halted() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        let responder = try #require(quire.responder)
        func haltWhereItWaits() throws {
            for _ in 0..<20 {
                try quire.waitUntil("the responder waits") { states(of: responder) == ["S"] }
                kill(responder, SIGSTOP)
                try quire.waitUntil("the responder is halted") { states(of: responder) == ["T"] }
                kill(responder, SIGCONT)
            }
        }

        // It waits for more documents.
        let text = String(repeating: "word ", count: 200)
        let lines = (0..<1200).map { #"{"title":"\#($0)","chunks":[{"text":"\#(text)","embedding":[1,2,3]}]}"# + "\n" }.joined()
        let (first, rest) = (lines.utf8.prefix(lines.utf8.count / 2), lines.utf8.suffix(lines.utf8.count - lines.utf8.count / 2))
        let stream = try #require(connectLocally(port: quire.port))
        defer { close(stream) }
        let head = "POST /v1/libraries/\(library)/documents/stream HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n"
        let length = "Content-Type: application/x-ndjson\r\nContent-Length: \(lines.utf8.count)\r\n\r\n"
        sendAll(Array("\(head)\(length)".utf8) + first, to: stream)
        try quire.waitUntil("documents are stored") { (try? quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer) ?? 0 > 0 }
        try haltWhereItWaits()
        sendAll(Array(rest), to: stream)
        let results = try #require(HTTPReply(receiveAll(from: stream))).text
        #expect(!results.contains("error"), "\(results.suffix(300))")
        #expect(try quire.get("/v1/libraries/\(library)").json["num_documents"] == 1200)

        // It waits for nginx to take more of a reply.
        try quire.changeNginx(
            "snippets/fastcgi-buffers.conf", [("fastcgi_max_temp_file_size 256m;", "fastcgi_max_temp_file_size 1m;")])
        let document = try addLargeDocument(to: quire)
        let reply = try SlowReply(of: document, from: quire)
        try quire.waitUntil("nginx's file is full") { ((try? heldReplies(of: quire)) ?? 0) >= 1 << 19 }
        try haltWhereItWaits()
        #expect(try reply.readAll() > 8 << 20)
        #expect(quire.responder == responder)
    }

    /// What the threads of a process do: S if they wait, T if they are halted (proc(5)).
    private func states(of process: pid_t) -> Set<Character> {
        let tasks = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return Set(
            threads.compactMap { thread in
                let status = FileManager.default.contents(atPath: "\(tasks)/\(thread)/status") ?? Data()
                let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("State:\t") }
                return line?.dropFirst("State:\t".count).first
            })
    }

    /// Bytes of the files in which nginx holds replies. They have no names any more, but for those that have them open.
    private func heldReplies(of quire: QuireInstance) throws -> Int {
        var bytes = 0
        for worker in quire.nginxWorkers {
            let directory = "/proc/\(worker)/fd"
            for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
                let file = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\(name)")
                var status = stat()
                guard file?.contains("/fastcgi-temp/") == true, stat("\(directory)/\(name)", &status) == 0 else { continue }
                bytes += Int(status.st_size)
            }
        }
        return bytes
    }

    @Test(
        "connections on which nobody speaks hold up nobody while there are fewer of them than threads, and everybody for one timeout where there are more",
        .enabled(if: geteuid() == 0, "only root can reach the socket of a server"))
    func silentConnections() throws {
        let workers = 2
        // Seven threads: these, one for streams, and four that answer what is quick.
        let threads = workers + 1 + 4
        let quire = try QuireInstance(noModel.merging(["WORKER_THREADS": "\(workers)", "QUEUE_LIMIT": "0"]) { $1 })
        let library = try quire.createLibrary()
        func timeOfAnswer() throws -> Duration {
            let start = ContinuousClock.now
            #expect(try quire.get("/v1/libraries/\(library)").status == 200)
            return ContinuousClock.now - start
        }
        func fallSilent(_ count: Int) throws -> [SilentConnection] {
            try (0..<count).map { try SilentConnection(to: quire, saying: $0 % 2 == 0 ? [] : SilentConnection.beginning) }
        }

        let few = try fallSilent(2 * workers)
        let among = try timeOfAnswer()
        let many = try fallSilent(threads)
        let behind = try timeOfAnswer()

        withExtendedLifetime((few, many)) {}
        #expect(among <= .seconds(1))
        // nginx has five seconds to say what it wants. The socket timeout is 30 s.
        #expect(behind > .seconds(1), "they did not take all threads")
        #expect(behind <= .seconds(7))
        #expect(try timeOfAnswer() <= .seconds(1))
        report(
            "silent FastCGI connections: time of an answer among \(few.count), behind \(few.count + many.count) with \(threads) threads",
            "\(among.inMilliseconds) ms, \(behind.inMilliseconds) ms")
    }

    @Test(
        "what is no FastCGI, on the socket that only nginx may reach, loses nothing that was acknowledged, and requests are answered after it",
        .enabled(if: geteuid() == 0, "only root can reach the socket of a server"))
    func garbage() throws {
        let cases = count("QUIRE_GARBAGE_RECORDS", standard: 2000)
        let quire = try QuireInstance(noModel)
        let library = try quire.createVectorLibrary()
        let oracle = Oracle()
        var chance = SplitMix(seed: seed("garbage on the socket", standard: 56))
        for _ in 0..<20 {
            let document = chance.document(chunks: 3, dimension: Load.dimension)
            try oracle.put(document) { try #require(Oracle.Outcome(of: quire.put(document, in: library), success: 201)) }
        }
        let first = try #require(quire.responder)
        let scratch = TemporaryDirectory()

        let client = try ChildProcess(
            "/usr/bin/env", ["python3", "-c", Self.client, quire.runDirectory + "/responder.sock", "\(cases)", "\(chance.next() >> 32)"],
            environment: ["PATH": "/usr/bin:/bin"], in: scratch)
        #expect(client.wait() == 0, "\(client.errors)")
        try quire.waitUntilReady()

        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(oracle.violations(in: contents) == [])
        // libfcgi ends the process where a name is longer than memory; our own code never does.
        #expect(!quire.log.contains("Fatal error"))
        report(
            "garbage on the FastCGI socket: cases, lost documents",
            "\(cases), 0\(quire.responder == first ? "" : "; libfcgi ended the process")")
    }

    /// Random bytes, whole requests cut short or with bytes changed, and a name as long as memory.
    private static let client = """
        import random, socket, struct, sys
        path, cases, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        chance = random.Random(seed)
        record = lambda kind, content: struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content
        pair = lambda name, value: bytes([len(name), len(value)]) + name + value
        whole = (record(1, b"\\0\\1\\0\\0\\0\\0\\0\\0") + record(4, pair(b"REQUEST_METHOD", b"POST") + pair(b"REQUEST_URI", b"/v1/libraries")
            + pair(b"CONTENT_LENGTH", b"2")) + record(4, b"") + record(5, b"{}") + record(5, b""))
        def garbage(number):
            if number % 500 == 250:
                return record(1, b"\\0\\1\\0\\0\\0\\0\\0\\0") + record(4, b"\\x7f\\xff\\xff\\xfe\\x7f\\xff\\xff\\xfe")
            kind = number % 3
            if kind == 0: return chance.randbytes(chance.randrange(200))
            if kind == 1: return whole[:chance.randrange(len(whole))]
            changed = bytearray(whole)
            for _ in range(chance.randrange(1, 4)): changed[chance.randrange(8, len(changed))] = chance.randrange(256)
            return bytes(changed)
        for number in range(cases):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(120)
            connection.connect(path)
            try:
                connection.sendall(garbage(number))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536): pass
            except (BrokenPipeError, ConnectionResetError): pass
            connection.close()
        """
}
