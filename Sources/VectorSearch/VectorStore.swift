import Glibc

/// The vectors of a library by row, each distinct one kept once, bit for bit as it was sent; beside them codes, if wanted.
///
/// Equal means equal bits (so 0.0 and −0.0 differ). Rows count their references. A row whose last one is released keeps its
/// vector, so that indexes may look at it on their way, until it is given back by `reclaim`; then it is used again.
///
/// Not thread safe: the owner admits either readers together or one writer. Only `makeRoom` moves vectors. Memory is what
/// the vectors need, 12 bytes a row for norms, counts and hashes, up to 11 more for the table that finds duplicates, and a
/// byte a component and 12 a row for codes; only `shrink` gives some of it back.
package final class VectorStore {
    package let dimension: Int
    package let metric: Metric
    package let instructionSet: InstructionSet

    /// Floats from the start of one row to the start of the next.
    let stride: Int
    private(set) var vectors = GrowableBuffer<Float>()
    /// 1/norm of each vector; 0 where the metric does not need it.
    private(set) var inverseNorms = GrowableBuffer<Float>()
    /// 0 for a row that is free or waits to be reclaimed.
    private var referenceCounts = GrowableBuffer<UInt32>()
    /// The hash of each vector; for a free row, the next free row.
    private var hashes = GrowableBuffer<UInt32>()
    private(set) var codes: CodeTable?

    /// Rows given out so far, free ones included.
    package private(set) var usedRows = 0
    private var table = RowTable()
    private var totalReferences = 0
    /// The free rows are a list through `hashes`, last freed first.
    private var firstFreeRow = UInt32.max
    private var freeRows = 0
    private var releasedRows = 0

    /// Rows are numbered in 31 bits: a search keeps a mark beside the number.
    package static let maxRows = Int(Int32.max)

    package init(dimension: Int, metric: Metric, instructionSet: InstructionSet = .best) {
        precondition(InstructionSet.supported.contains(instructionSet), "the processor lacks \(instructionSet)")
        precondition(dimension >= 1, "a vector has at least one component")
        self.dimension = dimension
        self.metric = metric
        self.instructionSet = instructionSet
        // Rows start on cache lines (16 floats) where that wastes at most a thirty-second.
        let padded = (dimension + 15) & ~15
        stride = (padded - dimension) * 32 <= dimension ? padded : dimension
    }

    deinit {
        vectors.deallocate()
        inverseNorms.deallocate()
        referenceCounts.deallocate()
        hashes.deallocate()
    }

    /// Whether `insert` can take `count` more vectors without moving any.
    package func hasRoom(for count: Int) -> Bool {
        usedRows - freeRows + count <= referenceCounts.capacity && usedRows + count - freeRows <= vectors.capacity / stride
            && (codes.map { usedRows - freeRows + count <= $0.capacity } ?? true)
    }

    /// Makes room for `count` more vectors. The only call that moves vectors: nobody may hold a pointer to one meanwhile.
    package func makeRoom(for count: Int) {
        let rows = usedRows + max(0, count - freeRows)
        precondition(rows <= Self.maxRows, "a store has at most \(Self.maxRows) rows")
        vectors.reserve(rows * stride)
        inverseNorms.reserve(rows)
        referenceCounts.reserve(rows)
        hashes.reserve(rows)
        codes?.makeRoom(for: rows)
    }

    /// Adds a reference to the row of `vector`, taking a free or new row if no live one holds the same bits.
    ///
    /// The vector has passed `validate`.
    package func insert(_ vector: Span<Float>) -> Row {
        precondition(vector.count == dimension, "vectors are validated before they are stored")
        let hash = VectorHash.hash(vector)
        totalReferences += 1
        if let row = find(vector, hash: hash) {
            referenceCounts.base[Int(row)] += 1
            return Row(row)
        }

        let inverseNorm = inverseNorm(of: vector)
        let row = takeRow()
        let offset = Int(row.rawValue)
        vector.withUnsafeBufferPointer { source in
            (vectors.base + offset * stride).update(from: source.baseAddress!, count: dimension)
        }
        inverseNorms.base[offset] = inverseNorm
        referenceCounts.base[offset] = 1
        hashes.base[offset] = hash
        table.insert(row.rawValue, hashOf: self.hash(of:))
        codes?.encode(row, of: self)
        return row
    }

    /// Drops one reference to a live row; true when it was the last. Then the row holds no vector any more that `insert`
    /// could find, and waits for `reclaim`.
    package func release(_ row: Row) -> Bool {
        precondition(contains(row), "only live rows are released")
        let offset = Int(row.rawValue)
        totalReferences -= 1
        referenceCounts.base[offset] -= 1
        guard referenceCounts.base[offset] == 0 else { return false }

        table.remove(row.rawValue, hashOf: hash(of:))
        releasedRows += 1
        return true
    }

    /// Gives a released row, which no index looks at any more, to the next new vector.
    package func reclaim(_ row: Row) {
        precondition(row.rawValue < usedRows && !contains(row), "only released rows are reclaimed")
        hashes.base[Int(row.rawValue)] = firstFreeRow
        firstFreeRow = row.rawValue
        freeRows += 1
        releasedRows -= 1
    }

    // MARK: Compaction

    /// Has the lowest free rows taken first. Returns them, ascending.
    func sortFreeRows() -> RowSet {
        let free = freeRowSet()
        keepFree(free)
        return free
    }

    /// Moves a vector to the free row that is next, references and all. Its old row waits for `reclaim`, as a released one does.
    func move(_ row: Row) -> Row {
        precondition(contains(row) && freeRows > 0, "a live row is moved to a free one")
        let target = takeRow()
        let (from, to) = (Int(row.rawValue), Int(target.rawValue))
        let hash = hashes.base[from]
        table.remove(row.rawValue, hashOf: self.hash(of:))
        (vectors.base + to * stride).update(from: vectors.base + from * stride, count: dimension)
        inverseNorms.base[to] = inverseNorms.base[from]
        referenceCounts.base[to] = referenceCounts.base[from]
        referenceCounts.base[from] = 0
        hashes.base[to] = hash
        table.insert(target.rawValue, hashOf: self.hash(of:))
        codes?.encode(target, of: self)
        releasedRows += 1
        return target
    }

    /// Gives back the memory behind the last row that is not free.
    func shrink() {
        var free = freeRowSet()
        while usedRows > 0, free.contains(Row(UInt32(usedRows - 1))) {
            usedRows -= 1
            free.remove(Row(UInt32(usedRows)))
            freeRows -= 1
        }
        keepFree(free)
        vectors.release(after: usedRows * stride)
        inverseNorms.release(after: usedRows)
        referenceCounts.release(after: usedRows)
        hashes.release(after: usedRows)
        codes?.release(after: usedRows)
        table.shrink(hashOf: hash(of:))
    }

    private func freeRowSet() -> RowSet {
        var free = RowSet()
        var row = firstFreeRow
        while row != .max {
            free.insert(Row(row))
            row = hash(of: row)
        }
        return free
    }

    /// Makes a list of the free rows, the lowest first.
    private func keepFree(_ free: RowSet) {
        firstFreeRow = .max
        for row in free.first(.max).reversed() {
            hashes.base[Int(row.rawValue)] = firstFreeRow
            firstFreeRow = row.rawValue
        }
    }

    // MARK: Rows of a former store

    /// Appends `references.count` rows as another store had them, `vectors` with `dimension` numbers each. A row without references
    /// counts as released: its vector stays until it is reclaimed. For a store that nothing was inserted into; room was made.
    ///
    /// - Throws: what is wrong with a vector; the store is not to be used then.
    func restore(_ vectors: Span<Float>, references: some Collection<UInt32>) throws(VectorProblem) {
        precondition(vectors.count == references.count * dimension, "as many vectors as rows")
        for (index, count) in references.enumerated() {
            let vector = vectors.extracting(index * dimension..<(index + 1) * dimension)
            let norm = Self.norm(of: vector)
            let isValid = norm.isFinite && Self.problem(withNorm: norm, metric: metric) == nil
            if !isValid, count > 0, let problem = Self.validate(vector, metric: metric, dimension: dimension) { throw problem }
            let row = takeRow()
            let offset = Int(row.rawValue)
            vector.withUnsafeBufferPointer { source in
                (self.vectors.base + offset * stride).update(from: source.baseAddress!, count: dimension)
            }
            inverseNorms.base[offset] = isValid && metric == .cosine ? Float(1 / norm) : 0
            referenceCounts.base[offset] = count
            if count > 0 {
                hashes.base[offset] = VectorHash.hash(vector)
                table.insert(row.rawValue, hashOf: hash(of:))
                totalReferences += Int(count)
            } else {
                releasedRows += 1
            }
            codes?.encode(row, of: self)
        }
    }

    // MARK: Codes

    /// Begins to keep codes: from here on `insert` writes them. The rows that are there are for the caller to encode with
    /// `encode`, while searches go on that do not look at codes.
    func beginCodes() {
        let table = CodeTable(dimension: dimension, metric: metric)
        table.makeRoom(for: max(usedRows, vectors.capacity / stride))
        codes = table
    }

    func endCodes() {
        codes = nil
    }

    /// Whether `row` holds a vector now.
    package func contains(_ row: Row) -> Bool {
        referenceCount(of: row) > 0
    }

    /// How often the vector of `row` is in use; 0 for a free row.
    package func referenceCount(of row: Row) -> Int {
        guard row.rawValue < usedRows else { return 0 }
        return Int(referenceCounts.base[Int(row.rawValue)])
    }

    /// Whether the vector of a live row still has the hash that it was inserted with.
    func isAsInserted(_ row: Row) -> Bool {
        withVector(row) { VectorHash.hash($0) == hash(of: row.rawValue) }
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
        let vector = UnsafeBufferPointer(start: vectors.base + Int(row.rawValue) * stride, count: dimension)
        return try body(vector.span)
    }

    /// Memory of rows that new vectors will take.
    package var bytesOfFreeRows: Int { freeRows * (stride * MemoryLayout<Float>.stride + 12) }

    /// The rows that hold vectors, ascending.
    package var liveRows: some Sequence<Row> {
        (0..<UInt32(usedRows)).lazy.map { Row($0) }.filter { self.contains($0) }
    }

    package var statistics: VectorStoreStatistics {
        VectorStoreStatistics(
            dimension: dimension, uniqueVectors: usedRows - freeRows - releasedRows, totalReferences: totalReferences,
            capacity: usedRows, freeRows: freeRows,
            bytes: vectors.sizeInBytes(ofFirst: usedRows * stride) + inverseNorms.sizeInBytes(ofFirst: usedRows)
                + referenceCounts.sizeInBytes(ofFirst: usedRows) + hashes.sizeInBytes(ofFirst: usedRows) + table.sizeInBytes
                + (codes?.sizeInBytes(ofFirst: usedRows) ?? 0))
    }

    // MARK: Rows

    private func find(_ vector: Span<Float>, hash: UInt32) -> UInt32? {
        vector.withUnsafeBufferPointer { wanted in
            table.find(hash: hash, hashOf: self.hash(of:)) { row in
                let size = dimension * MemoryLayout<Float>.stride
                return memcmp(vectors.base + Int(row) * stride, wanted.baseAddress!, size) == 0
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
        if !hasRoom(for: 1) { makeRoom(for: 1) }
        usedRows += 1
        return Row(UInt32(usedRows - 1))
    }

    private func hash(of row: UInt32) -> UInt32 { hashes.base[Int(row)] }

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
    /// Rows that memory was taken for.
    package let capacity: Int
    /// Rows that were released and wait to be reused.
    package let freeRows: Int
    /// Memory of vectors, codes, norms, counts and the table of duplicates.
    package let bytes: Int
}
