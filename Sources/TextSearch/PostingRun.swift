import Glibc

/// Postings of one term as they are read: by ascending slot.
struct PostingRun {
    var slots: [UInt32] = []
    var frequencies: [UInt16] = []
    /// Where the positions of each posting end, in bytes from those of the first one on.
    var positionEnds: [Int] = []

    /// Keeps the memory.
    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
        frequencies.removeAll(keepingCapacity: true)
        positionEnds.removeAll(keepingCapacity: true)
    }
}

extension PostingStore {
    /// A list in blocks that are as full as can be.
    ///
    /// - Parameters:
    ///   - run: at least one posting.
    ///   - positions: those of all postings (`PositionBytes`).
    mutating func makeList(_ run: PostingRun, positions: UnsafeBufferPointer<UInt8>) -> PostingList {
        var list = PostingList()
        var (start, offset) = (0, 0)
        while start < run.slots.count {
            let limit = min(start + PostingBlock.maxCount, run.slots.count)
            var end = start + 1
            while end < limit,
                PostingBlock.bytes(count: end + 1 - start, positionBytes: run.positionEnds[end] - offset) <= PostingBlock.maxBytes
            {
                end += 1
            }
            let (count, size) = (end - start, run.positionEnds[end - 1] - offset)
            let reference = pool.allocate(PostingBlock.bytes(count: count, positionBytes: size))
            let block = block(reference)
            block.setHeader(count: count, positionBytes: size)
            // The ranges were taken from these arrays and end within `positions`.
            run.slots.withUnsafeBufferPointer { _ = memcpy(block.slots, $0.baseAddress! + start, 4 * count) }
            run.frequencies.withUnsafeBufferPointer { _ = memcpy(block.frequencies, $0.baseAddress! + start, 2 * count) }
            memcpy(block.positions, positions.baseAddress! + offset, size)
            insertEntry(DirectoryEntry(lastSlot: run.slots[end - 1], block: reference), at: Int(list.blockCount), &list)
            list.count += UInt32(count)
            (start, offset) = (end, run.positionEnds[end - 1])
        }
        return list
    }
}
