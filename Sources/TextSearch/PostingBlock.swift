import Glibc

/// Up to 128 postings of one term, by ascending slot, as they lie in a piece of the pool.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | count u32 | n |
/// | 4 | position bytes u32 | |
/// | 8 | slots | n × u32 |
/// | 8 + 4n | frequencies | n × u16: how often the slot's text has the term; more count as 65,535 |
/// | 8 + 6n | positions | for each posting as many numbers as its frequency says, ascending: each as the distance from the last one, LEB128 |
///
/// A view on memory that others own: good until the pool allocates.
struct PostingBlock {
    static let maxCount = 128
    /// A block with more bytes than this takes no further posting, unless it has only one.
    static let maxBytes = 4096

    let memory: UnsafeMutableRawPointer

    static func bytes(count: Int, positionBytes: Int) -> Int { 8 + 6 * count + positionBytes }

    var count: Int { Int(memory.load(as: UInt32.self)) }
    var positionBytes: Int { Int(memory.load(fromByteOffset: 4, as: UInt32.self)) }
    var bytes: Int { Self.bytes(count: count, positionBytes: positionBytes) }

    // Pieces of the pool start at multiples of 16 bytes, and the numbers before each of these are of even count: all are aligned.
    var slots: UnsafeMutablePointer<UInt32> { (memory + 8).assumingMemoryBound(to: UInt32.self) }
    var frequencies: UnsafeMutablePointer<UInt16> { (memory + 8 + 4 * count).assumingMemoryBound(to: UInt16.self) }
    var positions: UnsafeMutablePointer<UInt8> { (memory + 8 + 6 * count).assumingMemoryBound(to: UInt8.self) }

    var lastSlot: UInt32 { slots[count - 1] }

    func setHeader(count: Int, positionBytes: Int) {
        memory.storeBytes(of: UInt32(count), as: UInt32.self)
        memory.storeBytes(of: UInt32(positionBytes), toByteOffset: 4, as: UInt32.self)
    }

    /// Where `slot` is, or would be put.
    func index(of slot: UInt32) -> Int {
        let slots = slots
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if slots[middle] < slot { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Where the positions of posting `index` begin, in bytes from `positions` on.
    func positionOffset(of index: Int) -> Int {
        guard index < count else { return positionBytes }
        var numbers = 0
        for earlier in 0..<index { numbers += Int(frequencies[earlier]) }
        return PositionBytes.skip(numbers, in: positions)
    }

    /// Writes this block with one more posting to `target`, which may be this block's own memory, if it has the room.
    func write(
        to target: UnsafeMutableRawPointer, inserting slot: UInt32, frequency: UInt16, positions added: UnsafeBufferPointer<UInt8>,
        at index: Int
    ) {
        let (count, size, offset) = (count, positionBytes, positionOffset(of: index))
        // From the end: in place, nothing is written over before it has moved.
        memmove(target + 14 + 6 * count + offset + added.count, memory + 8 + 6 * count + offset, size - offset)
        memmove(target + 14 + 6 * count, memory + 8 + 6 * count, offset)
        memmove(target + 14 + 4 * count + 2 * index, memory + 8 + 4 * count + 2 * index, 2 * (count - index))
        memmove(target + 12 + 4 * count, memory + 8 + 4 * count, 2 * index)
        memmove(target + 12 + 4 * index, memory + 8 + 4 * index, 4 * (count - index))
        if target != memory { memcpy(target + 8, memory + 8, 4 * index) }
        let block = PostingBlock(memory: target)
        block.setHeader(count: count + 1, positionBytes: size + added.count)
        block.slots[index] = slot
        block.frequencies[index] = frequency
        if let source = added.baseAddress { memcpy(block.positions + offset, source, added.count) }
    }

    /// Writes this block without one of its postings to `target`, which may be this block's own memory.
    func write(to target: UnsafeMutableRawPointer, removing index: Int) {
        let (count, size, start, end) = (count, positionBytes, positionOffset(of: index), positionOffset(of: index + 1))
        if target != memory { memcpy(target + 8, memory + 8, 4 * index) }
        memmove(target + 8 + 4 * index, memory + 12 + 4 * index, 4 * (count - index - 1))
        memmove(target + 4 + 4 * count, memory + 8 + 4 * count, 2 * index)
        memmove(target + 4 + 4 * count + 2 * index, memory + 10 + 4 * count + 2 * index, 2 * (count - index - 1))
        memmove(target + 2 + 6 * count, memory + 8 + 6 * count, start)
        memmove(target + 2 + 6 * count + start, memory + 8 + 6 * count + end, size - end)
        PostingBlock(memory: target).setHeader(count: count - 1, positionBytes: size - (end - start))
    }

    /// Copies a part of `source` behind the postings and position bytes that are already written to this block, whose final counts are known.
    func fill(from source: PostingBlock, _ range: Range<Int>, at index: Int, positionOffset: Int) {
        let start = source.positionOffset(of: range.lowerBound)
        memcpy(slots + index, source.slots + range.lowerBound, 4 * range.count)
        memcpy(frequencies + index, source.frequencies + range.lowerBound, 2 * range.count)
        memcpy(positions + positionOffset, source.positions + start, source.positionOffset(of: range.upperBound) - start)
    }
}

/// Ascending positions as the distances between them, LEB128: seven bits a byte, lowest first, the highest bit set but in the last.
enum PositionBytes {
    static func append(_ distance: UInt32, to bytes: inout [UInt8]) {
        var rest = distance
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Bytes that `count` numbers take.
    static func skip(_ count: Int, in bytes: UnsafePointer<UInt8>) -> Int {
        var offset = 0
        for _ in 0..<count {
            while bytes[offset] & 0x80 != 0 { offset += 1 }
            offset += 1
        }
        return offset
    }

    /// Reads a number and moves on.
    @inline(__always)
    static func next(_ bytes: inout UnsafePointer<UInt8>) -> UInt32 {
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while true {
            let byte = bytes.pointee
            bytes += 1
            value |= UInt32(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
    }
}
