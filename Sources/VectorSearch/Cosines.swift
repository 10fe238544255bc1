import CVectorKernels

/// The cosines of the angles between some of a store's vectors, whatever its metric. Valid while the store does not change.
package struct Cosines {
    private let store: VectorStore
    private let rows: [UInt32]
    /// 0 for a vector that has no direction: its cosines are 0.
    private let inverseNorms: [Float]

    package init(of rows: [Row], in store: VectorStore) {
        self.store = store
        self.rows = rows.map(\.rawValue)
        inverseNorms = rows.map { row in
            let norm = store.withVector(row) { VectorStore.norm(of: $0) }
            return norm > 0 ? Float(1 / norm) : 0
        }
    }

    /// Of the vector at a place in the list to each of the list. Costs a distance for each.
    package func ofVector(_ place: Int) -> [Float] {
        var cosines = [Float](unsafeUninitializedCapacity: rows.count) { products, count in
            rows.withUnsafeBufferPointer { rows in
                var block = quire_block(
                    query: store.vectors.base + Int(rows[place]) * store.stride, query_scale: 1, table: store.vectors.base,
                    inverse_norms: nil, stride: store.stride, dimension: store.dimension, ids: rows.baseAddress, count: rows.count)
                quire_distances(store.instructionSet.kernel, QUIRE_DOT, &block, products.baseAddress)
            }
            count = rows.count
        }
        // The kernel gives the negative of a product.
        for index in cosines.indices {
            cosines[index] = min(1, max(-1, -cosines[index] * inverseNorms[place] * inverseNorms[index]))
        }
        return cosines
    }
}
