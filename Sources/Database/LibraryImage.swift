import Locks
import Storage
import TextSearch
import VectorSearch

/// A library as it was at one moment, for a snapshot: what it holds does not change while the library goes on.
///
/// The library keeps the vectors of released rows until `end` is called, and its index is not built meanwhile.
// Sound as Sendable: documents never change; the vectors of `heldRows` do not while they are kept, nor does the index; `texts` is the
// image's own.
struct LibraryImage: @unchecked Sendable {
    let record: LibraryRecord
    /// Whether it is only to take the place of the library of its id.
    let isSuccessor: Bool
    let createdSequence: SequenceNumber
    let sequence: SequenceNumber
    let updatedAt: Timestamp
    /// In order of creation.
    let documents: [Document]
    /// Rows given out so far; documents name rows below it.
    let rowCount: Int
    let heldRows: RowSet
    let index: IndexImage?
    private let texts: TextIndex
    private let library: Library

    /// Under the library's write lock.
    init(_ library: Library, isSuccessor: Bool = false) {
        self.library = library
        self.isSuccessor = isSuccessor
        record = library.record
        createdSequence = library.createdSequence
        sequence = library.sequence
        updatedAt = library.updatedAt
        documents = library.documents
        library.vectors.keepsReleasedRows = true
        rowCount = library.vectors.store.usedRows
        heldRows = library.vectors.heldRows
        index = library.vectors.indexImage()
        texts = library.texts.copy()
    }

    /// The bytes of the index of texts, by the slots that a start gives: the numbers of the chunks in their order. Nil without a chunk.
    func textBytes() -> [UInt8]? {
        guard texts.count > 0 else { return nil }
        var ordinals = [UInt32](repeating: .max, count: texts.slotLimit)
        var next: UInt32 = 0
        for document in documents {
            for chunk in document.chunks {
                ordinals[Int(chunk.slot.rawValue)] = next
                next += 1
            }
        }
        return texts.encoded(slotOrdinals: ordinals)
    }

    /// The bits of the vectors of some rows; zeros for those that hold none.
    func vectorBytes(of rows: Range<Int>) -> [UInt8] {
        library.vectors.vectorBytes(of: rows, among: heldRows)
    }

    /// The library no longer has to keep what was released.
    func end() {
        library.lock.withWriteLock { library.vectors.keepsReleasedRows = false }
    }
}
