import CVectorKernels
import Glibc
import Locks

/// What a walk through the graph needs beside the graph, used again by one walk after the other.
///
/// Not for two walks at a time. All pointers are into memory of its own.
final class HNSWScratch {
    /// The rows that the walk has met.
    var marks = RowMarks()

    /// The candidates, nearest first, as `CandidateKey` packs them.
    private(set) var candidates: UnsafeMutablePointer<UInt64>
    private var candidateCapacity = 0

    /// Rows to be scored together and their distances. Room for the longest list and the eligible rows behind it.
    let rows: UnsafeMutablePointer<UInt32>
    let distances: UnsafeMutablePointer<Float>
    let capacity: Int

    /// For choosing links: what is chosen from, and what was chosen.
    let choices: UnsafeMutablePointer<UInt64>
    let chosen: UnsafeMutablePointer<UInt32>
    let chosenKeys: UnsafeMutablePointer<UInt64>

    /// Codes of what others are compared with: by the walk, by a row whose links are chosen, by each of the choices.
    private let queryCodes: UnsafeMutablePointer<Int8>
    private let baseCodes: UnsafeMutablePointer<Int8>
    private let rowCodes: UnsafeMutablePointer<Int8>
    private let codeLength: Int

    /// What a walk looks for, as sketches are compared with it.
    let rotated: UnsafeMutablePointer<Float>

    init(m: Int, dimension: Int) {
        capacity = max(8 * m, 512)
        candidates = .allocate(capacity: 1)
        rows = .allocate(capacity: capacity)
        distances = .allocate(capacity: capacity)
        choices = .allocate(capacity: capacity)
        chosen = .allocate(capacity: 2 * m + 1)
        chosenKeys = .allocate(capacity: 2 * m + 1)
        codeLength = (dimension + 63) & ~63
        rotated = .allocate(capacity: codeLength)
        queryCodes = .allocate(capacity: codeLength)
        baseCodes = .allocate(capacity: codeLength)
        rowCodes = .allocate(capacity: codeLength)
    }

    deinit {
        marks.deallocate()
        candidates.deallocate()
        rows.deallocate()
        distances.deallocate()
        choices.deallocate()
        chosen.deallocate()
        chosenKeys.deallocate()
        queryCodes.deallocate()
        rotated.deallocate()
        baseCodes.deallocate()
        rowCodes.deallocate()
    }

    var sizeInBytes: Int {
        marks.sizeInBytes + candidateCapacity * 8 + capacity * 16 + 7 * codeLength
    }

    /// Makes room for candidates. Those that are there are gone if that takes other memory.
    func reserve(candidateCount: Int) {
        guard candidateCount > candidateCapacity else { return }
        candidates.deallocate()
        candidateCapacity = candidateCount
        candidates = .allocate(capacity: candidateCapacity)
    }

    // MARK: Codes

    /// Scores by the codes of a query.
    func codeScorer(_ query: PreparedQuery) -> CodeScorer {
        queryCodes.withMemoryRebound(to: UInt8.self, capacity: codeLength) { unsigned in
            let coding = quire_encode(query.vector, query.store.dimension, 1, unsigned)
            for index in 0..<query.store.dimension { unsigned[index] ^= 0x80 }
            return CodeScorer(query.store, queryCodes, scale: coding.scale, sum: coding.sum, norm: coding.norm)
        }
    }

    /// Scores by the codes of a row of the store.
    func codeScorer(_ store: VectorStore, row: UInt32, for role: ScorerRole) -> CodeScorer {
        guard let table = store.codes else { preconditionFailure("codes are kept while an index uses them") }
        let codes =
            switch role {
            case .walk: queryCodes
            case .base: baseCodes
            case .choice: rowCodes
            }
        let sum = quire_sign_codes(table.codes.base + Int(row) * table.stride, store.dimension, codes)
        return CodeScorer(store, codes, scale: table.scales.base[Int(row)], sum: sum, norm: table.norms.base[Int(row)])
    }
}

/// A set of rows that is filled by one walk and emptied by the next: a bit for each row, which stay in the nearest cache, and a
/// list of those that are set, so that emptying costs what was met and not what there is.
///
/// A walk works on a copy in registers and puts it back. The owner deallocates it.
struct RowMarks {
    private var bits: UnsafeMutablePointer<UInt64>
    private var words = 0
    private var rows: UnsafeMutablePointer<UInt32>
    private var count = 0
    private var capacity = 0

    init() {
        bits = .allocate(capacity: 1)
        rows = .allocate(capacity: 1)
    }

    func deallocate() {
        bits.deallocate()
        rows.deallocate()
    }

    var sizeInBytes: Int { words * MemoryLayout<UInt64>.stride + capacity * MemoryLayout<UInt32>.stride }

    /// Makes room for rows below `rowCount`, while none is marked.
    mutating func reserve(rowCount: Int) {
        let needed = (rowCount + 63) / 64
        guard needed > words else { return }
        bits.deallocate()
        words = max(needed, words * 3 / 2)
        bits = .allocate(capacity: words)
        bits.initialize(repeating: 0, count: words)
    }

    /// Makes room for `more` calls of `mark`.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if count &+ more > capacity { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        capacity = max(1024, capacity * 2, count + more)
        let memory = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
        memory.update(from: rows, count: count)
        rows.deallocate()
        rows = memory
    }

    /// Marks a row; false if it was marked before. There is room for it.
    @inline(__always)
    mutating func mark(_ row: UInt32) -> Bool {
        let word = bits + Int(row >> 6)
        let bit = UInt64(1) &<< UInt64(row & 63)
        let before = word.pointee
        guard before & bit == 0 else { return false }
        word.pointee = before | bit
        rows[count] = row
        count &+= 1
        return true
    }

    mutating func clear() {
        for index in 0..<count { bits[Int(rows[index] >> 6)] = 0 }
        count = 0
    }
}

/// A distance, a row and whether the row's links were followed, in one number that sorts by distance, then row.
enum CandidateKey {
    static func pack(_ distance: Float, _ row: UInt32) -> UInt64 {
        let bits = distance.bitPattern
        // Orders the bits of negative floats before those of positive ones.
        let ordered = bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
        return UInt64(ordered) << 32 | UInt64(row) << 1
    }

    static func row(_ key: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: key) >> 1 }

    static func distance(_ key: UInt64) -> Float {
        let ordered = UInt32(truncatingIfNeeded: key >> 32)
        return Float(bitPattern: ordered & 0x8000_0000 != 0 ? ordered & 0x7FFF_FFFF : ~ordered)
    }

    static let followed: UInt64 = 1
}

/// Scratches that wait for a walk, as many as ran at a time.
final class HNSWScratchPool: Sendable {
    private let lock = Lock()
    // Sound: read and written under `lock`.
    nonisolated(unsafe) private var free: [HNSWScratch] = []

    /// Of those that wait.
    var sizeInBytes: Int { lock.withLock { free.reduce(0) { $0 + $1.sizeInBytes } } }

    func withScratch<Result>(for index: HNSWIndex, _ body: (HNSWScratch) -> Result) -> Result {
        let scratch = lock.withLock { free.popLast() } ?? HNSWScratch(m: index.m, dimension: index.store.dimension)
        defer {
            scratch.marks.clear()
            lock.withLock { free.append(scratch) }
        }
        scratch.marks.reserve(rowCount: index.lowerLinks.capacity / index.lowerStride)
        scratch.marks.reserve(2 * scratch.capacity)
        return body(scratch)
    }
}
