/// A set of rows, one bit each.
struct RowSet {
    private(set) var count = 0
    private var words: [UInt64] = []

    var sizeInBytes: Int { words.count * MemoryLayout<UInt64>.stride }

    func contains(_ row: Row) -> Bool {
        bits(from: Int(row.rawValue), count: 1) != 0
    }

    mutating func insert(_ row: Row) {
        let word = Int(row.rawValue / 64)
        let bit = UInt64(1) << (row.rawValue % 64)
        while words.count <= word { words.append(0) }
        guard words[word] & bit == 0 else { return }
        words[word] |= bit
        count += 1
    }

    mutating func remove(_ row: Row) {
        guard contains(row) else { return }
        words[Int(row.rawValue / 64)] &= ~(UInt64(1) << (row.rawValue % 64))
        count -= 1
    }

    /// Bit i says whether the set has row `first` + i; the `count` rows lie in one aligned run of 64.
    func bits(from first: Int, count: Int) -> UInt64 {
        guard first / 64 < words.count else { return 0 }
        return words[first / 64] >> UInt64(first % 64) & (UInt64.max >> UInt64(64 - count))
    }
}
