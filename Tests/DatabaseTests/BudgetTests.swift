import Glibc
import Storage
import TestSupport
import Testing
import VectorSearch

@testable import Database

/// What a database may take of the machine.
struct BudgetTests {
    private let memory = Shared(0)
    private let test: TestDatabase
    private let library: LibraryID

    private static let budget = Budget(memoryBytes: 1 << 30, diskReserveBytes: 1 << 20)

    init() throws {
        let memory = memory
        test = try TestDatabase(builderThreads: 0, budget: Self.budget, memoryInUse: { memory.current })
        library = try test.database.makeLibrary()
        try test.database.fill(library, count: 100)
    }

    @Test("a change that would pass the memory budget is refused without a trace; deletions and reading go on")
    func memoryBudget() throws {
        memory.update { $0 = 1 << 30 }

        let error = DatabaseError.memoryBudgetReached(inUse: 1 << 30, budget: 1 << 30)
        #expect(throws: error) { while true { try change() } }
        let before = try test.database.dump()
        #expect(throws: error) { try test.database.put(9, in: library, []) }
        #expect(throws: error) { try test.database.makeLibrary() }
        #expect(throws: error) { try test.database.rebuildIndex(of: library) }

        #expect(try test.database.dump() == before)
        #expect(try !test.database.find([1, 0, 0, 0], in: library).isEmpty)
        try test.database.deleteDocument(.number(0))
        memory.update { $0 = 0 }
        // The reading is a little old at first.
        while (try? change()) == nil { yieldThread() }
    }

    /// A small one that ordinary changes are held to.
    private func change() throws(DatabaseError) {
        _ = try test.database.updateLibrary(library, LibraryChange(name: "another"))
    }

    @Test("what was admitted since the last reading counts, and what indexes will take for it, which is asked for once a reading")
    func toCome() throws {
        let limit = 64 << 20
        let admission = Admission(
            Budget(memoryBytes: limit), memoryInUse: { 0 }, freeDisk: { () throws(StorageError) in .max })
        var questions = 0
        func admit(_ mebibytes: Int, indexes: Int = 0, besides: Int = 0) throws {
            try admission.admit(
                bytes: mebibytes << 20,
                indexes: {
                    questions += 1
                    return indexes << 20
                }, besides: { besides << 20 })
        }
        // No reading is due before 4 MiB, and then there is nothing in use again.
        for _ in 0..<100 { try admit(1) }
        #expect(questions == 0)

        #expect(throws: DatabaseError.memoryBudgetReached(inUse: 0, budget: limit)) { try admit(50) }
        try admit(34)
        #expect(throws: DatabaseError.self) { try admit(34, indexes: 20) }
        #expect(throws: DatabaseError.self) { try admit(34, besides: 20) }
        try admit(50, besides: -20)
        let before = questions
        #expect(throws: DatabaseError.self) { try admit(34, indexes: 20) }
        for _ in 0..<3 { try admit(0, indexes: 20) }
        #expect(questions == before + 1)
    }

    @Test("rows that are free in a library are room for what comes into it")
    func freeRows() throws {
        try test.database.deleteDocument(.number(0))
        let large = try test.database.createLibrary(
            name: "large", description: nil, metric: .l2, dimension: 4096, model: LibraryRecord.externalModel,
            index: .init(.bruteForce)
        ).record.id
        func document(value: Float) -> [ChunkRecord] {
            (0..<10).map { index in
                ChunkRecord(
                    id: .random(), text: "", pageNumber: nil,
                    embedding: [Float](repeating: value + Float(index), count: 4096))
            }
        }
        try test.database.put(50, in: large, document(value: 0))
        // Room for less than half of what a document takes.
        memory.update { $0 = (1 << 30) - (100 << 10) }
        // Ends when the memory is read anew.
        #expect(throws: DatabaseError.self) {
            while true { try test.database.put(.random(in: 100...1 << 40), in: large, document(value: .random(in: 0...1e9))) }
        }

        try test.database.deleteDocument(.number(50))
        try test.database.put(51, in: large, document(value: 100))
        #expect(throws: DatabaseError.memoryBudgetReached(inUse: memory.current, budget: 1 << 30)) {
            try test.database.put(52, in: large, document(value: 200))
        }
    }

    @Test("a change that would take the disk's reserve is refused without a trace; deletions and snapshots are not")
    func diskReserve() throws {
        test.fileSystem.setFreeBytes(1 << 20)

        let error = DatabaseError.diskReserveReached(free: 1 << 20, reserve: 1 << 20)
        #expect(throws: error) { while true { try change() } }
        let before = try test.database.dump()
        #expect(throws: error) { try test.database.put(9, in: library, []) }
        #expect(throws: error) { try test.database.makeLibrary() }

        #expect(try test.database.dump() == before)
        _ = try test.database.takeSnapshot()
        try test.database.deleteDocument(.number(0))
        test.fileSystem.setFreeBytes(.max)
        try test.database.put(10, in: library, [])
    }

    @Test("a deletion goes through beside changes that find no space on the disk")
    func deletionAmongOthers() throws {
        test.fileSystem.holdSyncs()
        let first = test.pending { try $0.put(9, in: library, []) }
        test.fileSystem.waitUntilSyncIsHeld()
        // They make one batch, which finds no space.
        let change = test.pending { try $0.put(10, in: library, []) }
        let deletion = test.pending { try $0.deleteDocument(.number(0)) }
        test.fileSystem.failNextWrite(ENOSPC)
        test.fileSystem.releaseSyncs()

        _ = try first.value()
        #expect(throws: DatabaseError.self) { try change.value() }
        try deletion.value()
        try test.reopen()
        #expect(try test.database.library(library).documentCount == 1)
    }

    @Test("the memory of this process is what it has, and grows with it")
    func processMemory() {
        func growsWithIt() -> Bool {
            let before = processMemoryInUse()
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 20, alignment: 4096)
            defer { bytes.deallocate() }
            bytes.initializeMemory(as: UInt8.self, repeating: 1)
            return processMemoryInUse() - before > 32 << 20
        }

        #expect(processMemoryInUse() > 1 << 20)
        // Other tests of this process may give as much back at the same time, but not every time.
        #expect((0..<50).contains { _ in growsWithIt() })
    }
}
