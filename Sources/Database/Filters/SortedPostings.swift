import TextSearch

/// Postings by number, in its order: an array of blocks of numbers, which is a B-tree of two levels. Cost of a change: two binary
/// searches and the moving of a block.
struct SortedPostings {
    private struct Block {
        var keys: [Double]
        var postings: [Posting]
    }

    /// None is empty.
    private var blocks: [Block] = []

    /// Bytes that postings take besides their own.
    private var postingBytes = 0

    private static let blockSize = 512

    /// Bytes of memory. Cost: a look at every block.
    var sizeInBytes: Int {
        blocks.reduce(postingBytes) { bytes, block in
            bytes + block.keys.capacity * MemoryLayout<Double>.stride + block.postings.capacity * MemoryLayout<Posting>.stride
        }
    }

    mutating func insert(_ slot: UInt32, at key: Double, capacity: Int) {
        guard !blocks.isEmpty else { return blocks.append(Block(keys: [key], postings: [.one(slot)])) }
        let block = min(block(of: key), blocks.count - 1)
        let position = blocks[block].keys.firstPosition { $0 >= key }
        if position < blocks[block].keys.count, blocks[block].keys[position] == key {
            return change(block, position) { $0.insert(slot, capacity: capacity) }
        }
        blocks[block].keys.insert(key, at: position)
        blocks[block].postings.insert(.one(slot), at: position)
        if blocks[block].keys.count > Self.blockSize { split(block, isAppended: block == blocks.count - 1 && position == Self.blockSize) }
    }

    mutating func remove(_ slot: UInt32, at key: Double, capacity: Int) {
        let block = block(of: key)
        guard block < blocks.count else { return }
        let position = blocks[block].keys.firstPosition { $0 >= key }
        guard position < blocks[block].keys.count, blocks[block].keys[position] == key else { return }
        change(block, position) { $0.remove(slot, capacity: capacity) }
        guard blocks[block].postings[position].isEmpty else { return }
        blocks[block].keys.remove(at: position)
        blocks[block].postings.remove(at: position)
        if blocks[block].keys.isEmpty { blocks.remove(at: block) }
    }

    private mutating func change(_ block: Int, _ position: Int, _ body: (inout Posting) -> Void) {
        let before = blocks[block].postings[position].sizeInBytes
        body(&blocks[block].postings[position])
        postingBytes += blocks[block].postings[position].sizeInBytes - before
    }

    /// The first block whose last number is not below `key`: where it is, if it is anywhere.
    private func block(of key: Double) -> Int {
        blocks.firstPosition { $0.keys.last! >= key }
    }

    /// Numbers that come in their order, as times do, leave full blocks behind.
    private mutating func split(_ block: Int, isAppended: Bool) {
        let position = isAppended ? Self.blockSize : Self.blockSize / 2
        let rest = Block(keys: Array(blocks[block].keys[position...]), postings: Array(blocks[block].postings[position...]))
        blocks[block].keys.removeSubrange(position...)
        blocks[block].postings.removeSubrange(position...)
        blocks.insert(rest, at: block + 1)
    }

    func insertSlots(at key: Double, into result: inout SlotSet) {
        let block = block(of: key)
        guard block < blocks.count else { return }
        let position = blocks[block].keys.firstPosition { $0 >= key }
        if blocks[block].keys[position] == key { blocks[block].postings[position].insert(into: &result) }
    }

    func insertSlots(in range: FilterRange, into result: inout SlotSet) {
        guard case .numbers(let lower, let upper) = range.bounds else { return }
        // Those of numbers that one chunk has, gathered: a set takes many at once several times as fast as one after the other.
        var single: [UInt32] = []
        for block in blocks[(lower.map { block(of: $0.value) } ?? 0)...] {
            let first = lower.map { bound in block.keys.firstPosition { bound.isIncluded ? $0 >= bound.value : $0 > bound.value } } ?? 0
            let end = upper.map { bound in block.keys.firstPosition { bound.isIncluded ? $0 > bound.value : $0 >= bound.value } }
            for posting in block.postings[first..<max(first, end ?? block.keys.count)] {
                if case .one(let slot) = posting { single.append(slot) } else { posting.insert(into: &result) }
            }
            if let end, end < block.keys.count { break }
        }
        result.insert(contentsOf: single.span)
    }
}
