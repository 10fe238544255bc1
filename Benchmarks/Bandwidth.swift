import CBenchmarks
import Glibc

/// How fast one thread can read memory, and do nothing else: what a scan is bounded by.
///
/// The buffer is as large as what is scanned, and passes over it are made between the scans: caches may hold a part of it, and
/// other users of a machine take from its bandwidth as they come and go.
final class Bandwidth {
    private let bytes: Int
    private let memory: UnsafeMutableRawPointer
    /// By way of reading, the time of each pass.
    private var passes: [[Duration]]

    private static let hugePages: Int32 = 14

    /// - Parameter bytes: what one scan reads.
    init(bytes: Int) {
        self.bytes = (bytes + 255) & ~255
        memory = mmap(nil, self.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        precondition(memory != MAP_FAILED, "there is memory for a second copy of the vectors")
        madvise(memory, self.bytes, Self.hugePages)
        memset(memory, 1, self.bytes)
        passes = Array(repeating: [], count: 4)
    }

    deinit {
        munmap(memory, bytes)
    }

    /// Reads the buffer in each of four ways: glibc's `memchr`, which looks for a byte that is not there in the widest
    /// instructions that the processor knows, a sum along four streams, and a sum that asks for memory 4 and 12 KiB ahead.
    func measure() {
        let clock = ContinuousClock()
        for _ in 0..<3 {
            passes[0].append(clock.measure { precondition(memchr(memory, 2, bytes) == nil, "no byte is 2") })
            passes[1].append(clock.measure { precondition(quire_stream_four(memory, bytes) & 1 == 0, "an even count of equal numbers") })
            for (way, ahead) in [(2, 4096), (3, 12_288)] {
                passes[way].append(
                    clock.measure { precondition(quire_stream(memory, bytes, ahead) & 1 == 0, "an even count of equal numbers") })
            }
        }
    }

    /// The median pass of the fastest way.
    var bytesPerNanosecond: Double {
        let medians = passes.map { $0.sorted()[$0.count / 2] }
        return Double(bytes) / (medians.min()! / .nanoseconds(1))
    }
}
