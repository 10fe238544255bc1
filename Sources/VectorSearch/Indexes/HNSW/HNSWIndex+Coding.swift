import CVectorKernels

extension HNSWIndex {
    /// After the head: m, seed (two numbers, low first), the entry's row and level (both `UInt32.max`: none), the centre of the
    /// sketches (empty: none), the rows, and for each row, level by level from 0, the number of its links and the links. Sketches
    /// are made again from the vectors.
    func encoded(rowCount: Int) -> [UInt8] {
        var encoder = IndexEncoder(.hnsw, version: Self.version, dimension: store.dimension, rowCount: rowCount)
        encoder.write(UInt32(m))
        encoder.write(UInt32(truncatingIfNeeded: seed))
        encoder.write(UInt32(truncatingIfNeeded: seed >> 32))
        encoder.write(entryPoint?.row ?? .max)
        encoder.write(entryPoint.map { UInt32($0.level) } ?? .max)
        encoder.write(sketches?.centre ?? [])
        encoder.write(linked.first(.max).map(\.rawValue))
        var lists: [UInt32] = []
        linked.forEach { row in
            for level in 0...level(of: row.rawValue) {
                let list = links(of: row.rawValue, on: level)
                lists.append(contentsOf: UnsafeBufferPointer(start: list, count: Int(list[0]) + 1))
            }
        }
        encoder.write(lists)
        return encoder.bytes
    }

    /// - Throws: if a link leads to a row that is not in the graph or not on the level, or anything else does not hold.
    convenience init(
        decoding bytes: [UInt8], over store: VectorStore, _ configuration: IndexConfiguration
    ) throws(IndexDecodingError) {
        var decoder = try IndexDecoder(bytes, .hnsw, version: Self.version, store: store)
        let m = try decoder.readUInt32()
        guard m == configuration[.m] else { throw IndexDecodingError("m is \(m), not \(configuration[.m])") }
        let seed = UInt64(try decoder.readUInt32()) | UInt64(try decoder.readUInt32()) << 32
        let entry = (row: try decoder.readUInt32(), level: try decoder.readUInt32())
        let centre = try decoder.readArray(of: Float.self)
        guard centre.isEmpty || centre.count == store.dimension && centre.allSatisfy(\.isFinite) else {
            throw IndexDecodingError("the centre of the sketches is not a vector")
        }
        let rows = try decoder.readRows()
        let lists = try decoder.readArray(of: UInt32.self)
        try decoder.finish()

        self.init(store: store, configuration, seed: seed)
        for pair in zip(rows, rows.dropFirst()) where pair.0 >= pair.1 { throw IndexDecodingError("rows are not ascending") }
        let linkedRows = rows.map { Row($0) }
        makeRoom(for: linkedRows, centre: centre.isEmpty ? nil : centre)
        let members = RowSet(linkedRows)
        var position = 0
        for row in rows {
            for level in 0...level(of: row) {
                guard position < lists.count, lists[position] <= maxLinks(on: level), position + Int(lists[position]) < lists.count else {
                    throw IndexDecodingError("the links of row \(row) on level \(level) are cut off")
                }
                let count = Int(lists[position])
                let list = links(of: row, on: level)
                list[0] = UInt32(count)
                for index in 1..<count + 1 {
                    let other = lists[position + index]
                    guard members.contains(Row(other)), other != row, level == 0 || self.level(of: other) >= level else {
                        throw IndexDecodingError("row \(row) links to \(other), which is not on level \(level)")
                    }
                    list[index] = other
                    if level == 0 { countLink(to: other) }
                }
                position += count + 1
            }
        }
        guard position == lists.count else { throw IndexDecodingError("\(lists.count - position) links too many") }
        if rows.isEmpty {
            guard entry.row == .max else { throw IndexDecodingError("an entry without rows") }
        } else {
            guard members.contains(Row(entry.row)), level(of: entry.row) == entry.level else {
                throw IndexDecodingError("the entry \(entry.row) is not on level \(entry.level)")
            }
        }
        writeSketches(of: rows)
        adopt(members, entry: rows.isEmpty ? nil : (entry.row, Int(entry.level)))
    }
}
