extension VectorStore {
    /// Reads the vectors of `rows`, keeping them in place for a fraction of a millisecond at a time.
    ///
    /// - Parameters:
    ///   - components: how many of each row `body` reads, for the length of a piece.
    ///   - body: gets the position of the row in `rows`, its vector, and the factor that makes it what distances compare:
    ///     1/norm under cosine, otherwise 1.
    func forEachVector(
        of rows: UnsafeBufferPointer<UInt32>, components: Int, _ memory: StoreMemory,
        _ body: (_ position: Int, _ vector: UnsafePointer<Float>, _ factor: Float) -> Void
    ) {
        // A megabyte of rows here and there takes about 0.1 ms to read, 2048 numbers each from a row of its own as long.
        let pieceSize = max(1, min(2048, (1 << 18) / components))
        var first = 0
        while first < rows.count {
            let end = min(first + pieceSize, rows.count)
            memory.pinned {
                for position in first..<end {
                    let row = Int(rows[position])
                    body(position, UnsafePointer(vectors.base + row * stride), metric == .cosine ? inverseNorms.base[row] : 1)
                }
            }
            first = end
        }
    }
}
