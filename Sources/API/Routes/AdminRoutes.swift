import Archives
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
        router.add(.delete, "/v1/admin/snapshots/{name}", deleteSnapshot)
        router.add(.get, "/v1/admin/snapshots/{name}/archive", archiveSnapshot)
        router.add(.post, "/v1/admin/purge", startPurge)
        router.add(.get, "/v1/admin/purge", purgeStatus)
        router.add(.post, "/v1/admin/verify", verify)
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

    @Sendable private func deleteSnapshot(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        try database.deleteSnapshot(path["name"])
        return .noContent
    }

    @Sendable private func archiveSnapshot(_ request: Request, _ path: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let name = path["name"]
        let copy = try database.copySnapshot(name)
        var response = Response(status: .ok)
        response.headers[.contentType] = "application/x-tar"
        response.headers[.contentDisposition] = "attachment; filename=\"\(name).tar\""
        response.stream = { put in try copy.writeArchive(to: put) }
        return response
    }

    @Sendable private func startPurge(_ request: Request, _: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let status = try database.startPurge()
        return Response(json: .accepted) { $0.write(status) }
    }

    @Sendable private func purgeStatus(_ request: Request, _: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let status = database.purgeStatus
        return Response(json: .ok) { $0.write(status) }
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ status: PurgeStatus) {
        object { json in
            switch status.state {
            case .none: json.member("state", "none")
            case .running: json.member("state", "running")
            case .done: json.member("state", "done")
            case .failed(let error):
                json.member("state", "failed")
                json.member("detail", APIError(error).detail)
            }
            if let time = status.startedAt { json.member("started_at", time.description) }
            if let time = status.finishedAt { json.member("finished_at", time.description) }
            json.member("libraries", status.libraries)
            json.member("libraries_done", status.librariesDone)
            json.member("documents_moved", status.documentsMoved)
            json.member("rows_freed", status.rowsFreed)
            json.write("memory_bytes", status.memoryBytes)
            json.write("disk_bytes", status.diskBytes)
        }
    }

    private mutating func write(_ name: String, _ bytes: (before: Int, after: Int)?) {
        guard let bytes else { return }
        key(name)
        object { json in
            json.member("before", bytes.before)
            json.member("after", bytes.after)
        }
    }

    fileprivate mutating func write(_ snapshot: Snapshots.Info) {
        object { json in
            json.member("name", snapshot.name)
            json.member("sequence", Int(snapshot.sequence.rawValue))
            json.member("bytes", Int(snapshot.bytes))
            json.member("created_at", Timestamp(milliseconds: snapshot.madeAt).description)
        }
    }
}
