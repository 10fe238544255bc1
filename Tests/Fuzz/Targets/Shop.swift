import API
import Database
import Embedding
import HTTP
import HTTPTypes
import Logging
import Settings
import StorageTestSupport
import TestSupport
import VectorSearch

/// The API over a small database in memory, with low limits, so that short bodies meet them.
final class Shop {
    let directory: String
    let settings: Settings
    let api: API
    let database: Database
    let contract: Contract
    /// A body is for one of these.
    let routes: [ShopRoute]

    private let remoteModels: Set<String>

    private static let document = "0d5a1b3c-2f64-4c1e-9f0a-000000000001"
    private static let chunk = "7c9e6679-7425-40de-944b-000000000001"

    private static let limits = [
        "MAX_CHUNKS_PER_DOCUMENT": "6", "MAX_CHUNK_LENGTH": "160", "MAX_QUERY_LENGTH": "60", "MAX_RESULTS_K": "20",
        "MAX_TAGS_PER_DOCUMENT": "4", "MAX_TAG_LENGTH": "12", "MAX_TITLE_LENGTH": "40", "MAX_AUTHOR_LENGTH": "20",
        "MAX_BULK_DOCUMENTS": "3",
        "MAX_LINE_BYTES": "1024",
    ]

    init(in directory: String) throws {
        self.directory = directory
        let machine = Machine(userID: 1000, home: "/home/nobody", cores: 1, memoryBytes: 8 << 30)
        var settings = try Settings.load(
            environment: Self.limits.merging(["VECTOR_DB_DATA_DIR": "/var/lib/quire"]) { $1 }, machine: machine)
        // Where the results of a stream lie; all else is in memory.
        settings.dataDirectory = directory
        self.settings = settings
        let service = Service(settings: settings)
        database = try Database(directory: directory, fileSystem: SimulatedFileSystem(), logOptions: .small, builderThreads: 0)
        let catalogue = ModelCatalogue(modelDirectory: nil)
        remoteModels = Set(catalogue.models.filter { !$0.isLocal }.map(\.name))
        service.start(database, catalogue)
        let api = API(service, logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
        self.api = api
        contract = try Self.contract.get(api)

        let vectors = try database.createLibrary(
            name: "vectors", description: nil, metric: .cosine, dimension: 3, model: LibraryRecord.externalModel,
            index: IndexConfiguration(.hnsw)
        ).record.id
        let texts = try database.createLibrary(
            name: "texts", description: nil, metric: .cosine, dimension: 384, model: "all-minilm-l6-v2"
        ).record.id
        routes = ShopRoute.all(vectors: "\(vectors)", texts: "\(texts)", document: Self.document, chunk: Self.chunk)
        let custom = CustomFields([(name: "x", value: .number(1)), (name: "weather", value: .string("rain"))])!
        _ = try database.putDocument(
            id: DocumentID(Self.document), in: vectors,
            metadata: DocumentMetadata(title: "Pond", author: "Ada", tags: ["pond"], custom: custom),
            chunks: [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0.5]].enumerated().map { number, vector in
                ChunkRecord(
                    id: number == 0 ? ChunkID(Self.chunk)! : .random(), text: "a heron and a kite", pageNumber: number, custom: custom,
                    embedding: vector)
            })
        _ = try database.putDocument(
            id: nil, in: texts, metadata: DocumentMetadata(title: "Birds"),
            chunks: [
                ChunkRecord(id: .random(), text: "a bird waiting for fish", pageNumber: nil, embedding: [Float](repeating: 1, count: 384))
            ])
    }

    deinit { try? database.close() }

    /// Whether it would be answered with the help of a model on the network.
    func asksSomebodyElse(_ request: Request) -> Bool {
        guard request.path == "/v1/embeddings", let name = (try? JSON(parsing: request.body))?["model"]?.string else { return false }
        return remoteModels.contains(name)
    }

    /// Read once: it is long.
    private static let contract = ReadContract()
}

/// The OpenAPI document, as the API gives it to clients.
// Sound as Sendable: one thread makes shops, under the lock of their holder.
private final class ReadContract: @unchecked Sendable {
    private var contract: Contract?

    func get(_ api: API) throws -> Contract {
        if let contract { return contract }
        let response = api.respond(to: Request(method: .get, path: "/openapi.json", id: "contract"))
        let new = Contract(try JSON(parsing: response.wholeBody))
        contract = new
        return new
    }
}
