import HTTPTypes
import TestSupport
import Testing

struct MalformedJSONTests {
    @Test("what is not one JSON value is refused as such", arguments: MalformedJSON.texts)
    func refused(text: [UInt8]) throws {
        let server = try TestServer()

        let reply = server.send(.post, "/v1/libraries", bytes: text)

        #expect(reply.status == 400 && reply.errorType == "InvalidRequestError")
        #expect(reply.detail.hasPrefix("Malformed JSON: ") && reply.json["errors"] == nil)
        #expect(server.get("/v1/libraries").json == [])
    }

    @Test("every endpoint that takes a body refuses one that is not JSON")
    func everywhere() throws {
        let server = try TestServer()
        let (vectors, texts) = (server.vectors(), server.texts())
        for path in [
            "/v1/libraries", "\(vectors)/documents/with-embeddings", "\(vectors)/search/embedding", "\(texts)/documents", "\(texts)/search",
        ] {
            #expect(server.post(path, text: "{").status == 400)
        }
        #expect(server.send(.patch, vectors, text: "{").status == 400)
    }

    @Test("JSON that is merely unusual is read", arguments: MalformedJSON.merelyUnusual)
    func accepted(text: String) throws {
        let server = try TestServer()

        #expect(server.post("/v1/libraries", text: text).status == 201)
    }

    @Test("a value of the wrong shape is told apart from one that is not JSON", arguments: MalformedJSON.wrongShapes)
    func wrongShape(text: String) throws {
        let server = try TestServer()

        #expect(server.post("/v1/libraries", text: text).status == 422)
    }
}
