import Locks

/// Rows by the sides of random planes that they are on: near rows are on the same side of most of them.
///
/// The best known of its family and here for those who know it: on the vectors of texts a graph or lists by centroids find as
/// much in a fraction of the time, since rows are spread over buckets without regard to where they are many. It is built
/// faster than either.
///
/// Cost: 4 bytes a row and table, 4 bytes a bucket; taking in a row costs a product with each plane.
final class LSHIndex: VectorIndex {
    private let store: VectorStore
    private let tableCount: Int
    /// 0: by the number of rows.
    private let bits: Int
    /// 0: by the number of bits.
    private var probes: Int
    private var planes: Hyperplanes?
    private var tables: [HashTable] = []
    private var rows = RowSet()
    /// Rows when the planes were made.
    private var plannedRows = 0
    private let marks = MarksPool()

    private static let version: UInt32 = 1
    private static let growth = 4

    init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.store = store
        tableCount = configuration[.tables]
        bits = configuration[.bits]
        probes = configuration[.probes]
    }

    var statistics: IndexStatistics {
        IndexStatistics(
            kind: .lsh,
            bytes: tables.reduce(0) { $0 + $1.sizeInBytes } + (planes?.sizeInBytes ?? 0) + rows.sizeInBytes + marks.sizeInBytes,
            details: [
                .init(name: "tables", value: Double(tableCount)), .init(name: "bits", value: Double(planes?.bits ?? bits)),
                .init(name: "probes", value: Double(usedProbes)),
            ])
    }

    // The number of bits goes by the first rows; so let them be many.
    var batchSize: Int { planes == nil ? .max : 8192 }
    var pieceSize: Int { 256 }
    var isOutgrown: Bool { bits == 0 && rows.count >= Self.growth * max(plannedRows, 256) }

    func adopt(_ configuration: IndexConfiguration) {
        probes = configuration[.probes]
    }

    /// Measured on 20,000 and 115,659 vectors of texts, so that more than nineteen of twenty neighbours are found.
    private var usedProbes: Int {
        guard let planes else { return probes }
        return min(probes > 0 ? probes : max(1, planes.bits * planes.bits * 3 / 4), 1 << planes.bits)
    }

    // MARK: Rows in and out

    func makeRoom(for rows: [Row]) {
        if planes == nil {
            let count = bits > 0 ? bits : Self.bits(for: rows.count)
            planes = Hyperplanes(
                store, tables: tableCount, bits: count,
                centre: store.metric == .dot ? [] : SketchTable.centre(of: rows.prefix(4096), in: store),
                squaredRadius: store.metric == .dot ? squaredRadius(of: rows.prefix(4096)) : 0)
            tables = Array(repeating: HashTable(bits: count), count: tableCount)
            plannedRows = rows.count
        }
        guard let last = rows.max() else { return }
        for table in tables.indices { tables[table].makeRoom(for: Int(last.rawValue) + 1) }
    }

    /// A quarter as many buckets as rows, to a power of two.
    private static func bits(for rows: Int) -> Int {
        let logarithm = Int.bitWidth - 1 - max(rows, 1).leadingZeroBitCount
        return min(max(4, logarithm - 2), IndexParameter.bits.range.upperBound)
    }

    private func squaredRadius(of rows: ArraySlice<Row>) -> Float {
        var largest = 0.0
        for row in rows { largest = max(largest, store.withVector(row) { VectorStore.norm(of: $0) }) }
        return Float(min(largest * largest, Double(Float.greatestFiniteMagnitude)))
    }

    private struct HashedRows: PreparedRows {
        let rows: ArraySlice<Row>
        /// For each row one for each table.
        let codes: [UInt32]
    }

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        guard let planes else { preconditionFailure("rows are announced before they are prepared") }
        var codes: [UInt32] = []
        codes.reserveCapacity(rows.count * planes.tables)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: planes.tables * planes.bits) { margins in
            for row in rows {
                memory.pinned { planes.margins(ofRow: Int(row.rawValue), of: store, into: margins.baseAddress!) }
                for table in 0..<planes.tables { codes.append(planes.code(margins.baseAddress!, table: table)) }
            }
        }
        return HashedRows(rows: rows, codes: codes)
    }

    func publish(_ pieces: [any PreparedRows]) {
        for case let piece as HashedRows in pieces {
            for (number, row) in piece.rows.enumerated() {
                rows.insert(row)
                for table in tables.indices { tables[table].insert(row.rawValue, code: piece.codes[number * tables.count + table]) }
            }
        }
    }

    func forget(_ gone: RowSet) {
        for table in tables.indices { tables[table].remove(gone) }
        gone.forEach { rows.remove($0) }
    }

    // MARK: Searching

    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        var outcome = IndexOutcome(scored: 0, isExact: request.eligibleCount == 0, strategy: .postFilter)
        guard let planes, request.count > 0, request.eligibleCount > 0 else { return outcome }
        var met = 0
        marks.withMarks(rowCount: store.usedRows) { marks in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: planes.tables * planes.bits) { margins in
                planes.margins(of: query.vector, factor: 1, extra: 0, into: margins.baseAddress!)
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { list in
                    withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { distances in
                        var found = 0
                        func offer() {
                            store.computeDistances(query, to: list.baseAddress!, count: found, into: distances.baseAddress!)
                            for index in 0..<found where distances[index] <= nearest.bound {
                                nearest.offer(Neighbor(row: Row(list[index]), distance: distances[index]))
                            }
                            outcome.scored += found
                            found = 0
                        }
                        for table in tables.indices {
                            var sequence = ProbeSequence(planes, margins.baseAddress!, table: table)
                            for _ in 0..<usedProbes {
                                guard let code = sequence.next() else { break }
                                tables[table].forEach(code: code) { row in
                                    marks.reserve(1)
                                    guard marks.mark(row) else { return }
                                    met += 1
                                    guard request.eligible.contains(row) else { return }
                                    list[found] = row
                                    found += 1
                                    if found == 64 { offer() }
                                }
                            }
                        }
                        offer()
                    }
                }
            }
        }
        outcome.isExact = outcome.scored == request.eligibleCount
        outcome.isReliable = request.admits(outcome.scored, of: met, outOf: rows.count)
        return outcome
    }

    // MARK: Coding

    /// After the head: tables, bits, rows when the planes were made, the squared radius, the centre, the rows, and for each row the
    /// number in each table. The planes are drawn again.
    func encoded() -> [UInt8] {
        var encoder = IndexEncoder(.lsh, version: Self.version, store: store)
        encoder.write(UInt32(tableCount))
        encoder.write(UInt32(planes?.bits ?? 0))
        encoder.write(UInt32(plannedRows))
        encoder.write(planes?.squaredRadius ?? 0)
        encoder.write(planes?.centre ?? [])
        let all = rows.first(.max)
        encoder.write(all.map(\.rawValue))
        // The same product gives the same number again.
        encoder.write(all.isEmpty ? [] : (prepare(all[...], StoreMemory()) as? HashedRows)?.codes ?? [])
        return encoder.bytes
    }

    convenience init(
        decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration
    ) throws(IndexDecodingError) {
        var decoder = try IndexDecoder(bytes, .lsh, version: Self.version, store: store)
        let tableCount = Int(try decoder.readUInt32())
        let bits = Int(try decoder.readUInt32())
        let plannedRows = Int(try decoder.readUInt32())
        let squaredRadius = try decoder.readFloat()
        let centre = try decoder.readArray(of: Float.self)
        let rows = try decoder.readRows()
        guard tableCount == configuration[.tables], configuration[.bits] == 0 || bits == 0 || bits == configuration[.bits],
            bits <= IndexParameter.bits.range.upperBound, bits > 0 || rows.isEmpty
        else { throw IndexDecodingError("\(tableCount) tables of \(bits) bits") }
        let codes = try decoder.readArray(of: UInt32.self, count: rows.count * tableCount)
        try decoder.finish()
        guard squaredRadius.isFinite, squaredRadius >= 0, centre.isEmpty || centre.count == store.dimension, centre.allSatisfy(\.isFinite),
            codes.allSatisfy({ $0 < 1 << UInt32(bits) })
        else { throw IndexDecodingError("the planes make no sense") }

        self.init(store: store, configuration)
        guard bits > 0 else { return }
        let all = RowSet(rows.map { Row($0) })
        guard all.count == rows.count else { throw IndexDecodingError("a row twice") }
        planes = Hyperplanes(store, tables: tableCount, bits: bits, centre: centre, squaredRadius: squaredRadius)
        tables = Array(repeating: HashTable(bits: bits), count: tableCount)
        self.plannedRows = plannedRows
        makeRoom(for: rows.map { Row($0) })
        publish([HashedRows(rows: rows.map { Row($0) }[...], codes: codes)])
    }
}

/// Marks that wait for a search, as many as ran at a time.
final class MarksPool: Sendable {
    private let lock = Lock()
    // Sound: read and written under `lock`.
    nonisolated(unsafe) private var free: [RowMarks] = []

    deinit {
        for marks in free { marks.deallocate() }
    }

    /// Of those that wait.
    var sizeInBytes: Int { lock.withLock { free.reduce(0) { $0 + $1.sizeInBytes } } }

    func withMarks(rowCount: Int, _ body: (inout RowMarks) -> Void) {
        var marks = lock.withLock { free.popLast() } ?? RowMarks()
        marks.reserve(rowCount: rowCount)
        body(&marks)
        marks.clear()
        lock.withLock { free.append(marks) }
    }
}
