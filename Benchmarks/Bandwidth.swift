import Glibc

/// How fast one thread can read memory, and do nothing else: what a scan is bounded by.
enum Bandwidth {
    private static let passes = 11
    private static let hugePages: Int32 = 14

    /// Gigabytes a second over a buffer of `bytes`, which should be as large as what it is compared with: caches may hold a part of it.
    ///
    /// The faster of two ways, of each the median pass: from start to end with glibc's `memchr`, written in the widest
    /// instructions that the processor knows, for a byte that is not there; and a sum along four streams at once. Pages are
    /// large, as those of a store are.
    static func ofOneThread(over bytes: Int) -> Double {
        let bytes = (bytes + 255) & ~255
        let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        precondition(memory != MAP_FAILED, "there is memory for a second copy of the vectors")
        defer { munmap(memory, bytes) }
        madvise(memory, bytes, hugePages)
        memset(memory, 1, bytes)

        let clock = ContinuousClock()
        var searches: [Duration] = []
        var sums: [Duration] = []
        for _ in 0..<passes {
            searches.append(clock.measure { precondition(memchr(memory, 2, bytes) == nil, "no byte is 2") })
            sums.append(clock.measure { precondition(sum(memory, bytes) & 1 == 0, "equal numbers, an even count of them") })
        }
        let fastest = min(searches.sorted()[passes / 2], sums.sorted()[passes / 2])
        return Double(bytes) / (fastest / .nanoseconds(1))
    }

    /// Reads a quarter along each stream.
    private static func sum(_ memory: UnsafeMutableRawPointer, _ bytes: Int) -> UInt64 {
        let lines = memory.assumingMemoryBound(to: SIMD8<UInt64>.self)
        let quarter = bytes / 4 / MemoryLayout<SIMD8<UInt64>>.stride
        var sums = (SIMD8<UInt64>.zero, SIMD8<UInt64>.zero, SIMD8<UInt64>.zero, SIMD8<UInt64>.zero)
        for index in 0..<quarter {
            sums.0 &+= lines[index]
            sums.1 &+= lines[index + quarter]
            sums.2 &+= lines[index + 2 * quarter]
            sums.3 &+= lines[index + 3 * quarter]
        }
        return (sums.0 &+ sums.1 &+ sums.2 &+ sums.3).wrappedSum()
    }
}
