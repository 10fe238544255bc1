import Database
import HTTP
import HTTPTypes
import JSON
import VectorSearch

struct IndexRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.get, "/v1/libraries/{id}/index", get)
        router.add(.post, "/v1/libraries/{id}/index/rebuild", rebuild)
    }

    @Sendable private func get(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        let status = try database.indexStatus(of: id)
        return Response(json: .ok) { $0.write(status) }
    }

    @Sendable private func rebuild(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        let id: LibraryID = try path.identifier("id")
        try request.readQuery { _ in }
        let current = try database.library(id).record.index
        let index = request.body.isEmpty ? current : try IndexConfiguration(request.jsonReader(), changing: current)
        let status = try database.rebuildIndex(of: id, as: index, insteadOf: current)
        return Response(json: .accepted) { $0.write(status) }
    }
}
