/// Goes through the postings of a term by ascending slot.
///
/// Good as long as the store does not change.
struct PostingCursor {
    /// Of the posting it is at; `UInt32.max` behind the last one.
    private(set) var slot: UInt32
    /// Of all postings of the term.
    let count: Int

    private let pool: UnsafeMutableRawPointer
    /// The blocks; nil where there is only one.
    private let directory: UnsafePointer<DirectoryEntry>?
    private let blockCount: Int

    private var blockNumber = 0
    private var block: PostingBlock
    private var slots: UnsafePointer<UInt32>
    private var countInBlock: Int
    private var index = 0
    /// The posting up to which positions were read, and how many bytes these took.
    private var (positionIndex, positionOffset) = (0, 0)

    /// - Parameter list: not empty.
    init(_ list: PostingList, in store: PostingStore) {
        count = Int(list.count)
        pool = store.pool.base
        blockCount = Int(list.blockCount)
        directory = list.blockCount > 1 ? UnsafePointer(store.directory(list)) : nil
        block = store.block(store.reference(of: 0, in: list))
        slots = UnsafePointer(block.slots)
        countInBlock = block.count
        slot = slots[0]
    }

    var isAtEnd: Bool { slot == .max }

    /// Moves to the first posting at `wanted` or behind it, never back.
    mutating func seek(to wanted: UInt32) {
        guard slot < wanted, !isAtEnd else { return }
        if slots[countInBlock - 1] < wanted {
            guard let directory else { return end() }
            var (low, high) = (blockNumber + 1, blockCount)
            while low < high {
                let middle = (low + high) / 2
                if directory[middle].lastSlot < wanted { low = middle + 1 } else { high = middle }
            }
            guard low < blockCount else { return end() }
            enter(low)
        }
        index = lowerBound(wanted)
        slot = slots[index]
    }

    /// The first posting of this block, from the current one on, that is not before `wanted`; the block's count if there is none.
    private func lowerBound(_ wanted: UInt32) -> Int {
        var (low, high) = (index, countInBlock)
        while low < high {
            let middle = (low + high) / 2
            if slots[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func enter(_ number: Int) {
        blockNumber = number
        // Only a list with a directory has a second block.
        let reference = directory.unsafelyUnwrapped[number].block
        block = PostingBlock(memory: pool + Int(reference) * 16)
        slots = UnsafePointer(block.slots)
        countInBlock = block.count
        (index, positionIndex, positionOffset) = (0, 0, 0)
        slot = slots[0]
    }

    private mutating func end() {
        slot = .max
    }

    /// What the current posting adds to the score of its slot.
    @inline(__always)
    func score(_ weight: TermWeight, length: UInt32) -> Float {
        weight.score(frequency: block.frequencies[index], length: length)
    }

    /// Adds the scores of all postings up to `limit`, and moves behind them.
    ///
    /// - Parameters:
    ///   - lengths: by slot.
    ///   - window: where the score of slot `start` is added to, and of those behind it.
    ///   - touched: a bit for each slot of the window, set for those that have the term.
    /// - Returns: how many postings that were.
    mutating func addScores(
        upTo limit: UInt32, _ weight: TermWeight, lengths: UnsafePointer<UInt32>, window: UnsafeMutablePointer<Float>, from start: UInt32,
        touched: UnsafeMutablePointer<UInt64>
    ) -> Int {
        var scored = 0
        while slot < limit {
            let last = slots[countInBlock - 1] < limit ? countInBlock : lowerBound(limit)
            let (slots, frequencies) = (slots, block.frequencies)
            for index in index..<last {
                let slot = slots[index]
                let place = Int(slot &- start)
                window[place] += weight.score(frequency: frequencies[index], length: lengths[Int(slot)])
                touched[place >> 6] |= 1 << UInt64(place & 63)
            }
            scored += last - index
            index = last
            if last < countInBlock {
                slot = slots[last]
            } else if blockNumber + 1 < blockCount {
                enter(blockNumber + 1)
            } else {
                end()
            }
        }
        return scored
    }

    /// The positions of the term in the text of the current slot, each less `offset`; those before `offset` are left out.
    mutating func readPositions(lessOffset offset: UInt32, into positions: inout [UInt32]) {
        positions.removeAll(keepingCapacity: true)
        let frequencies = block.frequencies
        var numbers = 0
        for earlier in positionIndex..<index { numbers += Int(frequencies[earlier]) }
        positionOffset += PositionBytes.skip(numbers, in: block.positions + positionOffset)
        positionIndex = index
        var bytes = UnsafePointer(block.positions + positionOffset)
        var position: UInt32 = 0
        for _ in 0..<frequencies[index] {
            position &+= PositionBytes.next(&bytes)
            if position >= offset { positions.append(position - offset) }
        }
    }
}
