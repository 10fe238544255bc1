import HTTP
import HTTPTypes
import Keys
import TestSupport
import Testing
import TextSearch
import VectorSearch

@testable import API
@testable import Database

/// A key that is for some libraries only.
@Suite("A key for some libraries")
struct ScopeTests {
    /// Two libraries with a document each, and keys for all and for the first.
    private struct Place {
        let server: TestServer
        let all: HTTPFields
        let some: HTTPFields
        /// Paths: of the library that the key is for, and of one that it is not for.
        let (mine, theirs): (String, String)
        /// Of what is in each.
        var (myDocument, theirDocument) = ("", "")
        var (myChunk, theirChunk) = ("", "")

        init() throws {
            // The key names the library before there is one.
            let id = LibraryID.random()
            let (server, keys) = try TestServer.withKeys { ring throws(KeysError) in
                (
                    all: try ring.create(name: "all", right: .admin, at: .now()),
                    some: try ring.create(name: "some", right: .write, libraries: .only([id]), at: .now())
                )
            }
            self.server = server
            all = [.apiKey: keys.all.reveal()]
            some = [.apiKey: keys.some.reveal()]
            mine = "/v1/libraries/\(id)"
            _ = try server.database.commit(
                .createLibrary(
                    LibraryRecord(
                        id: id, name: "a", description: nil, metric: .cosine, dimension: 2, model: LibraryRecord.externalModel,
                        fingerprint: nil, index: IndexConfiguration(.auto), text: TextOptions(), createdAt: .now())))
            theirs = try #require(server.post("/v1/libraries", ["name": "b", "embedding_dimension": 2], all).headers[.location])
            (myDocument, myChunk) = try add(to: mine)
            (theirDocument, theirChunk) = try add(to: theirs)
        }

        private func add(to library: String) throws -> (document: String, chunk: String) {
            let body: JSON = ["title": "d", "chunks": [["text": "x", "embedding": [1, 0]]]]
            let reply = server.post("\(library)/documents/with-embeddings", body, all)
            let chunk = try #require(reply.json["chunks"]?[0]?["id"]?.string)
            return (try #require(reply.headers[.location]), "/v1/chunks/\(chunk)")
        }
    }

    @Test("does with them what its right allows")
    func own() throws {
        let place = try Place()

        #expect(place.server.get(place.mine, place.some).status == 200)
        #expect(place.server.post("\(place.mine)/search/embedding", ["embedding": [1, 0]], place.some).json["total_results"] == 1)
        #expect(place.server.patch(place.myDocument, ["title": "e"], place.some).status == 200)
        #expect(place.server.get(place.myChunk, place.some).status == 200)
        #expect(place.server.delete(place.myDocument, place.some).status == 204)
    }

    @Test("finds no other, nor anything in it: every route answers as for what does not exist")
    func others() throws {
        let place = try Place()
        var tried = 0
        for operation in try Contract.shared.keyedOperations {
            guard let kind = operation.subject, let method = operation.methods.first else { continue }
            let there = kind == "libraries" ? place.theirs : kind == "documents" ? place.theirDocument : place.theirChunk
            let id = String(there.suffix(36))
            // Whatever else is wrong with the request.
            for (query, body) in [("", ""), ("?nonsense=1", ""), ("", "no JSON"), ("", "{}")] {
                let hidden = place.server.send(method, operation.path(id: id) + query, place.some, text: body)
                let missing = place.server.send(method, operation.path() + query, place.some, text: body)

                #expect(hidden.status == 404, "\(operation.name)\(query) \(body)")
                #expect(hidden.headers == missing.headers)
                #expect(
                    String(decoding: hidden.body, as: UTF8.self)
                        == String(decoding: missing.body, as: UTF8.self).replacing(KeyedOperation.missing, with: id))
                tried += 1
            }
        }
        #expect(tried > 100)
        #expect(place.server.get(place.theirs, place.all).json["num_documents"] == 1)
    }

    @Test("sees a list of its own, page by page")
    func lists() throws {
        let place = try Place()
        func ids(_ reply: Reply) -> [String] { (reply.json.array ?? []).compactMap { $0["id"]?.string } }

        #expect(ids(place.server.get("/v1/libraries", place.all)).count == 2)
        let own = place.server.get("/v1/libraries", place.some)
        #expect(ids(own) == [String(place.mine.suffix(36))] && own.next == nil)
        let first = place.server.get("/v1/libraries?limit=1", place.some)
        #expect(ids(first) == ids(own) && first.next == nil)
        let all = place.server.get("/v1/libraries?limit=1", place.all)
        #expect(ids(all) == ids(own) && all.next != nil)
        #expect(ids(place.server.get(try #require(all.next), place.some)) == [])
    }

    @Test("makes no library, and has no part in what concerns all of them")
    func everything() throws {
        let place = try Place()

        let reply = place.server.post("/v1/libraries", ["name": "x"], place.some)

        #expect(reply.status == 403 && reply.errorType == "PermissionError")
        #expect(reply.detail == "This needs a key for all libraries; the key is for some")
        #expect(place.server.get("/v1/models", place.some).status == 200)
        #expect(place.server.get("/v1/admin/snapshots", place.some).status == 403)
    }

    @Test("cannot take an id that is in use elsewhere, nor change what has it")
    func takenIDs() throws {
        let place = try Place()
        let body: JSON = [
            "id": .string(String(place.theirDocument.suffix(36))), "title": "mine", "chunks": [["text": "x", "embedding": [1, 0]]],
        ]

        for query in ["", "?on_conflict=replace"] {
            #expect(place.server.post("\(place.mine)/documents/with-embeddings\(query)", body, place.some).status == 409)
        }
        let ids: JSON = ["ids": [.string(String(place.theirDocument.suffix(36)))]]
        #expect(place.server.post("\(place.mine)/documents/delete", ids, place.some).json["deleted"] == 0)

        #expect(place.server.get(place.theirDocument, place.all).json["metadata"]?["title"] == "d")
    }
}
