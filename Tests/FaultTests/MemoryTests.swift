import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Faults: memory", .serialized)
struct MemoryTests {
    private static let dimension = 1024
    private static let chunksPerDocument = 100

    @Test("writes are refused with 507 before the process is in danger; reads, searches and deletes go on, and make room")
    func budget() throws {
        let budget = 80 << 20
        var chance = SplitMix(seed: seed("memory budget", standard: 26))
        let group = MemoryGroup(bytes: 3 * budget)
        let quire = try QuireInstance(
            noModel.merging(["MEMORY_BUDGET_BYTES": "\(budget)"]) { $1 }, launcher: group?.launcher ?? [])
        // Before the group goes, which must be empty then.
        defer { _ = quire.stopServer() }
        let library = try quire.createVectorLibrary(index: "brute_force", dimension: Self.dimension)
        let responder = try #require(quire.responder)

        var taken: [String] = []
        var refusals = 0
        while refusals < 10 {
            let (id, reply) = try put(quire, library, &chance)
            guard reply.status != 201 else {
                (taken, refusals) = (taken + [id], 0)
                try #require(taken.count < 4 * budget / (Self.chunksPerDocument * Self.dimension * 4), "no budget is kept")
                continue
            }
            refusals += 1
            try #require(reply.status == 507, "\(reply.status) \(reply.text)")
            #expect(reply.json["error_type"]?.string == "InsufficientStorageError")
        }

        #expect(taken.count > 10)
        let inUse = try Footprint(of: responder).bytes
        #expect(inUse < budget * 11 / 10)
        for id in taken.prefix(10) { #expect(try quire.get("/v1/documents/\(id)").status == 200) }
        let query = [Float](repeating: 1, count: Self.dimension)
        #expect(try quire.search(library, for: query, count: 5, isExact: true).status == 200)
        for id in taken.prefix(taken.count / 2) { #expect(try quire.deleteDocument(id).status == 204) }
        let deleted = ContinuousClock.now
        try quire.waitUntil("a write is taken again") { (try? put(quire, library, &chance))?.1.status == 201 }
        #expect(ContinuousClock.now - deleted < .seconds(10))
        #expect(quire.responder == responder, "it was ended:\n\(quire.log)")

        try quire.killResponder()
        let count = try quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer
        #expect(count == taken.count - taken.count / 2 + 1)
        report("memory budget of \(budget >> 20) MiB: in use when writes are refused", "\(inUse >> 20) MiB, \(taken.count) documents")
        report("memory budget: limit of the control group", group == nil ? "none: no right to make one" : "\(3 * budget >> 20) MiB")
    }

    /// Sends a document with 400 KiB of vectors, in base64, which is read fast.
    private func put(_ quire: QuireInstance, _ library: String, _ chance: inout SplitMix) throws -> (String, HTTPReply) {
        let id = chance.uuid()
        let chunks = (0..<Self.chunksPerDocument).map { number in
            // A few components make it unlike every other one, which would share its memory.
            var vector = [Float](repeating: 1, count: Self.dimension)
            for index in 0..<8 { vector[index] = Float(chance.next() >> 40) }
            let bytes = vector.withUnsafeBytes { Data($0) }
            return #"{"text":"\#(number)","embedding":"\#(bytes.base64EncodedString())"}"#
        }
        let body = #"{"id":"\#(id)","title":"t","chunks":[\#(chunks.joined(separator: ","))]}"#
        return (id, try quire.post("/v1/libraries/\(library)/documents/with-embeddings", body))
    }
}

/// A control group whose processes the kernel ends when they take more memory than this; for those who may make one. It goes with the
/// object.
private final class MemoryGroup {
    private let path: String
    let launcher: [String]

    init?(bytes: Int) {
        // Of version 1, and of version 2.
        let candidates = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        for (parent, limit) in candidates {
            let path = "\(parent)/quire-test-\(getpid())"
            guard mkdir(path, 0o755) == 0 else { continue }
            if (try? Data("\(bytes)".utf8).write(to: URL(filePath: "\(path)/\(limit)"))) != nil {
                self.path = path
                launcher = ["/bin/sh", "-c", "echo $$ > \(path)/cgroup.procs && exec \"$@\"", "sh"]
                return
            }
            rmdir(path)
        }
        return nil
    }

    deinit { rmdir(path) }
}
