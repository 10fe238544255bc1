import CVectorKernels

/// A code of one byte a component for each row of a store: what it stands for is near enough to the vector to tell far rows
/// from near ones, in a quarter of the memory traffic.
///
/// Scalar quantisation with a scale for each vector: component i is about scale · (code − 128), the scale being the largest
/// magnitude over 127. Under cosine the coded vector is the one of norm 1. `errors` bounds how far vector and code are apart,
/// so distances to codes bound the true ones.
final class CodeTable {
    let dimension: Int
    let metric: Metric
    /// Bytes from the start of one row's codes to the next.
    let stride: Int
    private(set) var codes = GrowableBuffer<UInt8>()
    private(set) var scales = GrowableBuffer<Float>()
    /// |what the codes stand for|².
    private(set) var norms = GrowableBuffer<Float>()
    /// |vector − what its codes stand for|.
    private(set) var errors = GrowableBuffer<Float>()

    init(dimension: Int, metric: Metric) {
        self.dimension = dimension
        self.metric = metric
        let padded = (dimension + 63) & ~63
        stride = (padded - dimension) * 8 <= dimension ? padded : dimension
    }

    deinit {
        codes.deallocate()
        scales.deallocate()
        norms.deallocate()
        errors.deallocate()
    }

    /// Rows there is room for.
    var capacity: Int { min(codes.capacity / stride, errors.capacity) }

    func sizeInBytes(ofFirst rows: Int) -> Int {
        codes.sizeInBytes(ofFirst: rows * stride) + scales.sizeInBytes(ofFirst: rows) + norms.sizeInBytes(ofFirst: rows)
            + errors.sizeInBytes(ofFirst: rows)
    }

    func makeRoom(for rows: Int) {
        codes.reserve(rows * stride)
        scales.reserve(rows)
        norms.reserve(rows)
        errors.reserve(rows)
    }

    /// Gives back the memory of all rows but the first.
    func release(after rows: Int) {
        codes.release(after: rows * stride)
        scales.release(after: rows)
        norms.release(after: rows)
        errors.release(after: rows)
    }

    /// Writes the codes of a row that has room. Threads may encode different rows together.
    func encode(_ row: Row, of store: VectorStore) {
        let offset = Int(row.rawValue)
        let factor = metric == .cosine ? store.inverseNorms.base[offset] : 1
        let coding = quire_encode(store.vectors.base + offset * store.stride, dimension, factor, codes.base + offset * stride)
        scales.base[offset] = coding.scale
        norms.base[offset] = coding.norm
        errors.base[offset] = coding.error
    }
}
