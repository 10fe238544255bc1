import VectorSearch

/// Which live chunks hold a row of the vector store. Nearly every row has one holder; chunks with bit-identical vectors share one.
struct RowHolders {
    struct Holder {
        let document: Document
        let chunkIndex: Int32

        var chunk: Chunk { document.chunks[Int(chunkIndex)] }
    }

    private var first: [Holder?] = []
    private var others: [Row: [Holder]] = [:]

    subscript(row: Row) -> [Holder] {
        guard Int(row.rawValue) < first.count, let holder = first[Int(row.rawValue)] else { return [] }
        return [holder] + others[row, default: []]
    }

    mutating func add(_ document: Document, chunkIndex: Int, to row: Row) {
        let holder = Holder(document: document, chunkIndex: Int32(chunkIndex))
        let index = Int(row.rawValue)
        while first.count <= index { first.append(nil) }
        if first[index] == nil {
            first[index] = holder
        } else {
            others[row, default: []].append(holder)
        }
    }

    mutating func remove(_ document: Document, from row: Row) {
        let index = Int(row.rawValue)
        var remaining = self[row].filter { $0.document !== document }
        first[index] = remaining.popLast()
        others[row] = remaining.isEmpty ? nil : remaining
    }
}
