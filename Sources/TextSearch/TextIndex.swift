/// Finds texts by their words: for each term, which texts have it, how often and where.
///
/// A text is known by its slot, a small number that the owner gives it and may use again once the text is removed. A change shows at once, and
/// costs the words of its text times the logarithm of the number of texts (`PostingStore`). Memory is about 8 bytes a word and 5 a slot, and for
/// each distinct term some 60; what is removed is used again.
///
/// Not thread safe: the owner admits either searches together or one change.
package final class TextIndex {
    package let analyzer: Analyzer
    let options: TextOptions
    // Without the checks of exclusive access that the parts of a class have, and that each word of a text would pay for several times. Nothing
    // here hands a part of the index out while it changes.
    @exclusivity(unchecked) var dictionary = TermDictionary()
    @exclusivity(unchecked) var store = PostingStore()
    /// The slots that have a text, though it be without a term.
    package internal(set) var slots = SlotSet()
    package internal(set) var count = 0
    /// Terms of each slot's text, stop words not among them.
    var lengths: [UInt32] = []
    var totalLength = 0

    /// Scratch of changes: for each word of a text its term's number and its position, in the upper and lower half.
    @exclusivity(unchecked) private var occurrences: [UInt64] = []
    private var positionBytes: [UInt8] = []

    /// Slots are numbered in 31 bits.
    package static let maxSlots = Int(Int32.max)
    static let maxFrequency = Int(UInt16.max)

    /// - Parameter options: how texts are analysed; `k1` and `b` are those of each search.
    package init(_ options: TextOptions = TextOptions()) {
        self.options = options
        analyzer = Analyzer(options)
    }

    deinit {
        store.pool.deallocate()
    }

    /// The index as it is, for whoever reads it while this one goes on. Cost: a copy of its memory.
    package func copy() -> TextIndex {
        let copy = TextIndex(options)
        copy.store.pool.deallocate()
        copy.store.pool = store.pool.copied()
        copy.dictionary = dictionary
        (copy.slots, copy.count, copy.lengths, copy.totalLength) = (slots, count, lengths, totalLength)
        return copy
    }

    package var termCount: Int { dictionary.count }

    /// All slots that have a text are below it.
    package var slotLimit: Int { lengths.count }

    /// What the index costs.
    package var sizeInBytes: Int {
        store.pool.sizeInBytes + dictionary.sizeInBytes + lengths.capacity * MemoryLayout<UInt32>.stride + slots.sizeInBytes
    }

    /// - Parameter slot: without a text.
    package func insert(_ text: String, at slot: UInt32) {
        precondition(slot < Self.maxSlots && !slots.contains(slot), "a text is put into a slot that has none")
        while lengths.count <= slot { lengths.append(0) }
        slots.insert(slot)
        count += 1
        analyze(text) { dictionary.findOrInsert($0, &store.pool) }
        var length = 0
        forEachTermOfText { number, positions in
            let frequency = min(positions.count, Self.maxFrequency)
            length += frequency
            positionBytes.removeAll(keepingCapacity: true)
            var last: UInt32 = 0
            for occurrence in positions.prefix(frequency) {
                let position = UInt32(truncatingIfNeeded: occurrence)
                PositionBytes.append(position - last, to: &positionBytes)
                last = position
            }
            positionBytes.withUnsafeBufferPointer {
                store.insert(slot, frequency: UInt16(frequency), positions: $0, into: &dictionary[number].postings)
            }
        }
        lengths[Int(slot)] = UInt32(length)
        totalLength += length
        releaseScratch()
    }

    /// Takes a text out of its slot.
    ///
    /// - Parameter text: the one that was inserted. It is analysed again to find its terms.
    /// - Returns: false if the index did not have all of its terms in this slot, so that it was another text; the slot is free all the same.
    @discardableResult
    package func remove(_ text: String, at slot: UInt32) -> Bool {
        precondition(slots.contains(slot), "a text is removed from a slot that has one")
        slots.remove(slot)
        count -= 1
        totalLength -= Int(lengths[Int(slot)])
        lengths[Int(slot)] = 0
        var isWhole = true
        analyze(text) { term in
            let number = dictionary.find(term, store.pool)
            if number == nil { isWhole = false }
            return number
        }
        forEachTermOfText { number, _ in
            if !store.remove(slot, from: &dictionary[number].postings) { isWhole = false }
            if dictionary[number].postings.count == 0 { dictionary.remove(number, &store.pool) }
        }
        releaseScratch()
        return isWhole
    }

    /// Notes the occurrences of the terms that `number` knows, by number and position.
    private func analyze(_ text: String, _ number: (UnsafeBufferPointer<UInt8>) -> UInt32?) {
        occurrences.removeAll(keepingCapacity: true)
        var text = text
        text.withUTF8 { utf8 in
            analyzer.forEachTerm(in: utf8) { term, position in
                if let number = number(term) { occurrences.append(UInt64(number) << 32 | UInt64(position)) }
            }
        }
        occurrences.sort()
    }

    private func forEachTermOfText(_ body: (_ number: UInt32, _ occurrences: ArraySlice<UInt64>) -> Void) {
        let occurrences = occurrences
        var start = 0
        while start < occurrences.count {
            let number = occurrences[start] >> 32
            var end = start + 1
            while end < occurrences.count, occurrences[end] >> 32 == number { end += 1 }
            body(UInt32(number), occurrences[start..<end])
            start = end
        }
    }

    /// One long text shall not leave its scratch for ever.
    private func releaseScratch() {
        if occurrences.capacity > 1 << 14 { occurrences = [] }
        if positionBytes.capacity > 1 << 14 { positionBytes = [] }
    }
}
