import Glibc

/// Pieces of memory of any size, in one block that grows; each is known by a number of 32 bits.
///
/// A piece is a multiple of 16 bytes, of one of four sizes between a power of two and the next, so at most a fifth of it is unused. Pieces
/// that were freed are kept by size and given out again before the block grows: under churn it is as large as the most that each size ever
/// had. The block holds at most 64 GiB.
///
/// Growing moves the block: pointers into it are good until the next `allocate`. The owner deallocates it.
struct MemoryPool {
    /// The number of a piece: its place in units of 16 bytes. 0 is none.
    typealias Reference = UInt32

    private(set) var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var used = Self.unit
    /// The first free piece of each size; the next one is written at its beginning.
    private var free = [Reference](repeating: 0, count: Self.sizeClass(of: 1 << 36) + 1)
    /// Bytes of pieces given out.
    private(set) var bytesInUse = 0

    private static var unit: Int { 16 }

    init() {
        capacity = 4096
        base = malloc(capacity)!
    }

    /// Another block with the same pieces by the same numbers, and an owner of its own.
    func copied() -> MemoryPool {
        var copy = self
        // `used` bytes of this block were written to, or at least belong to pieces.
        copy.base = malloc(used)!
        copy.capacity = used
        copy.base.copyMemory(from: base, byteCount: used)
        return copy
    }

    func deallocate() {
        Glibc.free(base)
    }

    /// Bytes that were written to, at some time.
    var sizeInBytes: Int { used }

    @inline(__always)
    func pointer(_ reference: Reference) -> UnsafeMutableRawPointer {
        base + Int(reference) * Self.unit
    }

    mutating func allocate(_ bytes: Int) -> Reference {
        let sizeClass = Self.sizeClass(of: bytes)
        let size = Self.size(of: sizeClass)
        bytesInUse += size
        if free[sizeClass] != 0 {
            let reference = free[sizeClass]
            free[sizeClass] = pointer(reference).load(as: Reference.self)
            return reference
        }
        if used + size > capacity { grow(by: size) }
        defer { used += size }
        return Reference(used / Self.unit)
    }

    /// - Parameter bytes: what the piece was allocated with, or another number of the same size class.
    mutating func deallocate(_ reference: Reference, bytes: Int) {
        let sizeClass = Self.sizeClass(of: bytes)
        bytesInUse -= Self.size(of: sizeClass)
        pointer(reference).storeBytes(of: free[sizeClass], as: Reference.self)
        free[sizeClass] = reference
    }

    private mutating func grow(by size: Int) {
        // Half as much again: for large blocks the system moves pages and copies nothing, and pages that are not yet written cost nothing.
        capacity = max(used + size, capacity + capacity / 2)
        precondition(used + size <= 1 << 36, "a text index has at most 64 GiB of postings")
        let grown = realloc(base, capacity)
        precondition(grown != nil, "no memory for \(capacity) bytes")
        base = grown!
    }

    /// 1, 2, 3 and 4 units are classes 0 to 3; then 5, 6, 7, 8; 10, 12, 14, 16; 20, …
    @inline(__always)
    static func sizeClass(of bytes: Int) -> Int {
        let last = UInt64((max(bytes, 1) + unit - 1) / unit - 1)
        guard last >= 4 else { return Int(last) }
        let shift = 61 - last.leadingZeroBitCount
        return shift * 4 + Int(last >> UInt64(shift))
    }

    static func size(of sizeClass: Int) -> Int {
        guard sizeClass >= 4 else { return (sizeClass + 1) * unit }
        let shift = sizeClass / 4 - 1
        return (sizeClass % 4 + 5) << shift * unit
    }
}
