/// A set of slots, one bit each: what a filter admits, what a phrase is in.
///
/// Slots are dense small numbers, so the set is a row of 64-bit words; it grows with the largest slot that was inserted, an eighth of a byte a
/// slot. Union, intersection and difference go word by word, in loops that the compiler makes vector instructions of. Zeros at the end mean
/// nothing: sets are equal if they have the same slots.
package struct SlotSet: Sendable {
    /// Bit i of word n stands for slot 64 n + i.
    package private(set) var words: [UInt64] = []

    package init() {}

    package init(words: [UInt64]) { self.words = words }

    package init(_ slots: some Sequence<UInt32>) {
        for slot in slots { insert(slot) }
    }

    /// All slots of a range.
    package init(_ slots: Range<UInt32>) {
        guard !slots.isEmpty else { return }
        words = [UInt64](repeating: .max, count: (Int(slots.upperBound) + 63) / 64)
        for word in 0..<Int(slots.lowerBound / 64) { words[word] = 0 }
        words[Int(slots.lowerBound / 64)] &= .max << UInt64(slots.lowerBound % 64)
        words[words.count - 1] &= .max >> UInt64((64 - slots.upperBound % 64) % 64)
    }

    package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// Counted word by word.
    package var count: Int { words.reduce(0) { $0 &+ $1.nonzeroBitCount } }

    package var sizeInBytes: Int { words.capacity * MemoryLayout<UInt64>.stride }

    @inline(__always)
    package func contains(_ slot: UInt32) -> Bool {
        let word = Int(slot >> 6)
        return word < words.count && words[word] >> UInt64(slot & 63) & 1 != 0
    }

    @inline(__always)
    package mutating func insert(_ slot: UInt32) {
        let word = Int(slot >> 6)
        if word >= words.count { grow(to: word + 1) }
        words[word] |= 1 << UInt64(slot & 63)
    }

    /// In any order. For many slots several times as fast as one after the other.
    package mutating func insert(contentsOf slots: Span<UInt32>) {
        var last: UInt32 = 0
        for index in slots.indices { last = max(last, slots[index]) }
        if !slots.isEmpty, Int(last >> 6) >= words.count { grow(to: Int(last >> 6) + 1) }
        // Every slot has its word by now.
        words.withUnsafeMutableBufferPointer { words in
            guard let words = words.baseAddress else { return }
            for index in slots.indices {
                let slot = slots[index]
                words[Int(slot >> 6)] |= 1 << UInt64(slot & 63)
            }
        }
    }

    @inline(__always)
    package mutating func remove(_ slot: UInt32) {
        let word = Int(slot >> 6)
        guard word < words.count else { return }
        words[word] &= ~(1 << UInt64(slot & 63))
    }

    /// Keeps the memory.
    package mutating func removeAll() {
        for word in words.indices { words[word] = 0 }
    }

    /// Makes room for slots below `limit`.
    package mutating func reserve(_ limit: UInt32) {
        words.reserveCapacity((Int(limit) + 63) / 64)
    }

    @inline(never)
    private mutating func grow(to count: Int) {
        words.append(contentsOf: repeatElement(0, count: count - words.count))
    }

    // MARK: Sets with sets

    package mutating func formUnion(_ other: SlotSet) {
        if words.count < other.words.count { grow(to: other.words.count) }
        combine(other) { $0 | $1 }
    }

    package mutating func formIntersection(_ other: SlotSet) {
        if words.count > other.words.count { words.removeSubrange(other.words.count...) }
        combine(other) { $0 & $1 }
    }

    package mutating func subtract(_ other: SlotSet) {
        combine(other) { $0 & ~$1 }
    }

    package func union(_ other: SlotSet) -> SlotSet {
        var result = self
        result.formUnion(other)
        return result
    }

    package func intersection(_ other: SlotSet) -> SlotSet {
        var result = words.count <= other.words.count ? self : other
        result.formIntersection(words.count <= other.words.count ? other : self)
        return result
    }

    package func subtracting(_ other: SlotSet) -> SlotSet {
        var result = self
        result.subtract(other)
        return result
    }

    package func isDisjoint(with other: SlotSet) -> Bool {
        zip(words, other.words).allSatisfy { $0 & $1 == 0 }
    }

    package func isSubset(of other: SlotSet) -> Bool {
        words.indices.allSatisfy { words[$0] & ~($0 < other.words.count ? other.words[$0] : 0) == 0 }
    }

    @inline(__always)
    private mutating func combine(_ other: SlotSet, _ operation: (UInt64, UInt64) -> UInt64) {
        let count = min(words.count, other.words.count)
        // Both buffers have at least `count` words. Through pointers, since checks of bounds keep the loop from being vectorised.
        words.withUnsafeMutableBufferPointer { words in
            other.words.withUnsafeBufferPointer { other in
                guard let words = words.baseAddress, let other = other.baseAddress else { return }
                for index in 0..<count { words[index] = operation(words[index], other[index]) }
            }
        }
    }

    // MARK: In order

    package var first: UInt32? { first(from: 0) }

    /// The smallest slot that is not smaller than `start`.
    package func first(from start: UInt32) -> UInt32? {
        var index = Int(start >> 6)
        guard index < words.count else { return nil }
        var word = words[index] & (.max << UInt64(start & 63))
        while word == 0 {
            index += 1
            guard index < words.count else { return nil }
            word = words[index]
        }
        return UInt32(index * 64 + word.trailingZeroBitCount)
    }

    /// Ascending.
    @inline(__always)
    package func forEach<Failure: Error>(_ body: (UInt32) throws(Failure) -> Void) throws(Failure) {
        for index in words.indices {
            var rest = words[index]
            while rest != 0 {
                try body(UInt32(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
    }

    /// Up to `limit` slots, ascending.
    package func prefix(_ limit: Int) -> [UInt32] {
        var slots: [UInt32] = []
        var next = first
        while slots.count < limit, let slot = next {
            slots.append(slot)
            next = slot < .max ? first(from: slot + 1) : nil
        }
        return slots
    }
}

extension SlotSet: Equatable {
    package static func == (left: SlotSet, right: SlotSet) -> Bool {
        let (short, long) = left.words.count <= right.words.count ? (left.words, right.words) : (right.words, left.words)
        return long[..<short.count].elementsEqual(short) && long[short.count...].allSatisfy { $0 == 0 }
    }
}

extension SlotSet: ExpressibleByArrayLiteral {
    package init(arrayLiteral slots: UInt32...) { self.init(slots) }
}
