import VectorSearch

/// Which live chunks hold a row of the vector store. Nearly every row has one holder; chunks with bit-identical vectors share one.
struct RowHolders {
    struct Holder {
        let document: Document
        let chunkIndex: Int32

        var chunk: Chunk { document.chunks[Int(chunkIndex)] }
    }

    /// The holder of a row that has one.
    private var single: [Holder?] = []
    /// The holders of a row that has several, by chunk id.
    private var shared: [Row: [Holder]] = [:]

    /// Up to `limit` holders of a row, by chunk id.
    func holders(of row: Row, limit: Int) -> ArraySlice<Holder> {
        if let holders = shared[row] { return holders.prefix(limit) }
        guard Int(row.rawValue) < single.count, let holder = single[Int(row.rawValue)] else { return [] }
        return [holder].prefix(limit)
    }

    func count(of row: Row) -> Int {
        if let holders = shared[row] { return holders.count }
        return Int(row.rawValue) < single.count && single[Int(row.rawValue)] != nil ? 1 : 0
    }

    /// Whether a chunk of this very document holds its row. Cost: a binary search.
    func contains(_ document: Document, chunk: Chunk) -> Bool {
        guard let holders = shared[chunk.row] else {
            return holders(of: chunk.row, limit: 1).contains { $0.document === document && $0.chunk.id == chunk.id }
        }
        let first = holders.firstPosition { $0.chunk.id >= chunk.id }
        return holders[first...].prefix { $0.chunk.id == chunk.id }.contains { $0.document === document }
    }

    /// Each chunk of the document holds its row. Cost for each: constant for a row of one; else a binary search and the moving of those
    /// behind it.
    mutating func add(_ document: Document) {
        for (index, chunk) in document.chunks.enumerated() { add(document, chunkIndex: index, to: chunk.row) }
    }

    /// Forgets what the chunks of this very document hold; another version of it may hold a row by a chunk of the same id.
    mutating func remove(_ document: Document) {
        for chunk in document.chunks { remove(document, chunk: chunk) }
    }

    private mutating func add(_ document: Document, chunkIndex: Int, to row: Row) {
        let holder = Holder(document: document, chunkIndex: Int32(chunkIndex))
        let index = Int(row.rawValue)
        while single.count <= index { single.append(nil) }
        if let other = single[index] {
            shared[row] = other.chunk.id < holder.chunk.id ? [other, holder] : [holder, other]
            single[index] = nil
        } else if shared[row] != nil {
            let position = shared[row]!.firstPosition { holder.chunk.id < $0.chunk.id }
            shared[row]!.insert(holder, at: position)
        } else {
            single[index] = holder
        }
    }

    private mutating func remove(_ document: Document, chunk: Chunk) {
        guard var holders = shared.removeValue(forKey: chunk.row) else {
            single[Int(chunk.row.rawValue)] = nil
            return
        }
        let first = holders.firstPosition { $0.chunk.id >= chunk.id }
        let position = holders[first...].firstIndex { $0.document === document }
        guard let position else { preconditionFailure("a live chunk holds its row") }
        holders.remove(at: position)
        if holders.count == 1 {
            single[Int(chunk.row.rawValue)] = holders[0]
        } else {
            shared[chunk.row] = holders
        }
    }
}
