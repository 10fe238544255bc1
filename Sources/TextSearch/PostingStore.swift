/// Where the postings of one term are: in a block, or in several with a directory before them.
struct PostingList {
    /// Postings: how many slots have the term.
    var count: UInt32 = 0
    var blockCount: UInt32 = 0
    /// The block, if there is one; the directory, if there are more: an entry for each, by ascending slots.
    var root: MemoryPool.Reference = 0
}

/// A block in a directory.
struct DirectoryEntry {
    var lastSlot: UInt32
    var block: MemoryPool.Reference
}

/// The postings of all terms, in blocks (`PostingBlock`).
///
/// To insert or remove a posting is to find its block (binary search in the directory), and to move at most 4 KiB in it. A full block is split,
/// but at the end of a list, where a new one begins; neighbours that are half empty together become one.
struct PostingStore {
    var pool = MemoryPool()

    func block(_ reference: MemoryPool.Reference) -> PostingBlock {
        PostingBlock(memory: pool.pointer(reference))
    }

    /// The entries of a list with more than one block.
    func directory(_ list: PostingList) -> UnsafeMutablePointer<DirectoryEntry> {
        pool.pointer(list.root).assumingMemoryBound(to: DirectoryEntry.self)
    }

    func reference(of number: Int, in list: PostingList) -> MemoryPool.Reference {
        list.blockCount == 1 ? list.root : directory(list)[number].block
    }

    // MARK: Insert

    /// - Parameters:
    ///   - frequency: at least 1.
    ///   - positions: `frequency` numbers (`PositionBytes`).
    mutating func insert(_ slot: UInt32, frequency: UInt16, positions: UnsafeBufferPointer<UInt8>, into list: inout PostingList) {
        guard list.blockCount > 0 else {
            list = PostingList(count: 1, blockCount: 1, root: makeBlock(slot, frequency, positions))
            return
        }
        while true {
            var number = blockNumber(for: slot, in: list)
            var block = block(reference(of: number, in: list))
            var index = block.index(of: slot)
            if index == 0, number > 0, isFull(block, positions.count) {
                // Before a full block there may be room behind the one before.
                let previous = self.block(reference(of: number - 1, in: list))
                if !isFull(previous, positions.count) { (number, block, index) = (number - 1, previous, previous.count) }
            }
            if !isFull(block, positions.count) {
                insert(slot, frequency, positions, at: index, ofBlock: number, &list)
                break
            } else if index == 0 || index == block.count {
                let reference = makeBlock(slot, frequency, positions)
                insertEntry(DirectoryEntry(lastSlot: slot, block: reference), at: index == 0 ? number : number + 1, &list)
                break
            }
            split(number, &list)
        }
        list.count += 1
    }

    private func isFull(_ block: PostingBlock, _ added: Int) -> Bool {
        block.count == PostingBlock.maxCount
            || block.count > 1
                && PostingBlock.bytes(count: block.count + 1, positionBytes: block.positionBytes + added) > PostingBlock.maxBytes
    }

    /// The first block that ends at `slot` or behind it; else the last one.
    private func blockNumber(for slot: UInt32, in list: PostingList) -> Int {
        guard list.blockCount > 1 else { return 0 }
        let entries = directory(list)
        var (low, high) = (0, Int(list.blockCount) - 1)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].lastSlot < slot { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func makeBlock(_ slot: UInt32, _ frequency: UInt16, _ positions: UnsafeBufferPointer<UInt8>) -> MemoryPool.Reference {
        let reference = pool.allocate(PostingBlock.bytes(count: 1, positionBytes: positions.count))
        let block = block(reference)
        block.setHeader(count: 1, positionBytes: positions.count)
        block.slots[0] = slot
        block.frequencies[0] = frequency
        block.positions.update(from: positions.baseAddress!, count: positions.count)
        return reference
    }

    private mutating func insert(
        _ slot: UInt32, _ frequency: UInt16, _ positions: UnsafeBufferPointer<UInt8>, at index: Int, ofBlock number: Int,
        _ list: inout PostingList
    ) {
        var reference = reference(of: number, in: list)
        let (count, old) = (block(reference).count, block(reference).bytes)
        let new = old + 6 + positions.count
        if MemoryPool.sizeClass(of: old) == MemoryPool.sizeClass(of: new) {
            let block = block(reference)
            block.write(to: block.memory, inserting: slot, frequency: frequency, positions: positions, at: index)
        } else {
            let larger = pool.allocate(new)
            block(reference).write(to: pool.pointer(larger), inserting: slot, frequency: frequency, positions: positions, at: index)
            pool.deallocate(reference, bytes: old)
            reference = larger
        }
        setEntry(number, block: reference, lastSlot: index == count ? slot : nil, &list)
    }

    private mutating func split(_ number: Int, _ list: inout PostingList) {
        let whole = reference(of: number, in: list)
        let count = block(whole).count
        let first = makeBlock([(whole, 0..<count / 2)])
        let second = makeBlock([(whole, count / 2..<count)])
        pool.deallocate(whole, bytes: block(whole).bytes)
        setEntry(number, block: first, lastSlot: block(first).lastSlot, &list)
        insertEntry(DirectoryEntry(lastSlot: block(second).lastSlot, block: second), at: number + 1, &list)
    }

    /// A block of parts of others, in order.
    private mutating func makeBlock(_ parts: [(block: MemoryPool.Reference, range: Range<Int>)]) -> MemoryPool.Reference {
        let count = parts.reduce(0) { $0 + $1.range.count }
        let positionBytes = parts.reduce(0) { sum, part in
            let block = block(part.block)
            return sum + block.positionOffset(of: part.range.upperBound) - block.positionOffset(of: part.range.lowerBound)
        }
        let reference = pool.allocate(PostingBlock.bytes(count: count, positionBytes: positionBytes))
        let made = block(reference)
        made.setHeader(count: count, positionBytes: positionBytes)
        var (index, offset) = (0, 0)
        for part in parts {
            let source = block(part.block)
            made.fill(from: source, part.range, at: index, positionOffset: offset)
            index += part.range.count
            offset += source.positionOffset(of: part.range.upperBound) - source.positionOffset(of: part.range.lowerBound)
        }
        return reference
    }

    // MARK: Remove

    /// False if the list has no such slot.
    mutating func remove(_ slot: UInt32, from list: inout PostingList) -> Bool {
        guard list.blockCount > 0 else { return false }
        let number = blockNumber(for: slot, in: list)
        var reference = reference(of: number, in: list)
        let (count, old) = (block(reference).count, block(reference).bytes)
        let index = block(reference).index(of: slot)
        guard index < count, block(reference).slots[index] == slot else { return false }
        list.count -= 1
        if count == 1 {
            pool.deallocate(reference, bytes: old)
            removeEntry(number, &list)
            return true
        }
        let block = block(reference)
        let new = old - 6 - (block.positionOffset(of: index + 1) - block.positionOffset(of: index))
        if MemoryPool.sizeClass(of: old) == MemoryPool.sizeClass(of: new) {
            block.write(to: block.memory, removing: index)
        } else {
            let smaller = pool.allocate(new)
            self.block(reference).write(to: pool.pointer(smaller), removing: index)
            pool.deallocate(reference, bytes: old)
            reference = smaller
        }
        setEntry(number, block: reference, lastSlot: self.block(reference).lastSlot, &list)
        if count - 1 < PostingBlock.maxCount / 4 { mergeNeighbors(of: number, &list) }
        return true
    }

    private mutating func mergeNeighbors(of number: Int, _ list: inout PostingList) {
        for first in [number, number - 1] where first >= 0 && first + 1 < Int(list.blockCount) {
            let (left, right) = (reference(of: first, in: list), reference(of: first + 1, in: list))
            let (leftBlock, rightBlock) = (block(left), block(right))
            let count = leftBlock.count + rightBlock.count
            guard count <= PostingBlock.maxCount / 2, leftBlock.bytes + rightBlock.bytes <= PostingBlock.maxBytes / 2 else { continue }
            let (leftBytes, rightBytes) = (leftBlock.bytes, rightBlock.bytes)
            let merged = makeBlock([(left, 0..<leftBlock.count), (right, 0..<rightBlock.count)])
            pool.deallocate(left, bytes: leftBytes)
            pool.deallocate(right, bytes: rightBytes)
            setEntry(first, block: merged, lastSlot: block(merged).lastSlot, &list)
            removeEntry(first + 1, &list)
            return
        }
    }

    // MARK: The directory

    private func setEntry(_ number: Int, block: MemoryPool.Reference, lastSlot: UInt32?, _ list: inout PostingList) {
        guard list.blockCount > 1 else {
            list.root = block
            return
        }
        directory(list)[number].block = block
        if let lastSlot { directory(list)[number].lastSlot = lastSlot }
    }

    private static func directoryBytes(_ count: Int) -> Int { count * MemoryLayout<DirectoryEntry>.stride }

    mutating func insertEntry(_ entry: DirectoryEntry, at number: Int, _ list: inout PostingList) {
        let count = Int(list.blockCount)
        if count == 0 {
            list.root = entry.block
        } else if count == 1 {
            let only = DirectoryEntry(lastSlot: block(list.root).lastSlot, block: list.root)
            list.root = pool.allocate(Self.directoryBytes(2))
            directory(list)[1 - number] = only
            directory(list)[number] = entry
        } else {
            if MemoryPool.sizeClass(of: Self.directoryBytes(count)) != MemoryPool.sizeClass(of: Self.directoryBytes(count + 1)) {
                moveDirectory(copying: count, capacity: count + 1, &list)
            }
            let entries = directory(list)
            (entries + number + 1).update(from: entries + number, count: count - number)
            entries[number] = entry
        }
        list.blockCount += 1
    }

    /// The block itself was given back already.
    private mutating func removeEntry(_ number: Int, _ list: inout PostingList) {
        let count = Int(list.blockCount)
        list.blockCount -= 1
        guard count > 1 else {
            list.root = 0
            return
        }
        let entries = directory(list)
        if count == 2 {
            let other = entries[1 - number].block
            pool.deallocate(list.root, bytes: Self.directoryBytes(2))
            list.root = other
            return
        }
        (entries + number).update(from: entries + number + 1, count: count - number - 1)
        if MemoryPool.sizeClass(of: Self.directoryBytes(count)) != MemoryPool.sizeClass(of: Self.directoryBytes(count - 1)) {
            moveDirectory(copying: count - 1, capacity: count - 1, oldCapacity: count, &list)
        }
    }

    private mutating func moveDirectory(copying count: Int, capacity: Int, oldCapacity: Int? = nil, _ list: inout PostingList) {
        let old = list.root
        let new = pool.allocate(Self.directoryBytes(capacity))
        pool.pointer(new).copyMemory(from: pool.pointer(old), byteCount: Self.directoryBytes(count))
        pool.deallocate(old, bytes: Self.directoryBytes(oldCapacity ?? count))
        list.root = new
    }
}
