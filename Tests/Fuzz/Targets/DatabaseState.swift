import Database
import Storage
import StorageTestSupport
import VectorSearch

/// All that clients can read of a database. Two with equal states answer alike.
struct DatabaseState: Equatable {
    private var libraries: [Library] = []

    private struct Library: Equatable {
        let record: LibraryRecord
        let sequences: [SequenceNumber]
        /// As clients read them.
        let times: [String]
        var documents: [Document] = []
        var nearest: [ChunkID] = []
        /// By the words of the samples.
        var matching: [ChunkID] = []
    }

    fileprivate struct Document: Equatable {
        let id: DocumentID
        let metadata: DocumentMetadata
        let times: [String]
        let sequences: [SequenceNumber]
        var chunks: [Chunk]
    }

    fileprivate struct Chunk: Equatable {
        let id: ChunkID
        let text: String
        var pageNumber: Int?
        let embedding: [UInt32]
    }

    init(_ database: Database) throws {
        var cursor: SequenceNumber?
        repeat {
            let page = database.libraries(after: cursor, limit: 100)
            for view in page.elements { libraries.append(try Self.library(view, in: database)) }
            cursor = page.next
        } while cursor != nil
    }

    private static func library(_ view: LibraryView, in database: Database) throws -> Library {
        let id = view.record.id
        var library = Library(
            record: view.record, sequences: [view.createdSequence, view.sequence],
            times: [view.record.createdAt.description, view.updatedAt.description])
        var cursor: SequenceNumber?
        repeat {
            let page = try database.documents(in: id, after: cursor, limit: 100)
            for document in page.elements {
                library.documents.append(Document(try database.document(document.id, withEmbeddings: true)))
            }
            cursor = page.next
        } while cursor != nil
        let query = [1] + [Float](repeating: 0, count: view.record.dimension - 1)
        library.nearest = try database.search(in: id, query: query, count: 1000, isExact: true).hits.map(\.chunk.id)
        library.matching = try database.search(in: id, SearchQuery(.keyword, text: "text 1 2", count: 1000)).hits.map(\.chunk.id)
        // By whatever index there is.
        let found = try database.search(in: id, query: query, count: 5).hits
        try promise(
            found.count == min(5, view.chunkCount) && found.allSatisfy { hit in library.documents.contains { $0.id == hit.document.id } },
            "a search found \(found.count) of \(view.chunkCount) chunks, or what is not there")
        return library
    }

    /// As the planted bug sees it, which loses page numbers of more than a digit; none of the seeds has one.
    func withPlantedBug() -> DatabaseState {
        var state = self
        for library in state.libraries.indices {
            for document in state.libraries[library].documents.indices {
                for chunk in state.libraries[library].documents[document].chunks.indices
                where state.libraries[library].documents[document].chunks[chunk].pageNumber ?? 0 > 9 {
                    state.libraries[library].documents[document].chunks[chunk].pageNumber = nil
                }
            }
        }
        return state
    }
}

extension DatabaseState.Document {
    init(_ view: DocumentView) {
        let document = view.document
        self.init(
            id: document.id, metadata: document.metadata, times: [document.createdAt.description, document.updatedAt.description],
            sequences: [document.createdSequence, document.sequence],
            chunks: zip(document.chunks, view.embeddings!).map { chunk, embedding in
                .init(id: chunk.id, text: chunk.text, pageNumber: chunk.pageNumber, embedding: embedding.map(\.bitPattern))
            })
    }
}

/// Opens the database that stands in the files, as often as it takes to see that a start refuses it and changes nothing, or gives the
/// same state each time: from these files, from those that it left, and from a snapshot of that.
func checkStarts(_ fileSystem: SimulatedFileSystem, in directory: String, hasPlantedBug: Bool) throws {
    let first: DatabaseState
    do {
        first = try withDatabase(fileSystem, directory) { try DatabaseState($0) }
    } catch is StorageError {
        return
    }
    do {
        let (snapshot, changed) = try withDatabase(fileSystem, directory) { database in
            let second = try DatabaseState(database)
            try promise(second == (hasPlantedBug ? first.withPlantedBug() : first), "a second start gives another state")
            // A change, because without one the snapshot that is there is the answer.
            _ = try database.createLibrary(name: "new", description: nil, metric: .l2, dimension: 1, model: "external")
            return (try database.takeSnapshot(), try DatabaseState(database))
        }
        try withDatabase(fileSystem, directory) { database in
            try promise(
                database.loaded.snapshot == snapshot.name, "the snapshot that was written is not loaded: \(database.loaded.refused)")
            try promise(try DatabaseState(database) == changed, "a snapshot gives another state than the one it is of")
        }
    } catch let error as StorageError {
        throw BrokenPromise(description: "what one start takes, the next refuses: \(error)")
    }
}

/// Opens a database, which is closed behind `body`. Throws what refused it, and nothing else of storage.
private func withDatabase<Result>(
    _ fileSystem: SimulatedFileSystem, _ directory: String, _ body: (Database) throws -> Result
) throws -> Result {
    let before = fileSystem.files
    let database: Database
    do {
        database = try Database(directory: directory, fileSystem: fileSystem, logOptions: .small, builderThreads: 0)
    } catch let error as StorageError {
        try promise(error.category == .dataRefused, "a start ended with \(error)")
        try promise(fileSystem.files == before, "a refusal changed files: \(error)")
        throw error
    }
    let result = Swift.Result { try body(database) }
    try database.close()
    return try result.get()
}
