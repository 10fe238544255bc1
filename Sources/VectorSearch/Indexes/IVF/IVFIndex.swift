/// Rows in lists by their nearest centroid; a search reads the lists whose centroids are nearest to the query.
///
/// Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 2011, section 4 (the inverted file), with
/// the vectors themselves in place of product codes. Built in a fraction of the time of a graph and in hardly any memory;
/// searches read some per cent of the rows.
///
/// Cost: 4 bytes a row and a vector a list.
final class IVFIndex: VectorIndex {
    private let store: VectorStore
    /// 0: by the number of rows.
    private let nlist: Int
    /// 0: as many as the sample showed to be needed.
    private var nprobe: Int
    private var quantizer: CoarseQuantizer?
    private var lists: [[UInt32]] = []
    private var rows = 0
    /// Rows when the centroids were made.
    private var trainedRows = 0

    private static let version: UInt32 = 1
    /// Centroids made for fewer rows than this share of them are made anew.
    private static let growth = 4

    init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.store = store
        nlist = configuration[.nlist]
        nprobe = configuration[.nprobe]
    }

    var statistics: IndexStatistics {
        IndexStatistics(
            kind: .ivf,
            bytes: lists.reduce(0) { $0 + $1.capacity * 4 + MemoryLayout<[UInt32]>.stride } + (quantizer?.centroids.count ?? 0) * 4,
            details: [.init(name: "nlist", value: Double(lists.count)), .init(name: "nprobe", value: Double(probes))])
    }

    // The first rows make the centroids; so let them be many.
    var batchSize: Int { quantizer == nil ? .max : 8192 }
    var pieceSize: Int { quantizer == nil ? .max : 256 }
    var isOutgrown: Bool { nlist == 0 && rows >= Self.growth * max(trainedRows, 256) }

    func adopt(_ configuration: IndexConfiguration) {
        nprobe = configuration[.nprobe]
    }

    private var probes: Int { nprobe > 0 ? min(nprobe, lists.count) : quantizer?.usualProbes ?? 0 }

    // MARK: Rows in and out

    func makeRoom(for rows: [Row]) {}

    private struct SortedRows: PreparedRows {
        /// If these rows made it.
        let quantizer: CoarseQuantizer?
        let rows: ArraySlice<Row>
        let lists: [UInt32]
    }

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        let count = nlist > 0 ? nlist : max(1, Int(4 * Double(rows.count).squareRoot()))
        let used = quantizer ?? CoarseQuantizer.train(on: rows, of: store, count: count, memory)
        let lists = withUnsafeTemporaryAllocation(of: Float.self, capacity: used.count) { scratch in
            rows.map { row in memory.pinned { used.list(of: row, in: store, scratch.baseAddress!) } }
        }
        return SortedRows(quantizer: quantizer == nil ? used : nil, rows: rows, lists: lists)
    }

    func publish(_ pieces: [any PreparedRows]) {
        for case let piece as SortedRows in pieces {
            if let made = piece.quantizer {
                quantizer = made
                lists = Array(repeating: [], count: made.count)
                trainedRows = piece.rows.count
            }
            for (row, list) in zip(piece.rows, piece.lists) { lists[Int(list)].append(row.rawValue) }
            rows += piece.rows.count
        }
    }

    func forget(_ gone: RowSet) {
        for list in lists.indices { lists[list].removeAll { gone.contains(Row($0)) } }
        rows -= gone.count
    }

    // MARK: Searching

    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        var outcome = IndexOutcome(scored: 0, isExact: request.eligibleCount == 0, strategy: .postFilter)
        guard let quantizer, request.count > 0, request.eligibleCount > 0 else { return outcome }
        let order = quantizer.order(for: query)
        let wanted = min(request.count, request.eligibleCount)
        var met = 0
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
                // The usual lists; with a filter, more of them until there are enough.
                for (number, place) in order.enumerated() where number < probes || outcome.scored + found < wanted {
                    met += lists[Int(place)].count
                    for row in lists[Int(place)] where request.eligible.contains(row) {
                        list[found] = row
                        found += 1
                        if found == 64 { offer() }
                    }
                }
                offer()
            }
        }
        outcome.isExact = outcome.scored == request.eligibleCount
        outcome.isReliable = request.admits(outcome.scored, of: met, outOf: rows)
        return outcome
    }

    // MARK: Coding

    /// After the head: rows when the centroids were made, usual probes, centroids, and the rows of each list.
    func encoded() -> [UInt8] {
        var encoder = IndexEncoder(.ivf, version: Self.version, store: store)
        encoder.write(UInt32(trainedRows))
        encoder.write(UInt32(quantizer?.usualProbes ?? 0))
        encoder.write(quantizer?.centroids ?? [])
        for list in lists { encoder.write(list) }
        return encoder.bytes
    }

    convenience init(
        decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration
    ) throws(IndexDecodingError) {
        var decoder = try IndexDecoder(bytes, .ivf, version: Self.version, store: store)
        let trainedRows = Int(try decoder.readUInt32())
        let usualProbes = Int(try decoder.readUInt32())
        let centroids = try decoder.readArray(of: Float.self)
        guard centroids.count % store.dimension == 0, centroids.allSatisfy({ $0.isFinite && abs($0) <= 9e18 }) else {
            throw IndexDecodingError("the centroids are not vectors")
        }
        let count = centroids.count / store.dimension
        guard count <= IndexParameter.nlist.range.upperBound * 4, usualProbes <= count else {
            throw IndexDecodingError("\(usualProbes) probes of \(count) lists")
        }
        var lists: [[UInt32]] = []
        var seen = RowSet()
        for _ in 0..<count {
            lists.append(try decoder.readRows())
            for row in lists.last! {
                guard !seen.contains(Row(row)) else { throw IndexDecodingError("row \(row) twice") }
                seen.insert(Row(row))
            }
        }
        try decoder.finish()
        self.init(store: store, configuration)
        self.trainedRows = trainedRows
        if count > 0 { quantizer = CoarseQuantizer(store, centroids: centroids, usualProbes: max(usualProbes, 1)) }
        self.lists = lists
        rows = seen.count
    }
}
