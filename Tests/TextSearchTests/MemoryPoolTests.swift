import TestSupport
import Testing

@testable import TextSearch

@Suite("Pool of memory")
struct MemoryPoolTests {
    @Test("has sizes that fit every number of bytes, wasting at most a fifth beyond the smallest")
    func sizesFit() {
        for bytes in Array(1..<5000) + [1 << 20, 1 << 20 + 1, 1 << 34] {
            let sizeClass = MemoryPool.sizeClass(of: bytes)
            #expect(MemoryPool.size(of: sizeClass) >= bytes)
            #expect(sizeClass == 0 || MemoryPool.size(of: sizeClass - 1) < bytes)
            #expect((MemoryPool.size(of: sizeClass) - 15) * 4 <= bytes * 5 || bytes < 64)
        }
    }

    @Test("gives out pieces that do not overlap, and uses them again")
    func piecesAreApart() {
        let seed: UInt64 = 91
        var random = SplitMix(seed: seed)
        var pool = MemoryPool()
        defer { pool.deallocate() }
        var pieces: [(reference: MemoryPool.Reference, bytes: Int, mark: UInt8)] = []
        var sizes: [Int] = []
        for round in 0..<4 {
            for step in 0..<3000 {
                if pieces.count < 500 || Bool.random(using: &random) && round % 2 == 0 {
                    let bytes = Int.random(in: 1...1 << Int.random(in: 0...10, using: &random), using: &random)
                    let reference = pool.allocate(bytes)
                    #expect(reference != 0)
                    let mark = UInt8(truncatingIfNeeded: step)
                    pool.pointer(reference).initializeMemory(as: UInt8.self, repeating: mark, count: bytes)
                    pieces.append((reference, bytes, mark))
                } else {
                    let piece = pieces.remove(at: Int.random(in: 0..<pieces.count, using: &random))
                    let bytes = UnsafeRawBufferPointer(start: pool.pointer(piece.reference), count: piece.bytes)
                    #expect(bytes.allSatisfy { $0 == piece.mark }, "seed \(seed)")
                    pool.deallocate(piece.reference, bytes: piece.bytes)
                }
            }
            sizes.append(pool.sizeInBytes)
        }
        for piece in pieces { pool.deallocate(piece.reference, bytes: piece.bytes) }
        #expect(pool.bytesInUse == 0 && sizes[3] < sizes[0] * 3)
    }
}
