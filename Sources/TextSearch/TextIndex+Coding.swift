import Glibc

/// Why bytes are not a text index.
package enum TextIndexDecodingError: Error, Equatable, CustomStringConvertible {
    case damaged(String)
    /// Of another version of the format or the analyser, or analysed with other options: to be made again from the texts.
    case outdated(String)

    package var description: String {
        switch self {
        case .damaged(let reason), .outdated(let reason): reason
        }
    }
}

/// The bytes of an index. Numbers are unsigned LEB128 but where a width is given.
///
/// | field | |
/// |---|---|
/// | version u8 | 1 |
/// | analyser's version u8 | `Analyzer.version` |
/// | analysis u8 | 1: stop words left out; 2: stemmed |
/// | words | how many words the set of slots has |
/// | slots | that many u64, little endian: the slots that have a text |
/// | terms | each, by ascending bytes: |
/// | · length | 1 to 512 |
/// | · bytes | |
/// | · count | how many postings, at least 1 |
/// | · slots | of each posting, ascending: how many are left out since the last one |
/// | · frequencies | of each posting |
/// | · positions | of each posting, as many as its frequency says (as in `PostingBlock`) |
/// | end u8 | 0, where the length of a term would be |
///
/// They say what is in the index and not how it came about: indexes of the same texts in the same slots have the same bytes.
extension TextIndex {
    static let formatVersion: UInt8 = 1
    private static let maxTermLength = 512

    private static func analysis(_ options: TextOptions) -> UInt8 { (options.stopWords ? 1 : 0) | (options.stemmer ? 2 : 0) }

    /// - Parameter slotOrdinals: for each slot the one that it has in the bytes, all different and below `maxSlots`; `UInt32.max`, and nothing, for
    ///   one that is left out. Terms that only such slots have are left out too.
    package func encoded(slotOrdinals: [UInt32]) -> [UInt8] {
        var bytes = [Self.formatVersion, Analyzer.version, Self.analysis(options)]
        var kept = SlotSet()
        slots.forEach { slot in
            if slot < slotOrdinals.count, slotOrdinals[Int(slot)] != .max { kept.insert(slotOrdinals[Int(slot)]) }
        }
        Self.append(kept.words.count, to: &bytes)
        kept.words.withUnsafeBytes { bytes.append(contentsOf: $0) }

        var postings: [Posting] = []
        for record in sortedRecords() {
            readPostings(of: record, slotOrdinals, into: &postings)
            guard !postings.isEmpty else { continue }
            Self.append(Int(record.length), to: &bytes)
            bytes.append(contentsOf: dictionary.bytes(of: record, store.pool))
            Self.append(postings.count, to: &bytes)
            var next: UInt32 = 0
            for posting in postings {
                Self.append(Int(posting.slot - next), to: &bytes)
                next = posting.slot + 1
            }
            for posting in postings { Self.append(Int(posting.frequency), to: &bytes) }
            for posting in postings { bytes.append(contentsOf: posting.positions) }
        }
        bytes.append(0)
        return bytes
    }

    private struct Posting {
        let slot: UInt32
        let frequency: UInt16
        let positions: UnsafeBufferPointer<UInt8>
    }

    private func sortedRecords() -> [TermRecord] {
        dictionary.records.filter { $0.length > 0 }.sorted { left, right in
            let order = memcmp(store.pool.pointer(left.text), store.pool.pointer(right.text), Int(min(left.length, right.length)))
            return order != 0 ? order < 0 : left.length < right.length
        }
    }

    /// The postings of slots that are kept, by their new slots.
    private func readPostings(of record: TermRecord, _ slotOrdinals: [UInt32], into postings: inout [Posting]) {
        postings.removeAll(keepingCapacity: true)
        var isSorted = true
        for number in 0..<Int(record.postings.blockCount) {
            let block = store.block(store.reference(of: number, in: record.postings))
            let (slots, frequencies, positions) = (block.slots, block.frequencies, block.positions)
            var offset = 0
            for index in 0..<block.count {
                let size = PositionBytes.skip(Int(frequencies[index]), in: positions + offset)
                defer { offset += size }
                let slot = slots[index]
                guard slot < slotOrdinals.count, slotOrdinals[Int(slot)] != .max, self.slots.contains(slot) else { continue }
                let ordinal = slotOrdinals[Int(slot)]
                if let last = postings.last, last.slot > ordinal { isSorted = false }
                postings.append(
                    Posting(
                        slot: ordinal, frequency: frequencies[index], positions: UnsafeBufferPointer(start: positions + offset, count: size)
                    ))
            }
        }
        if !isSorted { postings.sort { $0.slot < $1.slot } }
    }

    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        PositionBytes.append(UInt32(number), to: &bytes)
    }

    /// An index from its bytes, of which nothing is taken on trust. Memory is at most some 40 times that of the bytes.
    ///
    /// - Parameter options: those that the index is to have.
    package convenience init(decoding bytes: [UInt8], options: TextOptions) throws(TextIndexDecodingError) {
        self.init(options)
        var reader = TextIndexReader(bytes)
        let version = (try reader.byte(), try reader.byte())
        guard version == (Self.formatVersion, Analyzer.version) else {
            throw .outdated("version \(version.0), analyser \(version.1) of a text index, not \(Self.formatVersion), \(Analyzer.version)")
        }
        guard try reader.byte() == Self.analysis(options) else { throw .outdated("a text index of another analysis") }

        slots = SlotSet(words: try reader.words(count: try reader.number()))
        count = slots.count
        guard slots.words.count * 64 <= Self.maxSlots else { throw .damaged("\(slots.words.count) words of slots") }
        var lengths = [UInt32](repeating: 0, count: slots.words.count * 64)
        var run = PostingRun()
        var last = 0..<0
        while true {
            let term = try reader.range(count: try reader.number())
            guard !term.isEmpty else { break }
            guard term.count <= Self.maxTermLength, reader.isAscending(last, term) else {
                throw .damaged("a term without its place in the order of terms, at \(term.lowerBound)")
            }
            last = term
            let number = bytes[term].withUnsafeBufferPointer { dictionary.findOrInsert($0, &store.pool) }
            let positions = try readPostings(&reader, into: &run, &lengths)
            dictionary[number].postings = bytes.withUnsafeBufferPointer {
                store.makeList(run, positions: UnsafeBufferPointer(rebasing: $0[positions]))
            }
        }
        guard reader.isAtEnd else { throw .damaged("more bytes than a text index has") }
        totalLength = lengths.reduce(0) { $0 + Int($1) }
        self.lengths = lengths
    }

    /// Reads the postings of a term but for their positions; returns where these are.
    private func readPostings(
        _ reader: inout TextIndexReader, into run: inout PostingRun, _ lengths: inout [UInt32]
    ) throws(TextIndexDecodingError) -> Range<Int> {
        run.removeAll()
        let slots = slots
        let count = try reader.number()
        guard count > 0 else { throw .damaged("a term without a posting") }
        var next = 0
        for _ in 0..<count {
            let slot = next + (try reader.number())
            guard slot < lengths.count, slots.contains(UInt32(slot)) else { throw .damaged("a posting of slot \(slot), which has no text") }
            run.slots.append(UInt32(slot))
            next = slot + 1
        }
        for index in 0..<count {
            let frequency = try reader.number()
            guard (1...Self.maxFrequency).contains(frequency) else { throw .damaged("a frequency of \(frequency)") }
            run.frequencies.append(UInt16(frequency))
            let slot = Int(run.slots[index])
            let (length, overflow) = lengths[slot].addingReportingOverflow(UInt32(frequency))
            guard !overflow, length <= Int32.max else { throw .damaged("slot \(slot) is too long") }
            lengths[slot] = length
        }
        let start = reader.offset
        for frequency in run.frequencies {
            try reader.skipPositions(count: Int(frequency))
            run.positionEnds.append(reader.offset - start)
        }
        return start..<reader.offset
    }
}
