/// How rows are spread over slabs, so that a store grows without ever moving a vector and a small store stays small.
///
/// Slabs double from about 16 KiB to about 1 MiB and then keep that size. All their capacities are powers of two: with
/// `first` rows in slab 0, slab k has `first`·2^(k−1) rows and starts at the row of that number, until slabs are
/// `full`; so the slab of a row comes from its highest bit, or from a shift.
struct SlabLayout {
    /// Floats from the start of one row to the start of the next.
    let stride: Int
    /// The base-two logarithms of the rows in the first slab and in a full one.
    private let firstBits: Int
    private let fullBits: Int

    init(dimension: Int) {
        precondition(dimension >= 1, "a vector has at least one component")
        // Rows start on cache lines (16 floats) where that wastes at most a thirty-second.
        let padded = (dimension + 15) & ~15
        stride = (padded - dimension) * 32 <= dimension ? padded : dimension
        let rowBytes = stride * MemoryLayout<Float>.stride
        firstBits = min(Self.bits(for: 16 << 10, rowBytes), 6)
        fullBits = Self.bits(for: 1 << 20, rowBytes)
    }

    /// The logarithm of the largest power of two of rows that fits, at least one row.
    private static func bits(for bytes: Int, _ rowBytes: Int) -> Int {
        let rows = max(bytes / rowBytes, 1)
        return Int.bitWidth - 1 - rows.leadingZeroBitCount
    }

    func capacity(ofSlab slab: Int) -> Int {
        1 << min(firstBits + max(slab - 1, 0), fullBits)
    }

    func position(of row: Int) -> (slab: Int, offset: Int) {
        guard row < 1 << fullBits else {
            return (fullBits - firstBits + (row >> fullBits), row & (1 << fullBits - 1))
        }
        let bits = Int.bitWidth - row.leadingZeroBitCount
        guard bits > firstBits else { return (0, row) }
        return (bits - firstBits, row - 1 << (bits - 1))
    }
}
