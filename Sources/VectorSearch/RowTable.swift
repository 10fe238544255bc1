/// Finds rows by the hash of their vector: open addressing with linear probing, at most three quarters full.
///
/// It holds row numbers only; whoever asks says what the hash of a row is, because the store keeps it beside the
/// vector. Removal shifts later entries back (Knuth, The Art of Computer Programming 3, 6.4, algorithm R), so there
/// are no tombstones and the cost of a look-up depends on what the table holds, not on what it has held.
struct RowTable {
    private(set) var count = 0
    private var slots: [UInt32] = []

    private static let empty = UInt32.max

    var sizeInBytes: Int { slots.count * MemoryLayout<UInt32>.stride }

    /// The row with this hash for which `isMatch` holds.
    func find(hash: UInt32, hashOf: (UInt32) -> UInt32, isMatch: (UInt32) -> Bool) -> UInt32? {
        guard !slots.isEmpty else { return nil }
        var slot = home(of: hash)
        while slots[slot] != Self.empty {
            let row = slots[slot]
            if hashOf(row) == hash && isMatch(row) { return row }
            slot = next(slot)
        }
        return nil
    }

    /// Adds a row that is not in the table.
    mutating func insert(_ row: UInt32, hashOf: (UInt32) -> UInt32) {
        if (count + 1) * 4 > slots.count * 3 {
            resize(to: max(slots.count * 2, 16), hashOf: hashOf)
        }
        place(row, hash: hashOf(row))
        count += 1
    }

    /// Removes a row that is in the table.
    mutating func remove(_ row: UInt32, hashOf: (UInt32) -> UInt32) {
        var hole = home(of: hashOf(row))
        while slots[hole] != row {
            precondition(slots[hole] != Self.empty, "a row is in the table until it is removed")
            hole = next(hole)
        }

        // An entry after the hole moves into it unless its home lies cyclically behind the hole.
        var slot = next(hole)
        while slots[slot] != Self.empty {
            let distanceFromHome = (slot &- home(of: hashOf(slots[slot]))) & (slots.count - 1)
            let distanceFromHole = (slot &- hole) & (slots.count - 1)
            if distanceFromHome >= distanceFromHole {
                slots[hole] = slots[slot]
                hole = slot
            }
            slot = next(slot)
        }
        slots[hole] = Self.empty
        count -= 1
    }

    /// Gives back what the table has grown beyond its rows.
    mutating func shrink(hashOf: (UInt32) -> UInt32) {
        var size = 16
        while count * 4 > size * 3 { size *= 2 }
        if size < slots.count { resize(to: size, hashOf: hashOf) }
    }

    private mutating func resize(to size: Int, hashOf: (UInt32) -> UInt32) {
        let old = slots
        slots = Array(repeating: Self.empty, count: size)
        for row in old where row != Self.empty {
            place(row, hash: hashOf(row))
        }
    }

    private mutating func place(_ row: UInt32, hash: UInt32) {
        var slot = home(of: hash)
        while slots[slot] != Self.empty { slot = next(slot) }
        slots[slot] = row
    }

    private func home(of hash: UInt32) -> Int { Int(hash) & (slots.count - 1) }

    private func next(_ slot: Int) -> Int { (slot + 1) & (slots.count - 1) }
}
