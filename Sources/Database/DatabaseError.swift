package import Storage
package import VectorSearch

package enum DatabaseError: Error, Equatable {
    case libraryNotFound(LibraryID)
    /// Only a damaged log can say so: the ids of libraries are random.
    case libraryExists(LibraryID)
    case documentNotFound(DocumentID)
    case chunkNotFound(ChunkID)
    /// A document keeps at least one chunk.
    case lastChunk(ChunkID, of: DocumentID)
    /// The id of a new document is taken.
    case documentExists(DocumentID)
    /// The id of a new chunk is taken.
    case chunkExists(ChunkID)
    /// A document repeats the id of a chunk.
    case repeatedChunk(ChunkID)
    case invalidVector(VectorProblem, chunk: Int?)
    /// A change would leave more custom fields than `Limits` has.
    case tooManyCustomFields
    case tooManyDocuments(limit: Int)
    case tooManyChunks(limit: Int)
    case unknownIndexParameter(IndexParameter, of: IndexKind)
    /// Another index is being built for the library, or a change of its index is on its way.
    case indexIsChanging(LibraryID)
    /// The library's vectors are being made anew already.
    case reembeddingIsRunning(LibraryID)
    /// The library's vectors are not being made anew.
    case noReembedding(LibraryID)
    /// Not every document has its new vectors yet.
    case reembeddingIncomplete(LibraryID)
    /// The vectors are those of a model that the library no longer has.
    case modelChanged(LibraryID)
    case snapshotNotFound(name: String)
    /// It is the newest, which the next start loads.
    case snapshotInUse(name: String)
    case purgeIsRunning
    /// The object is not in the state the caller named.
    case changedSince(SequenceNumber)
    /// There is no memory left for the change within the budget.
    case memoryBudgetReached(inUse: Int, budget: Int)
    /// The change would take of the disk what is to stay free.
    case diskReserveReached(free: Int, reserve: Int)
    case storage(StorageError)
}
