import HTTPTypes
import TestSupport
import Testing

struct UnicodeTests {
    @Test("text comes back byte for byte", arguments: Texts.unusual)
    func roundTrip(text: String) throws {
        let server = try TestServer()
        let bytes = Array(text.utf8)
        let library = try #require(
            server.post("/v1/libraries", ["name": .string(text), "description": .string(text), "embedding_dimension": 1]).headers[.location]
        )
        let body: JSON = [
            "title": .string(text), "author": .string(text), "document_type": .string(text), "source_url": .string(text),
            "tags": [.string(text)], "chunks": [["text": .string("x" + text), "embedding": [1]]],
        ]
        let document = try #require(server.post("\(library)/documents/with-embeddings", body).headers[.location])

        func same(_ value: JSON?) -> Bool { value?.string.map { Array($0.utf8) } == bytes }
        let record = server.get(library).json
        #expect(same(record["name"]) && same(record["metadata"]?["description"]))
        #expect(same(server.get("\(library)/statistics").json["library_name"]))
        for metadata in [server.get(document).json["metadata"], server.get("\(library)/documents").json[0]?["metadata"]] {
            for field in ["title", "author", "document_type", "source_url"] { #expect(same(metadata?[field]), "\(field)") }
            #expect(same(metadata?["tags"]?[0]))
        }
        let hit = server.post("\(library)/search/embedding", ["embedding": [1]]).json["results"]?[0]
        #expect(same(hit?["document_title"]))
        #expect(hit?["chunk"]?["text"]?.string.map { Array($0.utf8) } == [UInt8(ascii: "x")] + bytes)
    }

    @Test("texts that look the same stay different")
    func notNormalised() throws {
        let server = try TestServer()
        for name in ["é", "e\u{301}"] { _ = server.post("/v1/libraries", ["name": .string(name)]) }

        let names = server.get("/v1/libraries").json.array?.compactMap { $0["name"]?.string?.unicodeScalars.count }

        #expect(names == [1, 2])
    }

    @Test("white space of any script is blank", arguments: Texts.blank)
    func blank(text: String) throws {
        let server = try TestServer()
        let (vectors, texts) = (server.vectors(1), server.texts())

        for reply in [
            server.post("\(vectors)/documents/with-embeddings", ["title": "T", "chunks": [["text": .string(text), "embedding": [1]]]]),
            server.post("\(texts)/documents", ["title": "T", "texts": [.string(text)]]),
            server.post("\(texts)/search", ["query": .string(text)]),
        ] {
            #expect(reply.status == 400 && reply.errorType == "InvalidRequestError" && reply.problemTypes == ["blank"])
        }
    }
}
