import Locks

/// Rows in lists by their nearest centroid; a search reads the lists of the centroids that are nearest to the query (an
/// inverted file: Sivic and Zisserman, "Video Google", ICCV 2003; Jégou, Douze and Schmid, "Product quantization for nearest
/// neighbor search", PAMI 2011, section IV, here without product quantisation).
///
/// The first batch is what the centroids are found from, and how many lists to read is measured on it (`ProbeCalibration`).
/// A search whose lists have fewer rows than it is asked for goes on with the next nearest lists until there are enough.
final class IVFIndex: VectorIndex {
    let store: VectorStore
    private var configuration: IndexConfiguration
    /// None before the first batch.
    private(set) var quantizer: CoarseQuantizer?
    private(set) var lists: [[UInt32]] = []
    private(set) var count = 0
    /// What `prepareToForget` made, by list; several threads do.
    private var replacements: [Int: [UInt32]] = [:]
    private let replacementsLock = Lock()

    private static let version: UInt32 = 1

    init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.store = store
        self.configuration = configuration
    }

    var rows: RowSet { RowSet(lists.joined().lazy.map { Row($0) }) }

    var statistics: IndexStatistics {
        let rowBytes = lists.reduce(0) { $0 + $1.capacity * MemoryLayout<UInt32>.stride + MemoryLayout<[UInt32]>.stride }
        return IndexStatistics(
            kind: .ivf, bytes: rowBytes + (quantizer?.centroids.sizeInBytes ?? 0),
            details: [
                .init(name: "nlist", value: Double(lists.count)),
                .init(name: "nprobe", value: Double(probes(count: 10, eligible: count))),
                .init(name: "trained_rows", value: Double(quantizer?.trainedRows ?? 0)),
                .init(name: "largest_list", value: Double(lists.map(\.count).max() ?? 0)),
            ])
    }

    // Everything that is there when the centroids are found takes part in it; afterwards rows are independent.
    var batchSize: Int { quantizer == nil ? .max : 16_384 }
    var pieceSize: Int { quantizer == nil ? .max : 1024 }

    /// Lists of four times as many rows as was thought cost twice what they could; and fewer lists than were chosen there are
    /// only while there are fewer rows.
    var isOutgrown: Bool {
        guard let quantizer else { return false }
        return count >= 4 * quantizer.trainedRows && (configuration[.nlist] == 0 || quantizer.count < configuration[.nlist])
    }

    func adopt(_ configuration: IndexConfiguration) {
        self.configuration = configuration
    }

    /// Lists that a search reads, unless they have too few rows.
    func probes(count wanted: Int, eligible: Int) -> Int {
        guard let quantizer else { return 0 }
        let chosen = configuration[.nprobe]
        return min(quantizer.count, chosen > 0 ? chosen : quantizer.calibration.probes(count: wanted, eligible: eligible, of: count))
    }

    // MARK: Rows

    private struct Prepared: PreparedRows {
        let rows: [UInt32]
        let lists: [UInt32]
    }

    private struct Trained: PreparedRows {
        let quantizer: CoarseQuantizer
        let lists: [[UInt32]]
    }

    func makeRoom(for rows: [Row]) {}

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        let rows = rows.map(\.rawValue)
        guard let quantizer else { return train(rows, memory) }
        return Prepared(rows: rows, lists: quantizer.lists(of: rows[...], over: store, memory))
    }

    func publish(_ pieces: [any PreparedRows]) {
        // Made of what is about to change, by work that was cancelled.
        replacements = [:]
        for piece in pieces {
            switch piece {
            case let piece as Trained:
                precondition(quantizer == nil, "the first batch is one piece")
                quantizer = piece.quantizer
                lists = piece.lists
                count = piece.quantizer.trainedRows
            case let piece as Prepared:
                for (row, list) in zip(piece.rows, piece.lists) { lists[Int(list)].append(row) }
                count += piece.rows.count
            default:
                preconditionFailure("pieces come from prepare")
            }
        }
    }

    func prepareToForget(_ rows: RowSet, part: Int, of parts: Int, _ memory: StoreMemory) {
        rows.withBits { forgotten in
            for number in stride(from: part, to: lists.count, by: parts) where lists[number].contains(where: forgotten.contains) {
                let left = lists[number].filter { !forgotten.contains($0) }
                replacementsLock.withLock { replacements[number] = left }
            }
        }
    }

    func forget(_ rows: RowSet) {
        for (number, left) in replacements {
            count -= lists[number].count - left.count
            lists[number] = left
        }
        replacements = [:]
    }

    func check(part: Int, of parts: Int, known: RowBits) -> IndexCheck {
        var check = IndexCheck()
        for number in stride(from: part, to: lists.count, by: parts) { check.follow(lists[number], known: known) }
        return check
    }

    // MARK: Training

    /// Lists for so many rows. On text embeddings (20,000 × 384) √n, 2·√n, 4·√n and 8·√n lists need 22, 20, 14 and 9 % of the
    /// rows compared for the same recall, but finding centroids takes a time in proportion to rows and lists.
    private func listCount(for rows: Int) -> Int {
        let chosen = configuration[.nlist]
        let wanted = chosen > 0 ? chosen : Int(4 * Double(rows).squareRoot())
        return max(1, min(wanted, rows))
    }

    private func train(_ rows: [UInt32], _ memory: StoreMemory) -> any PreparedRows {
        var random = SeededRandom(seed: 0x697666)
        let listCount = listCount(for: rows.count)
        guard !rows.isEmpty else { return Prepared(rows: [], lists: []) }
        let sampleCount = max(min(CoarseQuantizer.samplePerList * listCount, CoarseQuantizer.largestSample), listCount)
        let sample = store.copyVectors(of: random.sample(sampleCount, of: rows), memory)
        let centroids = KMeans.centroids(
            listCount, of: sample, metric: CoarseQuantizer.assignmentMetric(store.metric), store.instructionSet, &random)

        let untested = CoarseQuantizer(
            centroids: centroids, trainedRows: rows.count, calibration: ProbeCalibration(forTen: 1, forHundred: 1), over: store)
        let assigned = untested.lists(of: rows[...], over: store, memory)
        var lists = [[UInt32]](repeating: [], count: listCount)
        for (row, list) in zip(rows, assigned) { lists[Int(list)].append(row) }
        let calibration = calibrate(untested, rows, assigned, memory, &random)
        return Trained(
            quantizer: CoarseQuantizer(centroids: centroids, trainedRows: rows.count, calibration: calibration, over: store), lists: lists)
    }

    private func calibrate(
        _ quantizer: CoarseQuantizer, _ rows: [UInt32], _ assigned: [UInt32], _ memory: StoreMemory, _ random: inout SeededRandom
    ) -> ProbeCalibration {
        let queries = SampleQueries(of: rows, over: store, memory, &random)
        var rankOfList = [Int](repeating: 0, count: quantizer.count)
        let ranks = queries.neighbors.enumerated().map { query, neighbors in
            var order = quantizer.order(queries.vectors[query])
            var rank = 0
            while let list = order.next() {
                rankOfList[list] = rank
                rank += 1
            }
            return neighbors.map { rankOfList[Int(assigned[$0])] }
        }
        return ProbeCalibration(ranks: ranks, limit: quantizer.count)
    }

    // MARK: Search

    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        guard let quantizer, request.count > 0 else { return IndexOutcome(scored: 0, isExact: count == 0 || request.count == 0) }
        let probes = probes(count: request.count, eligible: request.eligibleCount)
        var candidates = CandidateBlock(query)
        var order = quantizer.order(query.vector)
        var read = 0
        var met = 0
        var found = 0
        while read < probes || found < request.count, let list = order.next() {
            lists[list].withUnsafeBufferPointer { rows in
                for row in rows where request.eligible.contains(row) {
                    candidates.add(row, into: &nearest)
                    found += 1
                }
            }
            read += 1
            met += lists[list].count
        }
        candidates.flush(into: &nearest)
        let isExact = read == quantizer.count || found == request.eligibleCount
        return IndexOutcome(
            scored: candidates.scored, isExact: isExact, strategy: .postFilter,
            isReliable: isExact || request.admits(found, of: met, outOf: count))
    }

    // MARK: Bytes

    /// After the head: the rows at training and the two counts of the calibration; the number of centroids and their components; the rows
    /// by list, and where each list begins.
    func encoded(rowCount: Int) -> [UInt8] {
        var encoder = IndexEncoder(.ivf, version: Self.version, dimension: store.dimension, rowCount: rowCount)
        encoder.write(UInt32(quantizer?.trainedRows ?? 0))
        encoder.write(UInt32(quantizer?.calibration.forTen ?? 0))
        encoder.write(UInt32(quantizer?.calibration.forHundred ?? 0))
        encoder.write(UInt32(quantizer?.count ?? 0))
        for number in 0..<(quantizer?.count ?? 0) {
            encoder.write(UnsafeBufferPointer(start: UnsafePointer(quantizer!.centroids[number]), count: store.dimension))
        }
        encoder.write(Array(lists.joined()))
        encoder.write(lists.reduce(into: [0]) { $0.append($0.last! + UInt32($1.count)) })
        return encoder.bytes
    }

    init(decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration) throws(IndexDecodingError) {
        self.store = store
        self.configuration = configuration
        var decoder = try IndexDecoder(bytes, .ivf, version: Self.version, store: store)
        let trainedRows = Int(try decoder.readUInt32())
        let calibration = ProbeCalibration(forTen: Int(try decoder.readUInt32()), forHundred: Int(try decoder.readUInt32()))
        let listCount = Int(try decoder.readUInt32())
        guard listCount <= decoder.rowLimit, trainedRows <= decoder.rowLimit, listCount <= trainedRows,
            listCount == 0 || calibration.fits(limit: listCount)
        else { throw IndexDecodingError("\(listCount) lists of \(trainedRows) rows, \(calibration)") }
        var components: [[Float]] = []
        for _ in 0..<listCount {
            let centroid = try decoder.readArray(of: Float.self, count: store.dimension)
            guard centroid.allSatisfy(\.isFinite) else { throw IndexDecodingError("a centroid at no place") }
            components.append(centroid)
        }
        let rows = try decoder.readRows()
        let starts = try decoder.readArray(of: UInt32.self, count: listCount + 1)
        try decoder.finish()
        guard starts.first == 0, starts.last == UInt32(rows.count), zip(starts, starts.dropFirst()).allSatisfy(<=) else {
            throw IndexDecodingError("lists that overlap")
        }
        guard RowSet(rows.lazy.map { Row($0) }).count == rows.count else { throw IndexDecodingError("a row twice") }
        guard listCount > 0 else { return }

        let centroids = VectorTable(count: listCount, dimension: store.dimension)
        for (number, centroid) in components.enumerated() { centroids[number].update(from: centroid, count: centroid.count) }
        quantizer = CoarseQuantizer(centroids: centroids, trainedRows: trainedRows, calibration: calibration, over: store)
        lists = (0..<listCount).map { Array(rows[Int(starts[$0])..<Int(starts[$0 + 1])]) }
        count = rows.count
    }
}
