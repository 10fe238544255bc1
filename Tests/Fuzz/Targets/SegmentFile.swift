/// A segment of a log in its parts: what is needed to change one of them and write it with checksums that hold.
struct SegmentFile {
    static let headerLength = 64

    struct Record {
        /// Type, version, flags, sequence and synced sequence.
        var fields: [UInt8]
        var payload: [UInt8]

        var isSeal: Bool { fields[0] == 0 }
        var sequence: UInt64 { fields.number(at: 4) }
    }

    /// At most 64 bytes; the last four are its checksum.
    var header: [UInt8]
    /// The records from the first on that have their magic and fit into the file.
    var records: [Record] = []
    /// What follows them.
    var tail: [UInt8] = []
    /// Where the first record begins that does not match its checksums; nil if all do.
    private(set) var firstBadRecord: Int?

    private static let magic: UInt32 = 0x4345_5251

    init(_ bytes: [UInt8]) {
        header = Array(bytes.prefix(Self.headerLength))
        var position = header.count
        guard header.count == Self.headerLength else { return }
        while position + 32 <= bytes.count, bytes.number(UInt32.self, at: position) == Self.magic {
            let length = Int(bytes.number(UInt32.self, at: position + 4))
            let end = position + 32 + (length + 4 + 7) / 8 * 8
            guard end <= bytes.count else { break }
            let isIntact =
                headerChecksum(bytes, at: position) == bytes.number(at: position + 28)
                && recordChecksum(bytes, position..<end - 4) == bytes.number(at: end - 4)
            if !isIntact, firstBadRecord == nil { firstBadRecord = records.count }
            records.append(
                Record(fields: Array(bytes[position + 8..<position + 28]), payload: Array(bytes[position + 32..<position + 32 + length])))
            position = end
        }
        tail = Array(bytes[position...])
    }

    /// The first checksum of the record at `position`.
    private func headerChecksum(_ bytes: [UInt8], at position: Int) -> UInt32 {
        bytes.checksum(position..<position + 28, from: header.number(at: 60))
    }

    /// The last checksum of the record that has the bytes in `range` before it: in version 1 over them all, since then of what stands
    /// behind the first checksum, continued from that.
    private func recordChecksum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
        header.number(UInt16.self, at: 8) == 1
            ? bytes.checksum(range, from: header.number(at: 60))
            : bytes.checksum(range.dropFirst(32), from: headerChecksum(bytes, at: range.lowerBound))
    }

    /// The file with the checksums of header and records as they should be, and the chain of the record checksums.
    mutating func encoded() -> (bytes: [UInt8], chain: UInt32) {
        guard header.count == Self.headerLength else { return (header + tail, 0) }
        header.set(header.checksum(0..<60), at: 60)
        var bytes = header
        var chain: UInt32 = header.number(at: 60)
        for record in records {
            let position = bytes.count
            bytes.append(number: Self.magic)
            bytes.append(number: UInt32(record.payload.count))
            bytes += record.fields
            bytes.append(number: headerChecksum(bytes, at: position))
            bytes += record.payload
            bytes += [UInt8](repeating: 0, count: (12 - record.payload.count % 8) % 8)
            bytes.append(number: recordChecksum(bytes, position..<bytes.count))
            chain = bytes.checksum(bytes.count - 4..<bytes.count, from: chain)
        }
        return (bytes + tail, chain)
    }

    var databaseID: ArraySlice<UInt8> { header[16..<32] }
    var firstSequence: UInt64 { header.number(at: 40) }

    /// Makes the header that of segment `number` behind a segment with this end.
    mutating func link(number: UInt64, after last: UInt64, of databaseID: ArraySlice<UInt8>, chain: UInt32) {
        guard header.count == Self.headerLength else { return }
        header.replaceSubrange(16..<32, with: databaseID)
        header.set(number, at: 32)
        header.set(last &+ 1, at: 40)
        header.set(last, at: 48)
        header.set(chain, at: 56)
    }

    /// A segment without records.
    static func empty(number: UInt64, after last: UInt64, of databaseID: ArraySlice<UInt8>) -> [UInt8] {
        var header = Array("QUIREWAL".utf8) + [UInt8](repeating: 0, count: 56)
        header.set(UInt16(2), at: 8)
        header.set(UInt32(64), at: 12)
        var file = SegmentFile(header)
        file.link(number: number, after: last, of: databaseID, chain: 0)
        return file.encoded().bytes
    }
}
