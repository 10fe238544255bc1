import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Faults: memory", .serialized)
struct MemoryTests {
    private static let dimension = 1024
    private static let chunksPerDocument = 100

    @Test(
        "writes are refused with 507 at the budget, within 2 %, and memory stays below 110 % of it; reads, searches and deletes go on, and make as much room as they free"
    )
    func budget() throws {
        let budget = count("QUIRE_MEMORY_BUDGET_MIB", standard: 128) << 20
        var chance = SplitMix(seed: seed("memory budget", standard: 26))
        let group = MemoryGroup(bytes: 3 * budget)
        let quire = try QuireInstance(
            noModel.merging(["MEMORY_BUDGET_BYTES": "\(budget)"]) { $1 }, launcher: group?.launcher ?? [])
        // Before the group goes, which must be empty then.
        defer { _ = quire.stopServer() }
        let library = try quire.createVectorLibrary(index: "brute_force", dimension: Self.dimension)
        let responder = try #require(quire.responder)

        let first = try fill(quire, library, budget: budget, &chance)
        let query = [Float](repeating: 1, count: Self.dimension)
        for id in first.taken.prefix(10) { #expect(try quire.get("/v1/documents/\(id)").status == 200) }
        let found = try quire.search(library, for: query, count: 5, isExact: true)
        #expect(found.status == 200 && found.json["total_results"] == 5)
        let deleted = first.taken.prefix(first.taken.count / 2)
        for id in deleted { #expect(try quire.deleteDocument(id).status == 204) }
        let end = ContinuousClock.now
        var again: [String] = []
        try quire.waitUntil("a write is taken again") {
            guard let (id, reply) = try? put(quire, library, &chance), reply.status == 201 else { return false }
            again.append(id)
            return true
        }
        #expect(ContinuousClock.now - end < .seconds(10))
        let second = try fill(quire, library, budget: budget, &chance)
        again += second.taken

        #expect(first.taken.count > 10)
        for filling in [first, second] {
            #expect(abs(filling.inUse - budget) <= budget / 50, "refused at \(filling.inUse) bytes of \(budget)")
            #expect(filling.most <= budget * 11 / 10)
        }
        // Rows that were freed are taken again.
        #expect(again.count >= deleted.count * 9 / 10, "of \(deleted.count) that went \(again.count) came in")
        #expect(try quire.search(library, for: query, count: 5, isExact: true).status == 200)
        #expect(quire.responder == responder, "it was ended:\n\(quire.log)")
        try quire.killResponder()
        let stored = try quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer
        #expect(stored == first.taken.count - deleted.count + again.count)
        report(
            "memory budget of \(budget >> 20) MiB: in use when writes are refused, most at any time, documents",
            "\(first.inUse >> 10) KiB (\(100 * first.inUse / budget) %), \(max(first.most, second.most) >> 10) KiB, \(first.taken.count)")
        report("memory budget: documents deleted, and taken again until writes are refused again", "\(deleted.count), \(again.count)")
        report("memory budget: limit of the control group", group == nil ? "none: no right to make one" : "\(3 * budget >> 20) MiB")
    }

    private struct Filling {
        /// The ids of documents that were taken.
        var taken: [String] = []
        /// Bytes in use, as the last refusal says.
        var inUse = 0
        /// The most that was in use after any request.
        var most = 0
    }

    /// Puts documents until ten in a row are refused: the first may be for what came in since memory was last read, which is milliseconds.
    private func fill(_ quire: QuireInstance, _ library: String, budget: Int, _ chance: inout SplitMix) throws -> Filling {
        let responder = try #require(quire.responder)
        var filling = Filling()
        var refusals = 0
        while refusals < 10 {
            let (id, reply) = try put(quire, library, &chance)
            filling.most = max(filling.most, try Footprint(of: responder).bytes)
            guard reply.status != 201 else {
                filling.taken.append(id)
                refusals = 0
                try #require(filling.taken.count < 4 * budget / (Self.chunksPerDocument * Self.dimension * 4), "no budget is kept")
                continue
            }
            refusals += 1
            try #require(reply.status == 507, "\(reply.status) \(reply.text)")
            #expect(reply.json["error_type"]?.string == "InsufficientStorageError")
            let said = reply.json["detail"]?.string?.split(separator: " ").compactMap { Int($0) } ?? []
            // MEMORY_BUDGET_BYTES = 1 is reached: 2 bytes are in use.
            try #require(said.count == 2 && said[0] == budget, "\(reply.text)")
            filling.inUse = said[1]
        }
        return filling
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
