/// The buckets of some rows in every table. Immutable.
final class BucketSegment {
    let rowCount: Int
    private let tables: Int
    private let bits: Int
    /// Leading bits of a code that lead to a slot of `starts`. Fewer than all for few rows, lest most slots be empty.
    private let slotBits: Int
    /// Table after table, the rows by slot.
    let rows: [UInt32]
    /// The code of each of these; empty if the slot says it all.
    private let codes: [UInt32]
    /// Table after table, where the rows of each slot begin in the table's, and the end of the last.
    private let starts: [UInt32]

    private var slotCount: Int { 1 << slotBits }

    var sizeInBytes: Int { (rows.count + codes.count + starts.count) * MemoryLayout<UInt32>.stride }

    /// - Parameter entries: the rows and their codes by table; as many in each.
    init(bits: Int, entries: [(rows: [UInt32], codes: [UInt32])]) {
        tables = entries.count
        rowCount = entries[0].rows.count
        self.bits = bits
        slotBits = min(bits, Int.bitWidth - rowCount.leadingZeroBitCount)
        let dropped = UInt32(bits - slotBits)
        var rows = [UInt32](repeating: 0, count: tables * rowCount)
        var codes = [UInt32](repeating: 0, count: dropped > 0 ? rows.count : 0)
        var starts = [UInt32](repeating: 0, count: tables * (1 << slotBits + 1))
        for (table, entries) in entries.enumerated() {
            // A counting sort.
            let firstStart = table * (1 << slotBits + 1)
            for code in entries.codes { starts[firstStart + Int(code >> dropped) + 1] += 1 }
            for slot in 0..<(1 << slotBits) { starts[firstStart + slot + 1] += starts[firstStart + slot] }
            var next = Array(starts[firstStart..<(firstStart + 1 << slotBits)])
            for (row, code) in zip(entries.rows, entries.codes) {
                let position = table * rowCount + Int(next[Int(code >> dropped)])
                next[Int(code >> dropped)] += 1
                rows[position] = row
                if dropped > 0 { codes[position] = code }
            }
        }
        self.rows = rows
        self.codes = codes
        self.starts = starts
    }

    /// One segment of the rows of several.
    convenience init(merging segments: [BucketSegment]) {
        self.init(
            bits: segments[0].bits,
            entries: (0..<segments[0].tables).map { table in
                let entries = segments.map { $0.entries(ofTable: table) }
                return (entries.flatMap(\.rows), entries.flatMap(\.codes))
            })
    }

    /// The rows of a table in the order of slots, and their codes.
    func entries(ofTable table: Int) -> (rows: [UInt32], codes: [UInt32]) {
        let range = table * rowCount..<(table + 1) * rowCount
        guard codes.isEmpty else { return (Array(rows[range]), Array(codes[range])) }
        var slotCodes: [UInt32] = []
        slotCodes.reserveCapacity(rowCount)
        let starts = starts[table * (slotCount + 1)..<(table + 1) * (slotCount + 1)]
        for (slot, (start, end)) in zip(starts, starts.dropFirst()).enumerated() {
            for _ in start..<end { slotCodes.append(UInt32(slot)) }
        }
        return (Array(rows[range]), slotCodes)
    }

    /// The same without `forgotten`; itself if it has none of them.
    func without(_ forgotten: RowSet) -> BucketSegment {
        forgotten.withBits { forgotten in
            guard rows.prefix(rowCount).contains(where: forgotten.contains) else { return self }
            return BucketSegment(
                bits: bits,
                entries: (0..<tables).map { table in
                    let (rows, codes) = entries(ofTable: table)
                    let left = rows.indices.filter { !forgotten.contains(rows[$0]) }
                    return (left.map { rows[$0] }, left.map { codes[$0] })
                })
        }
    }

    /// Takes the rows of a bucket out of the set that has these words; rows beyond them are not in it.
    @inline(__always)
    func remove(bucket code: UInt32, ofTable table: Int, from words: UnsafeMutableBufferPointer<UInt64>) {
        let slot = table * (slotCount + 1) + Int(code >> UInt32(bits - slotBits))
        starts.withUnsafeBufferPointer { starts in
            rows.withUnsafeBufferPointer { rows in
                let range = table * rowCount + Int(starts[slot])..<table * rowCount + Int(starts[slot + 1])
                for position in range where codes.isEmpty || codes[position] == code {
                    let row = rows[position]
                    let word = Int(row >> 6)
                    if word < words.count { words[word] &= ~(1 << UInt64(row & 63)) }
                }
            }
        }
    }
}
