import CPlatform
import Glibc

/// Zeroed memory for numbers, in one piece from a cache line on, which grows without being copied once it is large.
///
/// Small buffers come from `malloc`, since a server may have thousands of small libraries. Larger ones are mapped: their
/// addresses are reserved far ahead and take memory page by page as they are written, growing moves page tables and not
/// bytes, and the largest ask for huge pages, without which nearly every row that a graph visits costs a page walk
/// (115,659 × 384 floats, one thread: a third more queries a second with them).
///
/// Growing may move the buffer: whoever holds a pointer into it is kept out meanwhile. The owner deallocates it.
struct GrowableBuffer<Element: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Element>
    /// Elements there is room for.
    private(set) var capacity = 0
    private var mappedBytes = 0

    private static var smallestMapping: Int { 256 << 10 }
    private static var smallestHuge: Int { 4 << 20 }
    private static var hugePage: Int { 2 << 20 }

    init() {
        // An address that nothing is read from; a buffer without capacity has no elements.
        base = UnsafeMutablePointer(bitPattern: 64)!
    }

    /// Bytes of the first `count` elements: what the buffer costs, since addresses cost nothing.
    func sizeInBytes(ofFirst count: Int) -> Int {
        mappedBytes > 0 ? count * MemoryLayout<Element>.stride : capacity * MemoryLayout<Element>.stride
    }

    /// Makes room for `count` elements; those that are new are zero.
    mutating func reserve(_ count: Int) {
        guard count > capacity else { return }
        let bytes = count * MemoryLayout<Element>.stride
        if bytes < Self.smallestMapping {
            // Growing by half keeps the copying linear.
            growSmall(to: max(bytes, min(capacity * MemoryLayout<Element>.stride * 3 / 2, Self.smallestMapping - 64)))
        } else {
            growMapped(to: max(bytes, 2 * mappedBytes))
        }
    }

    /// Gives the pages behind the first `count` elements back; what is read there next is zero. A small buffer keeps its few.
    func release(after count: Int) {
        guard mappedBytes > 0 else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = (count * MemoryLayout<Element>.stride + page - 1) / page * page
        guard start < mappedBytes else { return }
        madvise(UnsafeMutableRawPointer(base) + start, mappedBytes - start, MADV_DONTNEED)
    }

    func deallocate() {
        if mappedBytes > 0 {
            munmap(base, mappedBytes)
        } else if capacity > 0 {
            free(base)
        }
    }

    private mutating func growSmall(to wanted: Int) {
        let bytes = (wanted + 63) & ~63
        let memory = aligned_alloc(64, bytes)
        precondition(memory != nil, "no memory for \(bytes) bytes")
        let used = capacity * MemoryLayout<Element>.stride
        memcpy(memory!, base, used)
        memset(memory! + used, 0, bytes - used)
        if capacity > 0 { free(base) }
        base = memory!.bindMemory(to: Element.self, capacity: bytes / MemoryLayout<Element>.stride)
        capacity = bytes / MemoryLayout<Element>.stride
    }

    private mutating func growMapped(to wanted: Int) {
        let isHuge = wanted >= Self.smallestHuge
        let unit = isHuge ? Self.hugePage : Self.smallestMapping
        let bytes = (wanted + unit - 1) / unit * unit
        let memory = Self.map(bytes, alignment: isHuge ? Self.hugePage : 0)
        if mappedBytes > 0 {
            // The pages go to the new addresses as they are.
            precondition(quire_move_pages(base, mappedBytes, memory) == 0, "pages that are mapped can be moved")
        } else {
            memcpy(memory, base, capacity * MemoryLayout<Element>.stride)
            if capacity > 0 { free(base) }
        }
        // Fails only on a kernel without huge pages, which then has none to give.
        if isHuge { madvise(memory, bytes, MADV_HUGEPAGE) }
        base = memory.bindMemory(to: Element.self, capacity: bytes / MemoryLayout<Element>.stride)
        capacity = bytes / MemoryLayout<Element>.stride
        mappedBytes = bytes
    }

    /// Addresses for `bytes`, a multiple of `alignment` if there is one.
    private static func map(_ bytes: Int, alignment: Int) -> UnsafeMutableRawPointer {
        let memory = mmap(nil, bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        precondition(memory != MAP_FAILED, "no addresses for \(bytes) bytes")
        guard alignment > 0 else { return memory! }
        let start = UInt(bitPattern: memory!)
        let before = Int((start + UInt(alignment) - 1) / UInt(alignment) * UInt(alignment) - start)
        if before > 0 { munmap(memory, before) }
        if before < alignment { munmap(memory! + before + bytes, alignment - before) }
        return memory! + before
    }
}
