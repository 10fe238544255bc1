import TestSupport
import Testing

@Suite("Faults: a full disk", .serialized)
struct FullDiskTests {
    /// Some twenty kilobytes in the log.
    private func document(_ chance: inout SplitMix) -> Oracle.Document {
        var document = chance.document(chunks: 2, dimension: Load.dimension)
        for index in document.chunks.indices { document.chunks[index].text += String(repeating: ".", count: 9000) }
        return document
    }

    /// Writes documents until ten in a row are refused; returns those that were taken.
    private func writeUntilRefused(
        _ quire: QuireInstance, _ library: String, _ oracle: Oracle, _ chance: inout SplitMix
    ) throws -> [Oracle.Document] {
        var taken: [Oracle.Document] = []
        var refusals = 0
        while refusals < 10 {
            let document = document(&chance)
            var reply: HTTPReply?
            let outcome = try oracle.put(document) {
                let answer = try quire.put(document, in: library)
                reply = answer
                return try #require(Oracle.Outcome(of: answer, success: 201), "\(answer.status) \(answer.text)")
            }
            guard outcome == .refused else {
                refusals = 0
                taken.append(document)
                continue
            }
            refusals += 1
            #expect(reply?.status == 507)
            #expect(reply?.json["error_type"]?.string == "InsufficientStorageError")
        }
        return taken
    }

    private func delete(_ document: Oracle.Document, _ quire: QuireInstance, _ oracle: Oracle) throws -> Oracle.Outcome {
        try oracle.delete(document.id) {
            let reply = try quire.deleteDocument(document.id)
            return try #require(Oracle.Outcome(of: reply, success: 204), "\(reply.status) \(reply.text)")
        }
    }

    private func expectOracleHolds(_ oracle: Oracle, _ quire: QuireInstance, _ library: String) throws {
        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(contents.documents.count > 10)
        #expect(oracle.violations(in: contents) == [])
    }

    @Test("writes are answered with 507; reads, searches and deletes go on; writes do again when there is space, without a restart")
    func fillsAndEmpties() throws {
        var chance = SplitMix(seed: seed("full disk", standard: 12))
        let rounds = count("QUIRE_FULL_DISKS", standard: 3)
        let disk = try SmallDisk(megabytes: 16, ["DISK_RESERVE_BYTES": "1048576"])
        let quire = disk.quire
        let library = try quire.createVectorLibrary()
        let responder = quire.responder
        let oracle = Oracle()
        var longest = Duration.zero

        for _ in 0..<rounds {
            try disk.fill(leaving: 2 << 20)
            let taken = try writeUntilRefused(quire, library, oracle, &chance)
            #expect(taken.count > 10)

            for document in taken {
                #expect(try quire.document(document.id) == document)
                #expect(try quire.nearestChunk(to: document.chunks[0].vector, in: library) == document.chunks[0].id)
            }
            // Others take what was kept free, too: deletions have room in the log.
            try disk.fill(leaving: 0)
            let refused = try taken.prefix(taken.count / 2).filter { try delete($0, quire, oracle) != .acknowledged }
            #expect(refused.count == 0, "\(refused.count) of \(taken.count / 2) deletions were refused")
            #expect(try quire.get("/health").status == 200)

            try disk.free()
            let freed = ContinuousClock.now
            let next = document(&chance)
            try oracle.put(next) {
                try quire.waitUntil("a write is taken again") { (try? quire.put(next, in: library))?.status == 201 }
                return .acknowledged
            }
            longest = max(longest, .now - freed)
        }

        #expect(longest <= .seconds(5))
        #expect(quire.responder == responder, "nobody restarted it:\n\(quire.log)")
        try expectOracleHolds(oracle, quire, library)
        try quire.killResponder()
        try expectOracleHolds(oracle, quire, library)
        report("full disk: from free space to the first write taken, longest of \(rounds)", "\(longest.inMilliseconds) ms")
    }

    @Test("a snapshot that does not fit leaves the one before it and no trace, deletes go on, and it is taken when there is space")
    func snapshotDoesNotFit() throws {
        var chance = SplitMix(seed: seed("snapshot on a full disk", standard: 14))
        let disk = try SmallDisk(megabytes: 32, ["DISK_RESERVE_BYTES": "1048576"])
        let quire = disk.quire
        let library = try quire.createVectorLibrary()
        let responder = quire.responder
        let oracle = Oracle()
        var documents: [Oracle.Document] = []
        func add(_ count: Int) throws {
            for _ in 0..<count {
                let document = document(&chance)
                try oracle.put(document) { try #require(Oracle.Outcome(of: quire.put(document, in: library), success: 201)) }
                documents.append(document)
            }
        }
        try add(200)
        let first = try quire.post("/v1/admin/snapshots", "")
        #expect(first.status == 201)
        let bytes = try #require(first.json["bytes"]?.integer)
        try add(1)
        let before = try snapshotFiles(disk)
        #expect(before.count == 2)

        try disk.fill(leaving: bytes / 2)
        let failed = try quire.post("/v1/admin/snapshots", "")

        #expect(failed.status == 507)
        #expect(failed.json["error_type"]?.string == "InsufficientStorageError")
        #expect(try snapshotFiles(disk) == before)
        #expect(try disk.names().filter { $0.contains("tmp") } == [])
        let refused = try documents.prefix(20).filter { try delete($0, quire, oracle) != .acknowledged }
        #expect(refused.count == 0, "\(refused.count) of 20 deletions were refused")
        #expect(quire.responder == responder, "nobody restarted it:\n\(quire.log)")
        try quire.killResponder()
        try expectOracleHolds(oracle, quire, library)

        try disk.free()
        #expect(try quire.post("/v1/admin/snapshots", "").status == 201)
        try quire.killResponder()
        try expectOracleHolds(oracle, quire, library)
    }

    /// `CURRENT` and the snapshots, whole.
    private func snapshotFiles(_ disk: SmallDisk) throws -> [String: [UInt8]] {
        let names = try disk.names().filter { $0.hasSuffix(".snap") || $0 == "CURRENT" }
        return Dictionary(uniqueKeysWithValues: try names.map { ($0, try contents(of: disk.quire.dataDirectoryOfServer + "/" + $0)) })
    }

    @Test("a limit on the size of files is like a full disk: 507, and the process lives on")
    func fileSizeLimit() throws {
        var chance = SplitMix(seed: seed("limit on the size of files", standard: 15))
        // In blocks of 512 bytes.
        let quire = try QuireInstance(noModel, launcher: ["/bin/sh", "-c", #"ulimit -S -f 8192; exec "$@""#, "sh"])
        let library = try quire.createVectorLibrary()
        let responder = try #require(quire.responder)
        let oracle = Oracle()

        let taken = try writeUntilRefused(quire, library, oracle, &chance)

        #expect(taken.count > 10)
        #expect(quire.responder == responder, "nobody restarted it:\n\(quire.log)")
        try expectOracleHolds(oracle, quire, library)
        let lifting = try ChildProcess("/usr/bin/prlimit", ["--pid", "\(responder)", "--fsize=unlimited"], in: quire.directory)
        #expect(lifting.wait() == 0, "\(lifting.errors)")
        let next = document(&chance)
        try oracle.put(next) { try #require(Oracle.Outcome(of: quire.put(next, in: library), success: 201)) }
        try quire.killResponder()
        try expectOracleHolds(oracle, quire, library)
    }
}
