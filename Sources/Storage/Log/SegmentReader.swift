/// Reads a segment from front to back through a window of 1 MiB, larger only for a larger record: a log of any size is read with
/// little memory and few calls. Not mapped: a failing disk answers with an errno here, and with a signal there.
final class SegmentReader {
    let path: String
    let size: UInt64
    private let file: any File
    private var window: UnsafeMutableRawBufferPointer
    private var windowStart: UInt64 = 0
    private var windowCount = 0

    private static let windowLength = 1 << 20

    init(_ path: String, fileSystem: any FileSystem) throws(StorageError) {
        self.path = path
        file = try fileSystem.open(path, for: .reading)
        size = try file.size()
        window = .allocate(byteCount: Self.windowLength, alignment: 8)
    }

    deinit {
        window.deallocate()
    }

    func close() throws(StorageError) {
        try file.close()
    }

    /// Up to `count` bytes from `offset`, fewer only at the end of the file. They stay valid until the next call.
    func bytes(at offset: UInt64, count: Int) throws(StorageError) -> UnsafeRawBufferPointer {
        let available = Int(min(UInt64(count), size - min(offset, size)))
        if offset < windowStart || offset + UInt64(available) > windowStart + UInt64(windowCount) {
            try fill(from: offset, atLeast: available)
        }
        let start = Int(offset - windowStart)
        return UnsafeRawBufferPointer(rebasing: window[start..<(start + available)])
    }

    /// Whether nothing but zeros stands from `offset` to the end of the file.
    func isZero(from offset: UInt64) throws(StorageError) -> Bool {
        var position = offset
        while position < size {
            let chunk = try bytes(at: position, count: Self.windowLength)
            guard chunk.isZero else { return false }
            position += UInt64(chunk.count)
        }
        return true
    }

    /// The offset after the last byte that is not zero, at least `start`.
    func endOfContent(from start: UInt64) throws(StorageError) -> UInt64 {
        // Blocks of zeros go by at the speed of `isZero`; ever smaller ones find the last byte that is none.
        var end = max(start, size)
        for step in [Self.windowLength, 4096, 64, 1] {
            while end > start {
                let count = Int(min(UInt64(step), end - start))
                guard try bytes(at: end - UInt64(count), count: count).isZero else { break }
                end -= UInt64(count)
            }
        }
        return end
    }

    private func fill(from offset: UInt64, atLeast needed: Int) throws(StorageError) {
        if needed > window.count {
            window.deallocate()
            window = .allocate(byteCount: needed, alignment: 8)
        }
        windowStart = offset
        // Nothing is in the window until the read has succeeded.
        windowCount = 0
        let count = Int(min(UInt64(window.count), size - min(offset, size)))
        try file.readFully(into: UnsafeMutableRawBufferPointer(rebasing: window[..<count]), at: offset)
        windowCount = count
    }
}
