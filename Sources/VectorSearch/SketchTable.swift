import CVectorKernels

/// A bit a component for each row, around a centre, from which a distance is estimated: most rows that are too far are known to
/// be from one cache line, without their vectors being read.
///
/// RaBitQ (Gao and Long, SIGMOD 2024), as a sieve before exact distances: a row is left out if even an estimate that is off by
/// `deviations` standard deviations in its favour is above the bound. That loses one near row in some hundred thousand.
///
/// Costs 12 bytes and a bit a component for each row. On processors without AVX-512 there are none.
final class SketchTable {
    /// Vectors of fewer components are read almost as fast as their sketches, whose estimates are vaguer. Measured at recall .95: a
    /// tenth slower with 128, a fifteenth faster with 192, an eighth with 256.
    private static let smallestDimension = 160
    private static let deviations: Float = 1.9

    private let dimension: Int
    private let metric: Metric
    let stride: Int
    /// The mean of the first rows (of norm 1 under cosine).
    let centre: [Float]
    private let signs: [Float]
    private(set) var sketches = GrowableBuffer<UInt8>()

    static func serves(_ store: VectorStore) -> Bool {
        store.dimension >= smallestDimension
            && (store.instructionSet == .avx512 || store.instructionSet == .avx512VNNI)
    }

    init(_ store: VectorStore, centre: [Float]) {
        dimension = store.dimension
        metric = store.metric
        self.centre = centre
        stride = (quire_sketch_stride(dimension) + 7) & ~7
        let count = Int(QUIRE_ROTATION_ROUNDS) * quire_rotated_dimension(dimension)
        signs = Array(unsafeUninitializedCapacity: count) { signs, initialized in
            quire_draw_rotation(store.dimension, signs.baseAddress!)
            initialized = count
        }
    }

    deinit {
        sketches.deallocate()
    }

    static func centre(of rows: some Collection<Row>, in store: VectorStore) -> [Float] {
        var sum = [Double](repeating: 0, count: store.dimension)
        for row in rows {
            let offset = Int(row.rawValue)
            let scale = store.metric == .cosine ? store.inverseNorms.base[offset] : 1
            let vector = store.vectors.base + offset * store.stride
            for index in sum.indices { sum[index] += Double(vector[index] * scale) }
        }
        return sum.map { Float($0 / Double(max(rows.count, 1))) }
    }

    func sizeInBytes(ofFirst rows: Int) -> Int { sketches.sizeInBytes(ofFirst: rows * stride) }

    func makeRoom(for rows: Int) { sketches.reserve(rows * stride) }

    /// Writes the sketch of a row that has room. Threads may write those of different rows together.
    ///
    /// - Parameter rotated: `rotatedCount` floats that are left with the row, rotated.
    func write(_ row: UInt32, of store: VectorStore, rotated: UnsafeMutablePointer<Float>) {
        let vector = store.vectors.base + Int(row) * store.stride
        let factor = metric == .cosine ? store.inverseNorms.base[Int(row)] : 1
        quire_rotate(signs, vector, factor, centre, dimension, rotated)
        quire_write_sketch(rotated, dimension, sketches.base + Int(row) * stride)
    }

    var rotatedCount: Int { quire_rotated_dimension(dimension) }

    /// What leaves rows out for a query, valid while `rotated` is left as it is.
    ///
    /// - Parameter factor: what makes the query's norm 1 under cosine.
    func sieve(_ query: UnsafePointer<Float>, factor: Float, rotated: UnsafeMutablePointer<Float>) -> Sieve {
        var offset: Float = 0
        if metric == .dot {
            quire_rotate(signs, query, factor, nil, dimension, rotated)
            for index in 0..<dimension { offset += query[index] * centre[index] }
        } else {
            quire_rotate(signs, query, factor, centre, dimension, rotated)
        }
        var sum: Float = 0
        var square: Float = 0
        for index in 0..<rotatedCount {
            sum += rotated[index]
            square += rotated[index] * rotated[index]
        }
        return Sieve(
            query: quire_sketch_query(
                query: rotated, sum: sum, square: square, norm: square.squareRoot(), offset: offset, table: sketches.base,
                stride: stride, dimension: dimension),
            metric: metric.kernel)
    }

    /// A query made ready to be compared with sketches.
    struct Sieve {
        fileprivate let query: quire_sketch_query
        fileprivate let metric: quire_metric

        /// Keeps of the rows those that may be nearer than `bound`, in their order, and returns how many.
        @inline(__always)
        func keepNear(_ rows: UnsafeMutablePointer<UInt32>, _ count: Int, than bound: Float) -> Int {
            withUnsafePointer(to: query) { quire_keep_near(metric, $0, rows, count, bound, SketchTable.deviations) }
        }

        @inline(__always)
        func prefetch(_ row: UInt32) {
            quire_prefetch_line(query.table + Int(row) * query.stride)
        }
    }
}
