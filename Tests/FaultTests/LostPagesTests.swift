import Glibc
import TestSupport
import Testing

/// A file system that believes to have space which the disk below it has not: a sparse image on a small tmpfs. Proves with a real kernel
/// what the simulated disk does with a simulated one: it reports a failed sync once, holds the lost pages for written, and shows them.
@Suite(
    "Faults: pages that a real file system loses", .serialized,
    .enabled("needs root, a loop device and mkfs.ext4") { LoopDisk.isAvailable })
struct LostPagesTests {
    /// Some ten kilobytes in the log.
    private func document(_ chance: inout SplitMix) -> Oracle.Document {
        var document = chance.document(chunks: 1, dimension: Load.dimension)
        document.chunks[0].text += String(repeating: ".", count: 9000)
        return document
    }

    @Test("writes are answered with 503 from the first failed sync on, and all that were acknowledged, before and after, are on the disk")
    func failedSync() throws {
        var chance = SplitMix(seed: seed("lost pages", standard: 11))
        let disk = try LoopDisk(megabytesBelow: 6)
        let library = try disk.quire.createVectorLibrary()
        var acknowledged: [Oracle.Document] = []
        func put() throws -> Int {
            let document = document(&chance)
            let status = try disk.quire.put(document, in: library).status
            if status == 201 { acknowledged.append(document) }
            return status
        }
        for _ in 1...10 { #expect(try put() == 201) }

        try disk.fill()
        var last = 201
        while last == 201, acknowledged.count < 2000 { last = try put() }
        #expect(last == 503)
        let before = acknowledged.count
        for _ in 1...20 { _ = try put() }
        try disk.free()
        disk.quire.signalServer(SIGHUP)
        try disk.quire.waitUntilReady()
        for _ in 1...5 { #expect(try put() == 201) }
        #expect(disk.quire.log.contains("exit code 70: its storage failed"))

        // What the page cache alone has goes; the next responder reads what the disk has.
        try disk.dropCaches()
        try disk.quire.killResponder(restartingAtOnce: true)
        var missing = 0
        for document in acknowledged where try disk.quire.document(document.id) != document { missing += 1 }
        #expect(missing == 0)
        report("acknowledged documents on a file system that lost pages, missing", "\(missing) of \(acknowledged.count)")
        #expect(before > 10)
    }

    @Test("a server that asks again after a failed sync, and believes the answer, has lost what it then acknowledges")
    func plantedBug() throws {
        var chance = SplitMix(seed: 12)
        let disk = try LoopDisk(megabytesBelow: 6, faults: ["fdatasync * * retry 1", "fsync * * retry 1"])
        let library = try disk.quire.createVectorLibrary()
        var acknowledged: [Oracle.Document] = []
        try disk.fill()
        // More than the log has space for that is not lost.
        while acknowledged.count < 500, case let next = document(&chance), try disk.quire.put(next, in: library).status == 201 {
            acknowledged.append(next)
        }
        #expect(acknowledged.count == 500)

        try disk.dropCaches()

        let found = try disk.documentsOnDisk()
        let missing = acknowledged.count { !found.contains($0.id) }
        #expect(missing > 100, "\(missing) of \(acknowledged.count)")
    }
}
