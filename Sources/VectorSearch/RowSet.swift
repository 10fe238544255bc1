/// A set of rows, one bit each.
package struct RowSet: Sendable {
    package private(set) var count = 0
    private(set) var words: [UInt64] = []

    package init() {}

    package init(_ rows: some Sequence<Row>) {
        for row in rows { insert(row) }
    }

    package var isEmpty: Bool { count == 0 }

    var sizeInBytes: Int { words.count * MemoryLayout<UInt64>.stride }

    package func contains(_ row: Row) -> Bool {
        bits(from: Int(row.rawValue), count: 1) != 0
    }

    package mutating func insert(_ row: Row) {
        let word = Int(row.rawValue / 64)
        let bit = UInt64(1) << (row.rawValue % 64)
        while words.count <= word { words.append(0) }
        guard words[word] & bit == 0 else { return }
        words[word] |= bit
        count += 1
    }

    package mutating func remove(_ row: Row) {
        guard contains(row) else { return }
        words[Int(row.rawValue / 64)] &= ~(UInt64(1) << (row.rawValue % 64))
        count -= 1
    }

    /// Bit i says whether the set has row `first` + i; the `count` rows lie in one aligned run of 64.
    func bits(from first: Int, count: Int) -> UInt64 {
        guard first / 64 < words.count else { return 0 }
        return words[first / 64] >> UInt64(first % 64) & (UInt64.max >> UInt64(64 - count))
    }

    package func intersection(_ other: RowSet) -> RowSet {
        var result = RowSet()
        result.words = zip(words, other.words).map { $0 & $1 }
        result.count = result.words.reduce(0) { $0 + $1.nonzeroBitCount }
        return result
    }

    package func subtracting(_ other: RowSet) -> RowSet {
        var result = RowSet()
        result.words = words
        for index in 0..<min(words.count, other.words.count) { result.words[index] &= ~other.words[index] }
        result.count = result.words.reduce(0) { $0 + $1.nonzeroBitCount }
        return result
    }

    /// Ascending.
    package func forEach(_ body: (Row) -> Void) {
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                body(Row(UInt32(index * 64 + rest.trailingZeroBitCount)))
                rest &= rest - 1
            }
        }
    }

    /// Up to `limit` rows, ascending.
    package func first(_ limit: Int) -> [Row] {
        var rows: [Row] = []
        for (index, word) in words.enumerated() where word != 0 {
            var rest = word
            while rest != 0 {
                guard rows.count < limit else { return rows }
                rows.append(Row(UInt32(index * 64 + rest.trailingZeroBitCount)))
                rest &= rest - 1
            }
        }
        return rows
    }

    /// Up to `limit` rows, descending.
    package func last(_ limit: Int) -> [Row] {
        var rows: [Row] = []
        for index in words.indices.reversed() where words[index] != 0 {
            var rest = words[index]
            while rest != 0 {
                guard rows.count < limit else { return rows }
                let bit = 63 - rest.leadingZeroBitCount
                rows.append(Row(UInt32(index * 64 + bit)))
                rest &= ~(1 << UInt64(bit))
            }
        }
        return rows
    }

    /// The set for loops that ask for single rows, for as long as `body` runs.
    func withBits<Result>(_ body: (RowBits) -> Result) -> Result {
        words.withUnsafeBufferPointer { body(RowBits(words: $0)) }
    }
}

/// A set of rows as the inner loops of a search read it.
package struct RowBits {
    let words: UnsafeBufferPointer<UInt64>

    @inline(__always)
    func contains(_ row: UInt32) -> Bool {
        let word = Int(row >> 6)
        return word < words.count && words[unchecked: word] >> UInt64(row & 63) & 1 != 0
    }

    /// Whether a set of `count` rows lies so close together that reading on is faster than going from row to row.
    func isDense(_ count: Int) -> Bool { count * 3 >= words.count * 64 }

    /// Gives the rows to `body` in lists of at most 64, ascending.
    func forEachList(_ body: (UnsafeBufferPointer<UInt32>) -> Void) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { list in
            var count = 0
            for (index, word) in words.enumerated() where word != 0 {
                var rest = word
                while rest != 0 {
                    list[count] = UInt32(index * 64 + rest.trailingZeroBitCount)
                    count += 1
                    rest &= rest - 1
                    if count == 64 {
                        body(UnsafeBufferPointer(list))
                        count = 0
                    }
                }
            }
            if count > 0 { body(UnsafeBufferPointer(rebasing: list[..<count])) }
        }
    }
}

extension UnsafeBufferPointer {
    @inline(__always)
    fileprivate subscript(unchecked index: Int) -> Element { baseAddress.unsafelyUnwrapped[index] }
}
