import HTTPTypes
import TestSupport
import Testing

struct ConditionalTests {
    private func match(_ tag: String) -> HTTPFields { [.ifMatch: tag] }
    private func noneMatch(_ tag: String) -> HTTPFields { [.ifNoneMatch: tag] }

    @Test("a reader that holds the current version gets no body")
    func notModified() throws {
        let server = try TestServer()
        let library = server.vectors()
        let document = try #require(server.add([[1, 0, 0]], to: library).headers[.location])

        for path in [library, document, "\(library)?include_documents=true", "\(document)?include_embeddings=true"] {
            for tag in ["\"2\"", "W/\"2\"", "*", "\"1\", \"2\"", "\"x\",\t\"2\" "] {
                let reply = server.get(path, noneMatch(tag))
                #expect(reply.status == 304 && reply.etag == "\"2\"" && reply.body.isEmpty, "\(path) \(tag)")
            }
            for tag in ["\"1\"", "2", "\"2", "", "\"02\""] { #expect(server.get(path, noneMatch(tag)).status == 200, "\(path) \(tag)") }
        }
    }

    @Test("what is in a library changes its tag, what is in another does not")
    func libraryTag() throws {
        let server = try TestServer()
        let (library, other) = (server.vectors(), server.vectors())
        var tags = [server.get(library).etag]
        let document = try #require(server.add([[1, 0, 0]], to: library).headers[.location])
        tags.append(server.get(library).etag)
        _ = server.patch(library, ["name": "b"])
        tags.append(server.get(library).etag)
        _ = server.delete(document)
        tags.append(server.get(library).etag)

        #expect(Set(tags).count == 4)
        #expect(server.get(other).etag == "\"2\"")
    }

    @Test(
        "a change that insists on an old version is refused", arguments: ["\"1\"", "W/\"2\"", "\"x\"", "2", "\"+2\"", "\"1\", \"3\"", ""])
    func preconditionFails(tag: String) throws {
        let server = try TestServer()
        let library = server.vectors()
        let document = try #require(server.add([[1, 0, 0]], to: library).headers[.location])

        for reply in [
            server.patch(library, ["name": "b"], match(tag)), server.delete(document, match(tag)), server.delete(library, match(tag)),
        ] {
            #expect(reply.status == 412 && reply.errorType == "PreconditionFailedError")
            #expect(reply.detail == "If-Match does not match: the current ETag is \"2\"")
        }
        #expect(server.get(library).json["name"] == "v")
        #expect(server.get(document).status == 200)
    }

    @Test("a change that insists on the current version or on any is made", arguments: ["\"2\"", "*", "\"1\", \"2\""])
    func preconditionHolds(tag: String) throws {
        let server = try TestServer()
        let library = server.vectors()
        let document = try #require(server.add([[1, 0, 0]], to: library).headers[.location])

        #expect(server.delete(document, match(tag)).status == 204)
        #expect(server.patch(library, ["name": "b"], match("\"3\"")).etag == "\"4\"")
        #expect(server.delete(library, match("\"4\"")).status == 204)
    }

    @Test("a change that changes nothing leaves the version as it is")
    func emptyChange() throws {
        let server = try TestServer()
        let library = server.vectors()
        let before = server.get(library)

        let reply = server.patch(library, [:])

        #expect(reply.status == 200 && reply.etag == before.etag && reply.json == before.json)
    }

    @Test("what is not there is 404 before it is 412")
    func absent() throws {
        let server = try TestServer()
        let id = "aaaaaaaa-0000-4000-8000-000000000001"

        #expect(server.delete("/v1/libraries/\(id)", match("\"1\"")).errorType == "LibraryNotFoundError")
        #expect(server.patch("/v1/libraries/\(id)", [:], match("\"1\"")).errorType == "LibraryNotFoundError")
        #expect(server.delete("/v1/documents/\(id)", match("\"1\"")).errorType == "DocumentNotFoundError")
    }
}
