/// The pieces of words a model knows, found by their bytes.
///
/// A hash table with open addressing over one block of bytes: a look-up compares bytes and allocates nothing.
struct Vocabulary: Sendable {
    /// Where a piece may stand. Those inside a word are written with "##" in the file.
    enum Place: Sendable {
        case start, inside
    }

    /// The number of pieces; ids are the positions of their lines, 0..<count.
    let count: Int
    /// Bytes of the longest piece, without "##".
    private(set) var longest = 0

    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var slots: [Slot]

    private struct Slot {
        var hash: UInt32 = 0
        /// The piece's id plus 1; 0 for an empty slot.
        var entry: UInt32 = 0
    }

    /// Reads a vocabulary file: a piece a line. Refuses empty lines and repeated pieces, whose ids nobody could tell apart.
    init(path: String) throws(EmbeddingError) {
        let file = try MappedFile(path: path)
        try self.init(file.bytes, path: path)
    }

    init(_ text: UnsafeRawBufferPointer, path: String) throws(EmbeddingError) {
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if let last = lines.last, last.isEmpty { lines.removeLast() }
        count = lines.count
        guard count <= Self.maximumCount else { throw .invalidModelFile(path: path, reason: "\(count) pieces are too many") }
        var capacity = 16
        while capacity < 2 * count { capacity *= 2 }
        slots = Array(repeating: Slot(), count: capacity)
        bytes.reserveCapacity(text.count)
        ends.reserveCapacity(count)
        var key: [UInt8] = []
        for (id, line) in lines.enumerated() {
            let isInside = line.count > 2 && line.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "#")])
            key.removeAll(keepingCapacity: true)
            key.append(contentsOf: isInside ? line.dropFirst(2) : line)
            guard !key.isEmpty else { throw .invalidModelFile(path: path, reason: "line \(id + 1) is empty") }
            longest = max(longest, key.count)
            var hash = Self.seed(isInside ? .inside : .start)
            for byte in key { Self.mix(&hash, byte) }
            guard self.id(of: key[...], hash: hash) == nil else {
                throw .invalidModelFile(path: path, reason: "line \(id + 1) repeats a piece")
            }
            bytes.append(contentsOf: key)
            ends.append(bytes.count)
            var slot = Int(hash) & (capacity - 1)
            while slots[slot].entry != 0 { slot = (slot + 1) & (capacity - 1) }
            slots[slot] = Slot(hash: hash, entry: UInt32(id + 1))
        }
    }

    /// Far more than any published model has.
    static let maximumCount = 1 << 20

    /// The hash of nothing, at this place; the place is part of what is looked up.
    static func seed(_ place: Place) -> UInt32 {
        place == .start ? 2_166_136_261 : 2_166_136_261 ^ 0x5bd1_e995
    }

    /// The hash of one byte more (FNV-1a).
    @inline(__always)
    static func mix(_ hash: inout UInt32, _ byte: UInt8) {
        hash = (hash ^ UInt32(byte)) &* 16_777_619
    }

    /// The id of a piece given with its hash, which includes its place.
    func id(of piece: ArraySlice<UInt8>, hash: UInt32) -> UInt32? {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot].entry != 0 {
            if slots[slot].hash == hash {
                let id = Int(slots[slot].entry) - 1
                let start = id == 0 ? 0 : ends[id - 1]
                if bytes[start..<ends[id]] == piece { return UInt32(id) }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// The id of a piece that starts a word, to find the model's own marks such as "[CLS]".
    func id(of piece: String) -> UInt32? {
        var hash = Self.seed(.start)
        for byte in piece.utf8 { Self.mix(&hash, byte) }
        return id(of: Array(piece.utf8)[...], hash: hash)
    }
}
