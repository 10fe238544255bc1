import Database
import HTTP
import HTTPTypes
import JSON
import Storage

/// What concerns the server's data as a whole.
struct AdminRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/admin/snapshots", takeSnapshot)
        router.add(.get, "/v1/admin/snapshots", listSnapshots)
    }

    @Sendable private func takeSnapshot(_ request: Request, _: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let snapshot = try database.takeSnapshot()
        return Response(json: .created) { $0.write(snapshot) }
    }

    @Sendable private func listSnapshots(_ request: Request, _: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let snapshots = try database.listSnapshots()
        return Response(json: .ok) { json in
            json.object { json in
                json.key("snapshots")
                json.array { json in
                    for snapshot in snapshots.reversed() { json.write(snapshot) }
                }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ snapshot: Snapshots.Info) {
        object { json in
            json.member("name", snapshot.name)
            json.member("sequence", Int(snapshot.sequence.rawValue))
            json.member("bytes", Int(snapshot.bytes))
            json.member("created_at", Timestamp(milliseconds: snapshot.madeAt).description)
        }
    }
}
