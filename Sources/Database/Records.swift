package import TextSearch
package import VectorSearch

/// What is fixed when a library is made, and what a client may change of it.
package struct LibraryRecord: Sendable, Equatable {
    /// The `model` of a library that takes only precomputed vectors.
    package static let externalModel = "external"

    package let id: LibraryID
    package var name: String
    package var description: String?
    package let metric: Metric
    /// What makes the vectors; `finishReembedding` changes it.
    package var source: EmbeddingSource
    /// The index as it was asked for last.
    package var index: IndexConfiguration
    /// How texts are analysed, which never changes, and ranked.
    package var text: TextOptions
    /// The share of the nearest that searches are to find, in `recallRange`; 0: whatever the index finds.
    package var minimumRecall: Double
    package let createdAt: Timestamp

    package static let recallRange = 0.0...1.0

    package init(
        id: LibraryID, name: String, description: String?, metric: Metric, dimension: Int, model: String,
        fingerprint: [UInt8]? = nil, index: IndexConfiguration, text: TextOptions = TextOptions(), minimumRecall: Double = 0,
        createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.metric = metric
        self.source = EmbeddingSource(model: model, dimension: dimension, fingerprint: fingerprint)
        self.index = index
        self.text = text
        self.minimumRecall = minimumRecall
        self.createdAt = createdAt
    }

    package var model: String { source.model }
    package var dimension: Int { source.dimension }
}

/// What makes the vectors of a library.
package struct EmbeddingSource: Sendable, Equatable {
    /// Of the catalogue, or `externalModel`.
    package let model: String
    package let dimension: Int
    /// What tells the model from another of its name, once that is known. The database does not look into it.
    package var fingerprint: [UInt8]?

    package init(model: String, dimension: Int, fingerprint: [UInt8]? = nil) {
        self.model = model
        self.dimension = dimension
        self.fingerprint = fingerprint
    }
}

/// A change of what can change of a library at once; `nil` leaves a field as it is.
package struct LibraryChange: Sendable, Equatable {
    package var name: String?
    /// `.some(nil)` removes the description.
    package var description: String??
    /// Other values for parameters of the library's index; the others stay.
    package var indexParameters: [IndexParameter: Int]
    /// Other constants of BM25.
    package var k1: Double?
    package var b: Double?
    /// Another share of the nearest to be found; 0: whatever the index finds.
    package var minimumRecall: Double?
    /// Of the source of its vectors.
    package var fingerprint: [UInt8]?

    package init(
        name: String? = nil, description: String?? = nil, indexParameters: [IndexParameter: Int] = [:], k1: Double? = nil,
        b: Double? = nil, minimumRecall: Double? = nil, fingerprint: [UInt8]? = nil
    ) {
        self.name = name
        self.description = description
        self.indexParameters = indexParameters
        self.k1 = k1
        self.b = b
        self.minimumRecall = minimumRecall
        self.fingerprint = fingerprint
    }
}

/// A whole document as it is written to the log: results only, no requests.
package struct DocumentRecord: Sendable, Equatable {
    package let id: DocumentID
    package let libraryID: LibraryID
    package let metadata: DocumentMetadata
    package let chunks: [ChunkRecord]
    package let writtenAt: Timestamp

    package init(id: DocumentID, libraryID: LibraryID, metadata: DocumentMetadata, chunks: [ChunkRecord], writtenAt: Timestamp) {
        self.id = id
        self.libraryID = libraryID
        self.metadata = metadata
        self.chunks = chunks
        self.writtenAt = writtenAt
    }
}

package struct DocumentMetadata: Sendable, Equatable {
    package var title: String
    package var author: String?
    package var documentType: String
    package var sourceURL: String?
    package var tags: [String]
    package var custom: CustomFields

    package init(
        title: String, author: String? = nil, documentType: String = "text", sourceURL: String? = nil, tags: [String] = [],
        custom: CustomFields = CustomFields()
    ) {
        self.title = title
        self.author = author
        self.documentType = documentType
        self.sourceURL = sourceURL
        self.tags = tags
        self.custom = custom
    }
}

package struct ChunkRecord: Sendable, Equatable {
    package let id: ChunkID
    package let text: String
    package let pageNumber: Int?
    /// Where the text stood in the one that the server cut into chunks, in Unicode scalars, if it did.
    package let offsets: Range<Int>?
    package let custom: CustomFields
    /// As the client sent it or the provider made it; not normalised.
    package let embedding: [Float]

    package init(
        id: ChunkID, text: String, pageNumber: Int? = nil, offsets: Range<Int>? = nil, custom: CustomFields = CustomFields(),
        embedding: [Float]
    ) {
        self.id = id
        self.text = text
        self.pageNumber = pageNumber
        self.offsets = offsets
        self.custom = custom
        self.embedding = embedding
    }
}

/// A change of a document that exists, as it is written to the log: what is not in it stays as it is.
package struct DocumentUpdate: Sendable, Equatable {
    package let id: DocumentID
    package let libraryID: LibraryID
    /// The whole of it, if it changes.
    package let metadata: DocumentMetadata?
    /// The chunks that go.
    package let removed: [ChunkID]
    /// The chunks that are new: a chunk whose id the document has takes the place of that one, others come behind the last.
    package let put: [ChunkRecord]
    package let writtenAt: Timestamp

    package init(
        id: DocumentID, libraryID: LibraryID, metadata: DocumentMetadata? = nil, removed: [ChunkID] = [], put: [ChunkRecord] = [],
        writtenAt: Timestamp
    ) {
        self.id = id
        self.libraryID = libraryID
        self.metadata = metadata
        self.removed = removed
        self.put = put
        self.writtenAt = writtenAt
    }
}

/// Vectors of another source for the chunks of a document, in their order, as they are written to the log. They are about the version of
/// the document that there is then.
package struct StagedDocument: Sendable, Equatable {
    package let id: DocumentID
    package let libraryID: LibraryID
    package let embeddings: [[Float]]

    package init(id: DocumentID, libraryID: LibraryID, embeddings: [[Float]]) {
        self.id = id
        self.libraryID = libraryID
        self.embeddings = embeddings
    }
}
