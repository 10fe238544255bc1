import Database
import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings

/// Gives a library vectors of another model.
struct ReembeddingRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/libraries/{id}/reembed", start)
        router.add(.get, "/v1/libraries/{id}/reembed", status)
        router.add(.delete, "/v1/libraries/{id}/reembed", cancel)
    }

    /// Begins, or goes on with the one that failed.
    @Sendable private func start(_ request: Request, _ path: PathParameters) throws -> Response {
        let (database, catalogue) = (try service.database, try service.catalogue)
        let library = try database.library(path.identifier("id")).record
        try request.readQuery { _ in }
        let model = try EmbeddingModel.read(request.jsonReader(), catalogue)
        // Nothing is begun that cannot be done, and the fingerprint is that of the vectors to come.
        let fingerprint = try service.fingerprint(of: model)
        if let progress = try database.reembeddingProgress(of: library.id) {
            guard progress.source.model == model.name, service.reembedder.run(of: library.id)?.state != .running else {
                throw DatabaseError.reembeddingIsRunning(library.id)
            }
        } else {
            try database.beginReembedding(
                of: library.id,
                as: EmbeddingSource(model: model.name, dimension: model.dimension, fingerprint: fingerprint.encoded))
        }
        try service.reembedder.start(library.id, from: library.model, to: model.name, with: service)
        return try respond(.accepted, library.id, database)
    }

    @Sendable private func status(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        return try respond(.ok, id, database)
    }

    @Sendable private func cancel(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        try database.cancelReembedding(of: id)
        service.reembedder.cancel(id)
        return .noContent
    }

    private func respond(_ status: HTTPResponse.Status, _ id: LibraryID, _ database: Database) throws -> Response {
        let library = try database.library(id)
        let progress = try database.reembeddingProgress(of: id)
        let run = service.reembedder.run(of: id)
        return Response(json: status) { json in
            json.object { json in
                json.member("state", run?.state.rawValue ?? "none")
                guard let run else { return }
                json.member("from_model", run.from)
                json.member("embedding_model", run.to)
                json.member("documents", progress?.documents ?? library.documentCount)
                json.member("documents_done", progress?.documentsDone ?? (run.state == .done ? library.documentCount : 0))
                json.key("overlap_at_10")
                if let overlap = run.overlap { json.value(overlap) } else { json.null() }
                json.member("started_at", run.startedAt.description)
                json.member("finished_at", run.finishedAt?.description)
                if run.state == .running || run.state == .failed, let failure = run.failure { json.member("detail", failure.detail) }
            }
        }
    }
}

extension EmbeddingModel {
    /// The body of `POST /v1/libraries/{id}/reembed`.
    fileprivate static func read(_ reader: JSONReader, _ catalogue: ModelCatalogue) throws -> EmbeddingModel {
        var model: EmbeddingModel?
        reader.readObject { object in
            model = object.required("embedding_model") { $0.model(in: catalogue) }
        }
        try reader.finish()
        return model!
    }
}
