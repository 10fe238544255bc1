import CVectorKernels

/// Vectors of an index's own, such as centroids, as the kernels read them: from a cache line on, one after the other.
final class VectorTable {
    let count: Int
    let dimension: Int
    /// Floats from one vector to the next: whole cache lines, the rest of the last one zero.
    let stride: Int
    let base: UnsafeMutablePointer<Float>

    init(count: Int, dimension: Int) {
        self.count = count
        self.dimension = dimension
        stride = (dimension + 15) & ~15
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count * stride, 1) * MemoryLayout<Float>.stride, alignment: 64)
        base = memory.initializeMemory(as: Float.self, repeating: 0, count: count * stride)
    }

    deinit {
        base.deallocate()
    }

    var sizeInBytes: Int { count * stride * MemoryLayout<Float>.stride }

    subscript(number: Int) -> UnsafeMutablePointer<Float> { base + number * stride }

    /// Writes the distances of `query` to the vectors of `range`.
    func computeDistances(
        of query: UnsafePointer<Float>, to range: Range<Int>, metric: Metric, _ instructionSet: InstructionSet,
        into distances: UnsafeMutablePointer<Float>
    ) {
        precondition(metric != .cosine, "vectors of norm 1 are compared by dot")
        var block = quire_block(
            query: query, query_scale: 1, table: self[range.lowerBound], inverse_norms: nil, stride: stride, dimension: dimension, ids: nil,
            count: range.count)
        quire_distances(instructionSet.kernel, metric.kernel, &block, distances)
    }

    func scale(_ number: Int, by factor: Float) {
        for component in 0..<dimension { self[number][component] *= factor }
    }
}

extension VectorStore {
    /// Copies the vectors of `rows`, of norm 1 under cosine, so that they can be worked on without being pinned.
    func copyVectors(of rows: [UInt32], _ memory: StoreMemory) -> VectorTable {
        let table = VectorTable(count: rows.count, dimension: dimension)
        rows.withUnsafeBufferPointer { rows in
            forEachVector(of: rows, components: dimension, memory) { position, vector, factor in
                table[position].update(from: vector, count: dimension)
                if factor != 1 { table.scale(position, by: factor) }
            }
        }
        return table
    }
}
