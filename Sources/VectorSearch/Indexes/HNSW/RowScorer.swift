import CVectorKernels

/// Distances from one query to rows, several at a time: the only thing in which a walk by vectors and one by codes differ.
/// Walks are generic over it, so each gets code of its own.
protocol RowScorer {
    func score(_ rows: UnsafePointer<UInt32>, _ count: Int, into distances: UnsafeMutablePointer<Float>)
    /// Asks for the first lines of a row that will be looked at soon.
    func prefetch(_ row: UInt32)
    /// Keeps of the rows those that may be nearer than `bound`, in their order, and returns how many.
    func keepNear(_ rows: UnsafeMutablePointer<UInt32>, _ count: Int, than bound: Float) -> Int
}

/// Scores by the vectors themselves.
struct VectorScorer: RowScorer {
    private let block: quire_block
    private let set: quire_instruction_set
    private let metric: quire_metric
    private let sieve: SketchTable.Sieve?

    /// From a query, normalised under cosine. Given sketches, rows are looked at by these first.
    init(_ query: PreparedQuery, _ sketches: SketchTable?, _ scratch: HNSWScratch) {
        let sieve = sketches.map { $0.sieve(query.vector, factor: 1, rotated: scratch.rotated) }
        self.init(query.store, query.vector, scale: 1, sieve)
    }

    /// From a row of the store.
    init(_ store: VectorStore, row: UInt32) {
        self.init(store, store.vectors.base + Int(row) * store.stride, scale: store.inverseNorms.base[Int(row)], nil)
    }

    init(_ store: VectorStore, row: UInt32, _ sketches: SketchTable, _ scratch: HNSWScratch) {
        let vector = store.vectors.base + Int(row) * store.stride
        let scale = store.inverseNorms.base[Int(row)]
        let sieve = sketches.sieve(vector, factor: store.metric == .cosine ? scale : 1, rotated: scratch.rotated)
        self.init(store, vector, scale: scale, sieve)
    }

    private init(_ store: VectorStore, _ query: UnsafePointer<Float>, scale: Float, _ sieve: SketchTable.Sieve?) {
        self.sieve = sieve
        block = quire_block(
            query: query, query_scale: scale, table: store.vectors.base, inverse_norms: store.inverseNorms.base,
            stride: store.stride, dimension: store.dimension, ids: nil, count: 0)
        set = store.instructionSet.kernel
        metric = store.metric.kernel
    }

    @inline(__always)
    func score(_ rows: UnsafePointer<UInt32>, _ count: Int, into distances: UnsafeMutablePointer<Float>) {
        var block = block
        block.ids = rows
        block.count = count
        quire_distances(set, metric, &block, distances)
    }

    @inline(__always)
    func prefetch(_ row: UInt32) {
        if let sieve { return sieve.prefetch(row) }
        let start = UnsafeRawPointer(block.table + Int(row) * block.stride)
        quire_prefetch_line(start)
        quire_prefetch_line(start + 64)
    }

    @inline(__always)
    func keepNear(_ rows: UnsafeMutablePointer<UInt32>, _ count: Int, than bound: Float) -> Int {
        guard let sieve, bound < .infinity else { return count }
        return sieve.keepNear(rows, count, than: bound)
    }
}

/// Scores by codes, of the query and of the rows.
struct CodeScorer: RowScorer {
    private let block: quire_code_block
    private let set: quire_instruction_set
    private let metric: quire_metric

    /// From a query's signed codes, which stay where they are while the scorer is used.
    init(_ store: VectorStore, _ codes: UnsafePointer<Int8>, scale: Float, sum: Int32, norm: Float) {
        guard let table = store.codes else { preconditionFailure("codes are kept while an index uses them") }
        block = quire_code_block(
            query: codes, query_scale: scale, query_sum: sum, query_norm: norm, table: table.codes.base, scales: table.scales.base,
            norms: table.norms.base, stride: table.stride, dimension: store.dimension, ids: nil, count: 0)
        set = store.instructionSet.kernel
        metric = store.metric.kernel
    }

    @inline(__always)
    func score(_ rows: UnsafePointer<UInt32>, _ count: Int, into distances: UnsafeMutablePointer<Float>) {
        var block = block
        block.ids = rows
        block.count = count
        quire_code_distances(set, metric, &block, distances)
    }

    @inline(__always)
    func prefetch(_ row: UInt32) {
        let start = UnsafeRawPointer(block.table + Int(row) * block.stride)
        quire_prefetch_line(start)
        quire_prefetch_line(start + 64)
    }

    @inline(__always)
    func keepNear(_ rows: UnsafeMutablePointer<UInt32>, _ count: Int, than bound: Float) -> Int { count }
}

/// What a row is compared with others for, while the graph is built. A scorer of a role is used until the next of that role.
enum ScorerRole {
    /// The row that is being linked, and finds its way.
    case walk
    /// The row whose links are chosen.
    case base
    /// A row that may be chosen.
    case choice
}

/// Makes scorers from rows.
protocol RowScorers {
    associatedtype Scorer: RowScorer
    func scorer(of row: UInt32, for role: ScorerRole) -> Scorer
}

struct VectorScorers: RowScorers {
    let store: VectorStore
    let sketches: SketchTable?
    let scratch: HNSWScratch

    @inline(__always)
    func scorer(of row: UInt32, for role: ScorerRole) -> VectorScorer {
        guard let sketches, role == .walk else { return VectorScorer(store, row: row) }
        return VectorScorer(store, row: row, sketches, scratch)
    }
}

struct CodeScorers: RowScorers {
    let store: VectorStore
    let scratch: HNSWScratch

    @inline(__always)
    func scorer(of row: UInt32, for role: ScorerRole) -> CodeScorer { scratch.codeScorer(store, row: row, for: role) }
}
