import TestSupport
import Testing

/// A file system that the kernel makes read-only under a running server, because it has found an error in it.
@Suite("Faults: a disk that becomes read-only", .enabled("needs root, a loop device and mkfs.ext4") { LoopDisk.isAvailable })
struct ReadOnlyDiskTests {
    @Test("writes are answered with 503 and leave no trace; reads and searches go on, without a restart")
    func readOnly() throws {
        var chance = SplitMix(seed: seed("a disk that becomes read-only", standard: 16))
        let disk = try LoopDisk(megabytesBelow: 72)
        let quire = disk.quire
        let library = try quire.createVectorLibrary()
        let responder = quire.responder
        let oracle = Oracle()
        func put(_ count: Int) throws {
            for _ in 0..<count {
                let document = chance.document(chunks: 2, dimension: Load.dimension)
                try oracle.put(document) { try #require(Oracle.Outcome(of: quire.put(document, in: library), success: 201)) }
            }
        }
        try put(20)
        #expect(try quire.post("/v1/admin/snapshots", "").status == 201)
        try put(20)

        try disk.makeReadOnly()
        let stored = oracle.allDocuments
        let victim = try #require(stored.first)
        for _ in 1...3 {
            let document = chance.document(chunks: 2, dimension: Load.dimension)
            try oracle.put(document) { refused(try quire.put(document, in: library)) }
            try oracle.delete(victim) { refused(try quire.deleteDocument(victim)) }
            _ = refused(try quire.post("/v1/libraries", #"{"name":"another","embedding_dimension":3}"#))
            _ = refused(try quire.post("/v1/admin/snapshots", ""))
        }
        for form in BulkForm.allCases {
            let reply = try quire.send(
                "POST", "/v1/libraries/\(library)/documents/\(form)",
                headers: ["Content-Type": form == .batch ? "application/json" : "application/x-ndjson"],
                body: Array(#"{"documents":[{"title":"t","chunks":[{"text":"t","embedding":[1,2,3,4,5,6,7,8]}]}]}"#.utf8))
            _ = refused(reply)
        }

        let contents = try Contents(of: quire, library: library, asking: oracle.allDocuments, searchingAll: true)
        #expect(contents.documents.count == 40)
        #expect(oracle.violations(in: contents) == [])
        #expect(try quire.get("/health").status == 200)
        #expect(quire.responder == responder, "nobody restarted it:\n\(quire.log)")
        #expect(try disk.documentsOnDisk() == stored)
    }

    private func refused(_ reply: HTTPReply) -> Oracle.Outcome {
        #expect(reply.status == 503 && reply.json["error_type"] == "UnavailableError", "\(reply.status) \(reply.text)")
        #expect(reply["retry-after"] != nil)
        return .refused
    }
}
