import Locks

/// The vectors of the queries that were asked last, so that a question that is asked again costs nothing.
///
/// Bounded by the memory it takes; what was not asked for the longest time goes first. Looking up and adding take constant time.
// Sound as Sendable: everything that changes is read and written under `lock`.
package final class QueryCache: @unchecked Sendable {
    /// What an entry takes besides its text (which is there once) and its vector: the headers of both, its slot, its place in the table.
    static let overhead = 192

    /// Compared by bytes: Swift takes an accent and a letter for the same as the letter with its accent, models do not.
    private struct Key: Hashable {
        let model: String
        let text: String

        static func == (a: Key, b: Key) -> Bool { a.model == b.model && a.text.utf8.elementsEqual(b.text.utf8) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }

    /// An entry in the list from the newest to the oldest; -1 is no slot.
    private struct Slot {
        var key: Key
        var vector: [Float]
        var newer: Int
        var older: Int
    }

    private let limit: Int
    private let lock = Lock()
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var places: [Key: Int] = [:]
    private var newest = -1
    private var oldest = -1
    private var bytes = 0
    private var hits = 0
    private var misses = 0

    /// - Parameter limit: in bytes; 0 keeps nothing.
    package init(limit: Int) {
        self.limit = limit
    }

    /// How many entries there are, and what they take.
    package var size: (count: Int, bytes: Int) { lock.withLock { (places.count, bytes) } }

    /// How many look-ups found a vector, and how many did not.
    package var lookUps: (hits: Int, misses: Int) { lock.withLock { (hits, misses) } }

    package func vector(of text: String, model: String) -> [Float]? {
        lock.withLock {
            guard let slot = places[Key(model: model, text: text)] else {
                misses += 1
                return nil
            }
            hits += 1
            unlink(slot)
            linkAsNewest(slot)
            return slots[slot].vector
        }
    }

    /// Keeps a vector; one that is larger than the whole cache is not kept.
    package func add(_ vector: [Float], of text: String, model: String) {
        let key = Key(model: model, text: text)
        let added = Self.bytes(text, vector)
        guard added <= limit else { return }
        lock.withLock {
            if let slot = places[key] { remove(slot) }
            while bytes + added > limit { remove(oldest) }
            let slot = freeSlots.popLast() ?? slots.count
            let entry = Slot(key: key, vector: vector, newer: -1, older: -1)
            if slot == slots.count { slots.append(entry) } else { slots[slot] = entry }
            places[key] = slot
            linkAsNewest(slot)
            bytes += added
        }
    }

    /// Forgets what a model has made.
    package func removeAll(of model: String) {
        lock.withLock {
            for (key, slot) in places where key.model == model { remove(slot) }
        }
    }

    private static func bytes(_ text: String, _ vector: [Float]) -> Int { overhead + text.utf8.count + 4 * vector.count }

    private func remove(_ slot: Int) {
        unlink(slot)
        bytes -= Self.bytes(slots[slot].key.text, slots[slot].vector)
        places[slots[slot].key] = nil
        slots[slot] = Slot(key: Key(model: "", text: ""), vector: [], newer: -1, older: -1)
        freeSlots.append(slot)
    }

    private func unlink(_ slot: Int) {
        let (newer, older) = (slots[slot].newer, slots[slot].older)
        if newer < 0 { newest = older } else { slots[newer].older = older }
        if older < 0 { oldest = newer } else { slots[older].newer = newer }
    }

    private func linkAsNewest(_ slot: Int) {
        slots[slot].newer = -1
        slots[slot].older = newest
        if newest < 0 { oldest = slot } else { slots[newest].newer = slot }
        newest = slot
    }
}
