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

    @Test("a parameter that it does not know is refused")
    func unknownParameter() throws {
        let server = try TestServer()

        #expect(server.post("/v1/admin/snapshots?wait=1", text: "").status == 422)
        #expect(server.get("/v1/admin/snapshots?limit=1").status == 422)
        #expect(server.get("/v1/admin/snapshots").json == ["snapshots": []])
    }
}
