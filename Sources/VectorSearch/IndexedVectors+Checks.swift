/// Whether rows, vectors and index agree with each other. Shared, beside builders.
extension IndexedVectors {
    /// What is wrong with a row that `references` chunks hold; nil: nothing.
    package func flaw(of row: Row, references: Int) -> String? {
        guard store.referenceCount(of: row) == references else {
            return "row \(row.rawValue) is counted \(store.referenceCount(of: row)) times and held \(references) times"
        }
        guard live.contains(row) == (references > 0) else { return "row \(row.rawValue) is found and not held, or held and not found" }
        guard references > 0 else { return nil }
        guard absorbed.contains(row) != tail.contains(row) else { return "row \(row.rawValue) is not in one of index and tail" }
        return store.isAsInserted(row) ? nil : "the vector of row \(row.rawValue) is not what was inserted"
    }

    /// How many rows a search may return.
    package var liveRows: Int { live.count }

    /// How many rows the index in use knows.
    package var knownRows: Int { current.index == nil ? 0 : current.known.count }

    /// Follows a part of what the index in use keeps of rows.
    package func checkIndex(part: Int, of parts: Int) -> IndexCheck {
        guard let index = current.index else { return IndexCheck() }
        var known = current.known
        // Those that are on their way into the index are linked before they are published.
        work?.announced.forEach { known.insert($0) }
        return known.withBits { index.check(part: part, of: parts, known: $0) }
    }
}
