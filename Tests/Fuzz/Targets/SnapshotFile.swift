/// A snapshot in its parts: what is needed to change one of them and write it with checksums that hold.
struct SnapshotFile {
    static let headerLength = 64

    struct Section {
        var type: UInt16
        var flags: UInt16
        var payload: [UInt8]
    }

    /// At most 64 bytes; the last four are its checksum.
    var header: [UInt8]
    /// All sections, the end included.
    var sections: [Section] = []
    /// What follows them.
    var tail: [UInt8]

    private static let magic: UInt32 = 0x4345_5351

    init(_ bytes: [UInt8]) {
        header = Array(bytes.prefix(Self.headerLength))
        var position = header.count
        while header.count == Self.headerLength, position + 24 <= bytes.count, bytes.number(UInt32.self, at: position) == Self.magic {
            let length = Int(bytes.number(UInt32.self, at: position + 12))
            let end = position + 24 + (length + 7) / 8 * 8
            guard end <= bytes.count else { break }
            sections.append(
                Section(
                    type: bytes.number(at: position + 4), flags: bytes.number(at: position + 6),
                    payload: Array(bytes[position + 24..<position + 24 + length])))
            position = end
        }
        tail = Array(bytes[position...])
    }

    var isWhole: Bool { header.count == Self.headerLength }
    var databaseID: ArraySlice<UInt8> { header[16..<32] }
    var sequence: UInt64 { header.number(at: 32) }

    /// The file with all checksums, and the numbers of the sections, as they should be.
    func encoded() -> [UInt8] {
        guard isWhole else { return header + tail }
        var bytes = header
        let start = bytes.checksum(0..<60)
        bytes.set(start, at: 60)
        for (number, section) in sections.enumerated() {
            let position = bytes.count
            let padded = section.payload + [UInt8](repeating: 0, count: (8 - section.payload.count % 8) % 8)
            bytes.append(number: Self.magic)
            bytes.append(number: section.type)
            bytes.append(number: section.flags)
            bytes.append(number: UInt32(number))
            bytes.append(number: UInt32(section.payload.count))
            bytes.append(number: padded.checksum(padded.indices, from: start))
            bytes.append(number: bytes.checksum(position..<bytes.count, from: start))
            bytes += padded
        }
        return bytes + tail
    }
}
