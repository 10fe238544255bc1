import Glibc

/// The vectors of a library by row, each distinct one kept once, bit for bit as it was sent.
///
/// Equal means equal bits (so 0.0 and −0.0 differ). Rows count their references; a row whose last one is released is
/// reused, and until then its vector stays readable, so that an index may look at it while it removes the row.
///
/// Not thread safe: the owner admits either readers together or one writer. Memory is what the vectors need, 12 bytes a
/// row for norms, counts and hashes, and up to 11 more for the table that finds duplicates; it never shrinks.
package final class VectorStore {
    package let dimension: Int
    package let metric: Metric
    package let instructionSet: InstructionSet

    let layout: SlabLayout
    private(set) var slabs: [Slab] = []
    /// Rows given out so far, free ones included.
    private(set) var usedRows = 0

    private var capacity = 0
    private var table = RowTable()
    private var totalReferences = 0
    /// The free rows are a list through `Slab.hashes`, last freed first.
    private var firstFreeRow = UInt32.max
    private var freeRows = 0

    package init(dimension: Int, metric: Metric, instructionSet: InstructionSet = .best) {
        precondition(InstructionSet.supported.contains(instructionSet), "the processor lacks \(instructionSet)")
        self.dimension = dimension
        self.metric = metric
        self.instructionSet = instructionSet
        layout = SlabLayout(dimension: dimension)
    }

    deinit {
        for slab in slabs { slab.deallocate() }
    }

    /// Adds a reference to the row of `vector`, taking a free or new row if no live one holds the same bits.
    ///
    /// The vector has passed `validate`.
    package func insert(_ vector: Span<Float>) -> Row {
        precondition(vector.count == dimension, "vectors are validated before they are stored")
        let hash = VectorHash.hash(vector)
        totalReferences += 1
        if let row = find(vector, hash: hash) {
            let (slab, offset) = locate(Row(row))
            slab.referenceCounts[offset] += 1
            return Row(row)
        }

        let inverseNorm = inverseNorm(of: vector)
        let row = takeRow()
        let (slab, offset) = locate(row)
        vector.withUnsafeBufferPointer { source in
            (slab.vectors + offset * layout.stride).update(from: source.baseAddress!, count: dimension)
        }
        slab.inverseNorms[offset] = inverseNorm
        slab.referenceCounts[offset] = 1
        slab.hashes[offset] = hash
        table.insert(row.rawValue, hashOf: self.hash(of:))
        return row
    }

    /// Drops one reference to a live row; true when it was the last and the row became free.
    package func release(_ row: Row) -> Bool {
        precondition(contains(row), "only live rows are released")
        let (slab, offset) = locate(row)
        totalReferences -= 1
        slab.referenceCounts[offset] -= 1
        guard slab.referenceCounts[offset] == 0 else { return false }

        table.remove(row.rawValue, hashOf: hash(of:))
        slab.hashes[offset] = firstFreeRow
        firstFreeRow = row.rawValue
        freeRows += 1
        return true
    }

    /// Whether `row` holds a vector now.
    package func contains(_ row: Row) -> Bool {
        referenceCount(of: row) > 0
    }

    /// How often the vector of `row` is in use; 0 for a free row.
    package func referenceCount(of row: Row) -> Int {
        guard row.rawValue < usedRows else { return 0 }
        let (slab, offset) = locate(row)
        return Int(slab.referenceCounts[offset])
    }

    /// The vector of a row as it was sent.
    package func copyVector(_ row: Row) -> [Float] {
        withVector(row) { vector in
            vector.withUnsafeBufferPointer(Array.init)
        }
    }

    /// Reads the vector of a row in place.
    package func withVector<Result, Failure: Error>(
        _ row: Row, _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(row.rawValue < usedRows, "rows come from insert")
        let (slab, offset) = locate(row)
        let vector = UnsafeBufferPointer(start: slab.vectors + offset * layout.stride, count: dimension)
        return try body(vector.span)
    }

    /// The rows that hold vectors, ascending.
    package var liveRows: some Sequence<Row> {
        (0..<UInt32(usedRows)).lazy.map { Row($0) }.filter { self.contains($0) }
    }

    package var statistics: VectorStoreStatistics {
        VectorStoreStatistics(
            dimension: dimension, uniqueVectors: usedRows - freeRows, totalReferences: totalReferences,
            capacity: capacity, freeRows: freeRows,
            bytes: slabs.reduce(0) { $0 + $1.sizeInBytes } + table.sizeInBytes)
    }

    // MARK: Rows

    private func find(_ vector: Span<Float>, hash: UInt32) -> UInt32? {
        vector.withUnsafeBufferPointer { wanted in
            table.find(hash: hash, hashOf: self.hash(of:)) { row in
                let (slab, offset) = locate(Row(row))
                let size = dimension * MemoryLayout<Float>.stride
                return memcmp(slab.vectors + offset * layout.stride, wanted.baseAddress!, size) == 0
            }
        }
    }

    private func takeRow() -> Row {
        guard firstFreeRow == .max else {
            let row = Row(firstFreeRow)
            firstFreeRow = hash(of: firstFreeRow)
            freeRows -= 1
            return row
        }
        precondition(usedRows < Int(UInt32.max), "a store has at most 2^32 - 1 rows")
        if usedRows == capacity {
            let slab = Slab(capacity: layout.capacity(ofSlab: slabs.count), stride: layout.stride)
            slabs.append(slab)
            capacity += slab.capacity
        }
        usedRows += 1
        return Row(UInt32(usedRows - 1))
    }

    private func locate(_ row: Row) -> (slab: Slab, offset: Int) {
        let (slab, offset) = layout.position(of: Int(row.rawValue))
        return (slabs[slab], offset)
    }

    private func hash(of row: UInt32) -> UInt32 {
        let (slab, offset) = locate(Row(row))
        return slab.hashes[offset]
    }

    private func inverseNorm(of vector: Span<Float>) -> Float {
        let norm = Self.norm(of: vector)
        precondition(Self.problem(withNorm: norm, metric: metric) == nil, "vectors are validated before they are stored")
        return metric == .cosine ? Float(1 / norm) : 0
    }
}

package struct VectorStoreStatistics: Equatable, Sendable {
    package let dimension: Int
    /// Rows that hold a vector.
    package let uniqueVectors: Int
    package let totalReferences: Int
    /// Rows there is memory for.
    package let capacity: Int
    /// Rows that were released and wait to be reused.
    package let freeRows: Int
    /// Memory set aside for vectors, norms, counts and the table of duplicates.
    package let bytes: Int
}
