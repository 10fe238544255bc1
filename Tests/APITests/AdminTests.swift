import API
import Database
import HTTP
import HTTPTypes
import TestSupport
import Testing

/// What concerns the data as a whole.
struct AdminTests {
    @Test("a snapshot is taken on request, and listed newest first; without a change it is the same one")
    func snapshots() throws {
        let server = try TestServer()
        #expect(server.get("/v1/admin/snapshots").json == ["snapshots": []])
        let library = server.vectors()

        let first = server.post("/v1/admin/snapshots", text: "")
        #expect(first.status == 201)
        #expect(first.json["sequence"]?.integer == 1)
        #expect(server.post("/v1/admin/snapshots", text: "").json == first.json)
        server.add([[1, 2, 3]], to: library)
        let second = server.post("/v1/admin/snapshots", text: "")

        #expect(second.json["sequence"]?.integer == 2)
        #expect(server.get("/v1/admin/snapshots").json == ["snapshots": .array([second.json, first.json])])
    }

    @Test("a snapshot that is not the newest can be deleted")
    func deleteSnapshot() throws {
        let server = try TestServer()
        _ = server.vectors()
        let first = server.post("/v1/admin/snapshots", text: "").json
        let path = "/v1/admin/snapshots/\(try #require(first["name"]?.string))"
        #expect(server.delete(path).errorType == "ConflictError")
        _ = server.vectors()
        let second = server.post("/v1/admin/snapshots", text: "").json

        #expect(server.delete(path).status == 204)

        #expect(server.delete(path).errorType == "NotFoundError")
        #expect(server.delete("/v1/admin/snapshots/LOCK").errorType == "NotFoundError")
        #expect(server.delete("/v1/admin/snapshots/..%2fLOCK").errorType == "NotFoundError")
        #expect(server.get("/v1/admin/snapshots").json == ["snapshots": .array([second])])
    }

    @Test("a snapshot is downloaded as a tar archive, piece by piece")
    func archive() throws {
        let server = try TestServer()
        server.add([[1, 2, 3]], to: server.vectors())
        let name = try #require(server.post("/v1/admin/snapshots", text: "").json["name"]?.string)

        let response = server.api.respond(
            to: Request(method: .get, path: "/v1/admin/snapshots/\(name)/archive", query: "", headers: [:], body: [], id: "1"))

        #expect(response.status == .ok && response.body.isEmpty)
        #expect(response.headers[.contentType] == "application/x-tar" && response.headers[.contentLength] == nil)
        #expect(response.headers[.contentDisposition] == "attachment; filename=\"\(name).tar\"")
        var archive: [UInt8] = []
        let stream = try #require(response.stream)
        try stream { archive += $0 }
        // POSIX.1, pax: the magic of a header.
        #expect(archive[257..<262].elementsEqual("ustar".utf8))
        #expect(server.get("/v1/admin/snapshots/snapshot-0000000000000099.snap/archive").errorType == "NotFoundError")
    }

    @Test("a purge says how far it is and what it gave back")
    func purge() throws {
        let server = try TestServer()
        #expect(server.get("/v1/admin/purge").json["state"] == "none")
        let library = server.vectors()
        let document = server.add((1...50).map { [Double($0), 1, 0] }, to: library)
        server.add([[1, 0, 0]], to: library)
        #expect(server.delete(try #require(document.headers[.location])).status == 204)

        let purge = server.purge().json

        #expect(purge["state"] == "done" && purge["libraries"] == 1 && purge["libraries_done"] == 1)
        #expect(purge["rows_freed"] == 50 && purge["documents_moved"] == 1)
        #expect(purge["disk_bytes"]?["before"]?.integer ?? 0 > purge["disk_bytes"]?["after"]?.integer ?? .max)
        #expect(purge["finished_at"]?.string != nil)
    }

    @Test("what passes a budget is 507 and says which; deletions are not")
    func budget() throws {
        let server = try TestServer(budget: Budget(memoryBytes: 1 << 20))

        let reply = server.post("/v1/libraries", ["name": "n"])

        #expect(reply.status == 507 && reply.errorType == "InsufficientStorageError")
        #expect(reply.json["detail"]?.string?.contains("MEMORY_BUDGET_BYTES = 1048576") == true)
        let full = try TestServer(budget: Budget(diskReserveBytes: .max))
        #expect(full.post("/v1/libraries", ["name": "n"]).json["detail"]?.string?.contains("DISK_RESERVE_BYTES") == true)
    }

    @Test("a verification says of each part what was checked")
    func verifies() throws {
        let server = try TestServer()
        let library = server.vectors()
        server.add([[1, 2, 3], [4, 5, 6]], to: library)
        _ = server.post("/v1/admin/snapshots", text: "")

        let reply = server.post("/v1/admin/verify", text: "")

        #expect(reply.status == 200)
        #expect(reply.json["status"] == "intact")
        let components = try #require(reply.json["components"]?.array)
        #expect(components.compactMap { $0["kind"]?.string } == ["current", "snapshot", "segment", "state", "library", "index"])
        #expect(components[2]["checked"] == ["records": 2, "seals": 1])
        #expect(components[3]["checked"] == ["libraries": 1, "documents": 1, "chunks": 2, "vectors": 2])
        #expect(components[4]["library_id"] == .string(String(library.suffix(36))))
    }

    @Test("a verification finds damage, names it, and is answered all the same")
    func findsDamage() throws {
        let server = try TestServer()
        server.add([[1, 2, 3], [4, 5, 6]], to: server.vectors())
        let snapshot = try #require(server.post("/v1/admin/snapshots", text: "").json["name"]?.string)
        try server.flip(snapshot, at: 100)

        let reply = server.post("/v1/admin/verify", text: "")

        #expect(reply.status == 200)
        #expect(reply.json["status"] == "damaged")
        let damaged = try #require(reply.json["components"]?.array?.filter { $0["status"] == "damaged" })
        #expect(damaged.map { $0["name"] } == [.string(snapshot)])
        #expect(damaged[0]["damaged"] == 1 && damaged[0]["problems"]?.array?.count == 1)
        // Reading goes on as before.
        #expect(server.get("/v1/libraries").status == 200)
    }

    @Test("a parameter that it does not know is refused")
    func unknownParameter() throws {
        let server = try TestServer()

        #expect(server.post("/v1/admin/snapshots?wait=1", text: "").status == 422)
        #expect(server.get("/v1/admin/snapshots?limit=1").status == 422)
        #expect(server.post("/v1/admin/verify?deep=1", text: "").status == 422)
        #expect(server.get("/v1/admin/snapshots").json == ["snapshots": []])
    }
}
