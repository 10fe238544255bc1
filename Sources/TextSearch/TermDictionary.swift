import Glibc

/// A term of the index.
struct TermRecord {
    var postings = PostingList()
    /// Where the term's bytes lie in the pool.
    var text: MemoryPool.Reference = 0
    var length: UInt32 = 0
    /// For a free record, the next free one.
    var hash: UInt32 = 0
}

/// Finds terms by their bytes and numbers them.
///
/// A table of numbers, open addressing with linear probing, at most two thirds full; entries behind a removed one move up (Knuth, The Art of
/// Computer Programming 3, 6.4, algorithm R), so it has no gravestones. Numbers of removed terms are given out again.
struct TermDictionary {
    private(set) var records: [TermRecord] = []
    private(set) var count = 0
    private var table = [UInt32](repeating: Self.none, count: Self.smallest)
    private var firstFree = Self.none

    private static let none = UInt32.max
    private static let smallest = 16

    /// Drawn when the process starts, so nobody can prepare words that all fall into one place of the table.
    private static let keys = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max) | 1)

    var sizeInBytes: Int {
        records.capacity * MemoryLayout<TermRecord>.stride + table.capacity * MemoryLayout<UInt32>.stride
    }

    subscript(_ number: UInt32) -> TermRecord {
        get { records[Int(number)] }
        _modify { yield &records[Int(number)] }
    }

    func bytes(of record: TermRecord, _ pool: MemoryPool) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: pool.pointer(record.text).assumingMemoryBound(to: UInt8.self), count: Int(record.length))
    }

    func find(_ term: UnsafeBufferPointer<UInt8>, _ pool: MemoryPool) -> UInt32? {
        find(term, hash: Self.hash(term), pool)
    }

    private func find(_ term: UnsafeBufferPointer<UInt8>, hash: UInt32, _ pool: MemoryPool) -> UInt32? {
        let mask = table.count - 1
        var place = Int(hash) & mask
        while table[place] != Self.none {
            let record = records[Int(table[place])]
            if record.hash == hash, Int(record.length) == term.count,
                memcmp(pool.pointer(record.text), term.baseAddress!, term.count) == 0
            {
                return table[place]
            }
            place = (place + 1) & mask
        }
        return nil
    }

    /// The number of a term, which is made if there is none yet.
    ///
    /// - Parameter term: not in the pool, and not empty.
    mutating func findOrInsert(_ term: UnsafeBufferPointer<UInt8>, _ pool: inout MemoryPool) -> UInt32 {
        let hash = Self.hash(term)
        if let found = find(term, hash: hash, pool) { return found }
        let text = pool.allocate(term.count)
        memcpy(pool.pointer(text), term.baseAddress!, term.count)
        let record = TermRecord(text: text, length: UInt32(term.count), hash: hash)
        let number: UInt32
        if firstFree != Self.none {
            number = firstFree
            firstFree = records[Int(number)].hash
            records[Int(number)] = record
        } else {
            number = UInt32(records.count)
            records.append(record)
        }
        count += 1
        if count * 3 > table.count * 2 { rebuild(table.count * 2) } else { place(number) }
        return number
    }

    /// The term's postings are gone.
    mutating func remove(_ number: UInt32, _ pool: inout MemoryPool) {
        let mask = table.count - 1
        var gap = Int(records[Int(number)].hash) & mask
        while table[gap] != number { gap = (gap + 1) & mask }
        var place = gap
        while true {
            place = (place + 1) & mask
            guard table[place] != Self.none else { break }
            let home = Int(records[Int(table[place])].hash) & mask
            // An entry may move into the gap unless its home lies between the two.
            if (place - home) & mask >= (place - gap) & mask {
                table[gap] = table[place]
                gap = place
            }
        }
        table[gap] = Self.none
        pool.deallocate(records[Int(number)].text, bytes: Int(records[Int(number)].length))
        records[Int(number)] = TermRecord(hash: firstFree)
        firstFree = number
        count -= 1
        if count == 0 {
            (records, firstFree) = ([], Self.none)
        }
        if table.count > Self.smallest, count * 8 < table.count { rebuild(table.count / 2) }
    }

    private mutating func rebuild(_ size: Int) {
        table = [UInt32](repeating: Self.none, count: size)
        for number in records.indices where records[number].length > 0 { place(UInt32(number)) }
    }

    private mutating func place(_ number: UInt32) {
        let mask = table.count - 1
        var place = Int(records[Int(number)].hash) & mask
        while table[place] != Self.none { place = (place + 1) & mask }
        table[place] = number
    }

    /// In the manner of wyhash: each step multiplies 64-bit words to 128 bits and folds them.
    static func hash(_ term: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let keys = keys
        let bytes = UnsafeRawBufferPointer(term)
        var state = keys.0 ^ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            state = fold(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ keys.1, state ^ keys.0)
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        state = fold(rest ^ keys.1, state ^ keys.0)
        return UInt32(truncatingIfNeeded: state ^ state >> 32)
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
