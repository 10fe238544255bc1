/// What a library of a Quire says that it holds.
package struct Contents: Sendable {
    /// The ids in its list, in order.
    package var listed: [String]
    /// The ids that were asked for.
    package var asked: Set<String>
    /// What was found under them.
    package var documents: [String: Oracle.Document]
    /// What the statistics say.
    package var documentCount: Int
    package var chunkCount: Int
    /// What an exact search for the vector of a chunk finds first, by the id of the chunk; empty if nothing, or if it is not at distance 0.
    package var nearest: [String: String]

    package init(
        listed: [String], asked: Set<String>, documents: [String: Oracle.Document], documentCount: Int, chunkCount: Int,
        nearest: [String: String]
    ) {
        (self.listed, self.asked, self.documents) = (listed, asked, documents)
        (self.documentCount, self.chunkCount, self.nearest) = (documentCount, chunkCount, nearest)
    }

    /// Reads a library on several threads: its list, its statistics, the documents with these ids, and what searches for one chunk of
    /// each of them find, or for all.
    package init(of quire: QuireInstance, library: String, asking ids: Set<String>, searchingAll: Bool = false) throws {
        let listed = try quire.listDocuments(of: library)
        let asked = ids.sorted()
        let threads = 4
        let parts = try onThreads(threads) { thread in
            try stride(from: thread, to: asked.count, by: threads).map { index in
                let document = try quire.document(asked[index])
                let searched = document.map { searchingAll ? $0.chunks[...] : $0.chunks.prefix(1) } ?? []
                let nearest = try searched.map { ($0.id, try quire.nearestChunk(to: $0.vector, in: library)) }
                return (id: asked[index], document: document, nearest: nearest)
            }
        }.flatMap { $0 }
        let statistics = try quire.get("/v1/libraries/\(library)/statistics").json
        guard let documentCount = statistics["num_documents"]?.integer, let chunkCount = statistics["num_chunks"]?.integer else {
            throw QuireInstance.Failed(what: "the statistics have no counts: \(statistics.text)")
        }
        self.init(
            listed: listed, asked: ids,
            documents: Dictionary(uniqueKeysWithValues: parts.compactMap { part in part.document.map { (part.id, $0) } }),
            documentCount: documentCount, chunkCount: chunkCount,
            nearest: Dictionary(uniqueKeysWithValues: parts.flatMap(\.nearest)))
    }
}
