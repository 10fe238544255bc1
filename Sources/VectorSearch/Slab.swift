import Glibc

/// A piece of memory with the vectors of consecutive rows and what is kept beside each of them. It never moves.
///
/// The owner deallocates it; a slab is only a handful of pointers into one allocation.
struct Slab {
    let capacity: Int
    let sizeInBytes: Int
    /// `capacity` rows, `stride` floats apart, starting on a cache line.
    let vectors: UnsafeMutablePointer<Float>
    /// 1/norm of each vector; 0 where the metric does not need it.
    let inverseNorms: UnsafeMutablePointer<Float>
    /// 0 for a row that is free.
    let referenceCounts: UnsafeMutablePointer<UInt32>
    /// The hash of each vector; for a free row, the next free row.
    let hashes: UnsafeMutablePointer<UInt32>

    private let memory: UnsafeMutableRawPointer

    /// From this size on, slabs are mapped: they take memory page by page as rows are written and give it back at once.
    /// Smaller ones come from `malloc`, since a server may have thousands of small libraries.
    private static let smallestMapping = 256 << 10

    init(capacity: Int, stride: Int) {
        self.capacity = capacity
        let vectorBytes = capacity * stride * MemoryLayout<Float>.stride
        let columnBytes = capacity * MemoryLayout<UInt32>.stride
        sizeInBytes = vectorBytes + 3 * columnBytes
        memory = Self.allocate(sizeInBytes)

        vectors = memory.bindMemory(to: Float.self, capacity: capacity * stride)
        inverseNorms = (memory + vectorBytes).bindMemory(to: Float.self, capacity: capacity)
        referenceCounts = (memory + vectorBytes + columnBytes).bindMemory(to: UInt32.self, capacity: capacity)
        hashes = (memory + vectorBytes + 2 * columnBytes).bindMemory(to: UInt32.self, capacity: capacity)
    }

    /// Zeroed memory that starts on a cache line.
    private static func allocate(_ size: Int) -> UnsafeMutableRawPointer {
        if size >= smallestMapping {
            let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            precondition(memory != MAP_FAILED, "no memory for \(size) bytes of vectors")
            return memory!
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        return memory
    }

    func deallocate() {
        if sizeInBytes >= Self.smallestMapping {
            munmap(memory, sizeInBytes)
        } else {
            memory.deallocate()
        }
    }
}
