import Locks

/// Rows in hash tables by which side of random hyperplanes they are on (`Hyperplanes`); a search reads the bucket of the query
/// in each table and those most likely to have near rows (`BucketOrder`).
///
/// The first batch is what the medians are taken of, and how many buckets to read is measured on it (`ProbeCalibration`).
/// Rows come in by the logarithmic method of Bentley and Saxe, as they do into `KDTreeIndex`: segments never change, and
/// a batch becomes one segment with those that are no larger than twice what has been gathered so far.
final class LSHIndex: VectorIndex {
    let store: VectorStore
    private var configuration: IndexConfiguration
    /// None before the first batch.
    private(set) var training: Training?
    /// The largest first.
    private(set) var segments: [BucketSegment] = []
    /// The rows of all segments.
    private(set) var known = RowSet()
    let scratch = LSHScratchPool()
    /// What `prepareToForget` made, by segment; several threads do.
    private var replacements: [ObjectIdentifier: BucketSegment] = [:]
    private let replacementsLock = Lock()

    private static let version: UInt32 = 1

    struct Training {
        let hyperplanes: Hyperplanes
        let calibration: ProbeCalibration
        /// Rows of the first batch.
        let rows: Int
    }

    init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.store = store
        self.configuration = configuration
    }

    var count: Int { known.count }

    var rows: RowSet { known }

    var statistics: IndexStatistics {
        IndexStatistics(
            kind: .lsh, bytes: segments.reduce(training?.hyperplanes.sizeInBytes ?? 0) { $0 + $1.sizeInBytes },
            details: [
                .init(name: "tables", value: Double(configuration[.tables])),
                .init(name: "bits", value: Double(training?.hyperplanes.bits ?? configuration[.bits])),
                .init(name: "probes", value: Double(probes(count: 10, eligible: count))),
                .init(name: "trained_rows", value: Double(training?.rows ?? 0)),
                .init(name: "segments", value: Double(segments.count)),
            ])
    }

    // One segment is made of all that waits.
    var batchSize: Int { .max }
    var pieceSize: Int { .max }

    /// Buckets of four times as many rows as was thought could be two bits finer.
    var isOutgrown: Bool {
        guard let training else { return false }
        return configuration[.bits] == 0 && count >= 4 * training.rows
    }

    func adopt(_ configuration: IndexConfiguration) {
        self.configuration = configuration
    }

    /// Buckets of each table that a search reads.
    func probes(count wanted: Int, eligible: Int) -> Int {
        guard let training else { return 0 }
        let chosen = configuration[.probes]
        return min(
            1 << training.hyperplanes.bits,
            chosen > 0 ? chosen : training.calibration.probes(count: wanted, eligible: eligible, of: count))
    }

    // MARK: Rows

    private struct Prepared: PreparedRows {
        let rows: [UInt32]
        let segment: BucketSegment
        let merged: Set<ObjectIdentifier>
        /// If it was the first batch.
        let training: Training?
    }

    func makeRoom(for rows: [Row]) {}

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        let rows = rows.map(\.rawValue)
        var random = SeededRandom(seed: 0x6c7368)
        let hyperplanes = training?.hyperplanes ?? draw(rows, memory, &random)
        let codes = hyperplanes.codes(of: rows, over: store, memory)
        var merged = [BucketSegment(bits: hyperplanes.bits, entries: codes.map { (rows, $0) })]
        var size = rows.count
        for segment in segments.reversed() where segment.rowCount <= 2 * size {
            merged.append(segment)
            size += segment.rowCount
        }
        return Prepared(
            rows: rows,
            segment: merged.count == 1 ? merged[0] : BucketSegment(merging: merged),
            merged: Set(merged.dropFirst().map { ObjectIdentifier($0) }),
            training: training == nil && !rows.isEmpty
                ? Training(
                    hyperplanes: hyperplanes, calibration: calibrate(hyperplanes, rows, codes, memory, &random), rows: rows.count)
                : nil)
    }

    func publish(_ pieces: [any PreparedRows]) {
        // Made of what is about to change, by work that was cancelled.
        replacements = [:]
        for case let piece as Prepared in pieces where piece.segment.rowCount > 0 {
            let before = segments.count
            segments.removeAll { piece.merged.contains(ObjectIdentifier($0)) }
            precondition(before - segments.count == piece.merged.count, "a segment is merged into one other")
            segments.append(piece.segment)
            for row in piece.rows { known.insert(Row(row)) }
            if let training = piece.training {
                precondition(self.training == nil, "the first batch is one piece")
                self.training = training
            }
        }
        segments.sort { $0.rowCount > $1.rowCount }
    }

    func prepareToForget(_ rows: RowSet, part: Int, of parts: Int, _ memory: StoreMemory) {
        for number in stride(from: part, to: segments.count, by: parts) {
            let replacement = segments[number].without(rows)
            replacementsLock.withLock { replacements[ObjectIdentifier(segments[number])] = replacement }
        }
    }

    func forget(_ rows: RowSet) {
        segments = segments.map { replacements[ObjectIdentifier($0)] ?? $0.without(rows) }.filter { $0.rowCount > 0 }
        segments.sort { $0.rowCount > $1.rowCount }
        replacements = [:]
        rows.forEach { known.remove($0) }
    }

    func check(part: Int, of parts: Int, known: RowBits) -> IndexCheck {
        var check = IndexCheck()
        for number in stride(from: part, to: segments.count, by: parts) { check.follow(segments[number].rows, known: known) }
        return check
    }

    // MARK: Training

    private func draw(_ rows: [UInt32], _ memory: StoreMemory, _ random: inout SeededRandom) -> Hyperplanes {
        let sample = store.copyVectors(of: random.sample(2048, of: rows), memory)
        return Hyperplanes(tables: configuration[.tables], bits: bitCount(for: rows.count), sample: sample, over: store, &random)
    }

    private func bitCount(for rows: Int) -> Int {
        let chosen = configuration[.bits]
        guard chosen == 0 else { return chosen }
        // 8 to 16 rows a bucket: finer ones are read for fewer rows compared, but then finding them costs as much as is saved.
        let rowBits = Int.bitWidth - max(rows, 1).leadingZeroBitCount - 1
        return max(1, min(rowBits - 3, IndexParameter.bits.range.upperBound))
    }

    /// Buckets after which a neighbour counts as not found but by reading all.
    private static var deepestRank: Int { 4096 }

    private func calibrate(
        _ hyperplanes: Hyperplanes, _ rows: [UInt32], _ codes: [[UInt32]], _ memory: StoreMemory, _ random: inout SeededRandom
    ) -> ProbeCalibration {
        let queries = SampleQueries(of: rows, over: store, memory, &random)
        let limit = 1 << hyperplanes.bits
        var order = BucketOrder()
        var margins = [Float](repeating: 0, count: hyperplanes.count)
        let ranks = queries.neighbors.enumerated().map { query, neighbors in
            var ranks = neighbors.map { _ in limit }
            hyperplanes.computeMargins(ofQuery: queries.vectors[query], into: &margins)
            for table in 0..<hyperplanes.tables {
                var wanted: [UInt32: [Int]] = [:]
                for (number, neighbor) in neighbors.enumerated() { wanted[codes[table][neighbor], default: []].append(number) }
                order.begin(hyperplanes, table: table, margins: margins)
                var rank = 0
                while !wanted.isEmpty, rank < Self.deepestRank, let bucket = order.next() {
                    for number in wanted.removeValue(forKey: bucket) ?? [] { ranks[number] = min(ranks[number], rank) }
                    rank += 1
                }
            }
            return ranks
        }
        return ProbeCalibration(ranks: ranks, limit: limit)
    }

    // MARK: Bytes

    /// After the head: bits and tables; rows and probes of the training, 0 rows if there was none and nothing follows; the
    /// largest norm, additional components and offsets of the hyperplanes, each normal; the number of segments and of each,
    /// table by table, the rows and their codes.
    func encoded(rowCount: Int) -> [UInt8] {
        var encoder = IndexEncoder(.lsh, version: Self.version, dimension: store.dimension, rowCount: rowCount)
        encoder.write(UInt32(training?.hyperplanes.tables ?? 0))
        encoder.write(UInt32(training?.hyperplanes.bits ?? 0))
        encoder.write(UInt32(training?.rows ?? 0))
        guard let training else { return encoder.bytes }
        let hyperplanes = training.hyperplanes
        encoder.write(UInt32(training.calibration.forTen))
        encoder.write(UInt32(training.calibration.forHundred))
        encoder.write(hyperplanes.largestNorm)
        encoder.write(hyperplanes.additional)
        encoder.write(hyperplanes.offsets)
        for number in 0..<hyperplanes.count {
            encoder.write(UnsafeBufferPointer(start: UnsafePointer(hyperplanes.normals[number]), count: store.dimension))
        }
        encoder.write(UInt32(segments.count))
        for segment in segments {
            for table in 0..<hyperplanes.tables {
                let (rows, codes) = segment.entries(ofTable: table)
                encoder.write(rows)
                encoder.write(codes)
            }
        }
        return encoder.bytes
    }

    init(decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration) throws(IndexDecodingError) {
        self.store = store
        self.configuration = configuration
        var decoder = try IndexDecoder(bytes, .lsh, version: Self.version, store: store)
        let tables = Int(try decoder.readUInt32())
        let bits = Int(try decoder.readUInt32())
        let trainedRows = Int(try decoder.readUInt32())
        guard trainedRows > 0 else {
            try decoder.finish()
            return
        }
        guard tables == configuration[.tables], IndexParameter.bits.range.contains(bits), bits > 0, trainedRows <= decoder.rowLimit else {
            throw IndexDecodingError("\(tables) tables of \(bits) bits, \(trainedRows) rows")
        }
        let calibration = ProbeCalibration(forTen: Int(try decoder.readUInt32()), forHundred: Int(try decoder.readUInt32()))
        guard calibration.fits(limit: 1 << bits) else {
            throw IndexDecodingError("\(calibration)")
        }
        let hyperplanes = try Self.decodeHyperplanes(&decoder, tables: tables, bits: bits, over: store)
        var count = 0
        for _ in 0..<(try decoder.readUInt32()) {
            var entries: [(rows: [UInt32], codes: [UInt32])] = []
            for _ in 0..<tables {
                let rows = try decoder.readRows(count: entries.first?.rows.count)
                let codes = try decoder.readArray(of: UInt32.self, count: rows.count)
                guard codes.allSatisfy({ Int($0) < 1 << bits }) else { throw IndexDecodingError("a bucket beyond the last") }
                entries.append((rows, codes))
            }
            let segmentRows = RowSet(entries[0].rows.lazy.map { Row($0) })
            guard segmentRows.count > 0, entries.allSatisfy({ RowSet($0.rows.lazy.map { Row($0) }).words == segmentRows.words }) else {
                throw IndexDecodingError("tables of different rows")
            }
            segmentRows.forEach { known.insert($0) }
            count += entries[0].rows.count
            segments.append(BucketSegment(bits: bits, entries: entries))
        }
        try decoder.finish()
        guard known.count == count else { throw IndexDecodingError("a row twice") }
        training = Training(hyperplanes: hyperplanes, calibration: calibration, rows: trainedRows)
    }

    private static func decodeHyperplanes(
        _ decoder: inout IndexDecoder, tables: Int, bits: Int, over store: VectorStore
    ) throws(IndexDecodingError) -> Hyperplanes {
        let largestNorm = try decoder.readFloat()
        let additional = try decoder.readArray(of: Float.self, count: tables * bits)
        let offsets = try decoder.readArray(of: Float.self, count: tables * bits)
        guard largestNorm.isFinite, largestNorm > 0, (additional + offsets).allSatisfy(\.isFinite) else {
            throw IndexDecodingError("hyperplanes at no place")
        }
        let normals = VectorTable(count: tables * bits, dimension: store.dimension)
        for number in 0..<normals.count {
            let normal = try decoder.readArray(of: Float.self, count: store.dimension)
            guard normal.allSatisfy(\.isFinite) else { throw IndexDecodingError("a hyperplane without a direction") }
            normals[number].update(from: normal, count: store.dimension)
        }
        return Hyperplanes(
            tables: tables, bits: bits, normals: normals, additional: additional, offsets: offsets, largestNorm: largestNorm, over: store)
    }
}
