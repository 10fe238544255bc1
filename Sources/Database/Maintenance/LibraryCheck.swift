import Locks
import Storage
import TextSearch
import VectorSearch

/// Whether a library in memory agrees with itself: documents, the rows that their chunks hold, the vectors of these, the index, and that
/// of their texts.
///
/// Goes through the library in slices, each under the read lock, and from slice to slice by what does not move when the library
/// changes: the sequence of a document's creation, the number of a row. So each slice is judged by one state, and writers wait for
/// one slice.
final class LibraryCheck {
    private let library: Library
    private let repository: Repository
    private var content: CheckedComponent
    private var index: CheckedComponent

    private static let chunksOfSlice = 4096
    private static let bytesOfSlice = 1 << 20
    private static let linkedRowsOfSlice = 4096

    init(_ library: Library, in repository: Repository) {
        self.library = library
        self.repository = repository
        content = CheckedComponent("\(library.id)", .library)
        index = CheckedComponent("\(library.id)", .index)
    }

    /// Two components; none if the library was deleted meanwhile.
    func run() -> [CheckedComponent] {
        checkCounts() && checkDocuments() && checkRows() && checkIndex() ? [content, index] : []
    }

    /// Runs `body` under the read lock, unless the library is deleted: then what it holds is no longer in the repository.
    private func slice<Result>(_ body: () -> Result) -> Result? {
        library.lock.withReadLock { repository.library(library.id) === library ? body() : nil }
    }

    private func checkCounts() -> Bool {
        let isThere: Void? = slice {
            let statistics = library.vectors.store.statistics
            let counts = [
                ("documents", library.documents.count, repository.documentCount(of: library.id)),
                ("chunks", library.chunkCount, statistics.totalReferences),
                ("vectors", library.vectors.liveRows, statistics.uniqueVectors), ("texts", library.chunkCount, library.texts.count),
            ]
            for (what, count, other) in counts where count != other { content.report("\(count) \(what) are counted, and \(other)") }
        }
        return isThere != nil
    }

    private func checkDocuments() -> Bool {
        var last = SequenceNumber.zero
        var isOver = false
        while !isOver {
            let isThere: Void? = slice {
                var chunks = 0
                let documents = library.documents[library.position(after: last)...].prefix { document in
                    defer { chunks += document.chunks.count + 1 }
                    return chunks < Self.chunksOfSlice
                }
                for document in documents { check(document) }
                isOver = documents.endIndex == library.documents.endIndex
                last = documents.last?.createdSequence ?? last
            }
            guard isThere != nil else { return false }
        }
        return true
    }

    private func check(_ document: Document) {
        content.count(.documents)
        content.count(.chunks, document.chunks.count)
        if repository.document(document.id) !== document { content.report("document \(document.id) is not found by its id") }
        for chunk in document.chunks {
            if repository.documentHolding(chunk.id) !== document { content.report("chunk \(chunk.id) is not found by its id") }
            if !library.chunkTable.contains(document, chunk) {
                content.report("chunk \(chunk.id) is not found by its row \(chunk.row.rawValue)")
            }
            if !library.texts.slots.contains(chunk.slot.rawValue) { content.report("chunk \(chunk.id) is not in the index of texts") }
        }
    }

    private func checkRows() -> Bool {
        let step = max(1, Self.bytesOfSlice / (library.dimension * MemoryLayout<Float>.stride))
        var start = 0
        var end = 0
        repeat {
            let isThere: Void? = slice {
                end = library.vectors.store.usedRows
                for number in start..<max(start, min(end, start + step)) { check(Row(UInt32(number))) }
            }
            guard isThere != nil else { return false }
            start += step
        } while start < end
        return true
    }

    private func check(_ row: Row) {
        let references = library.chunkTable.slots(of: row).count
        content.count(.rows)
        if references > 0 { content.count(.vectors) }
        if let flaw = library.vectors.flaw(of: row, references: references) { content.report(flaw) }
    }

    private func checkIndex() -> Bool {
        guard let known = slice({ library.vectors.knownRows }) else { return false }
        let parts = known / Self.linkedRowsOfSlice + 1
        index.count(.rows, known)
        for part in 0..<parts {
            guard let found = slice({ library.vectors.checkIndex(part: part, of: parts) }) else { return false }
            index.count(.links, found.links)
            index.count(.outOfBounds, found.outOfBounds)
            if found.outOfBounds > 0 { index.report("\(found.outOfBounds) links lead to no row of the index") }
        }
        return true
    }
}
