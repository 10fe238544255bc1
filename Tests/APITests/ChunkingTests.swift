import HTTPTypes
import TestSupport
import Testing

/// Texts that the server divides.
struct ChunkingTests {
    private static let text =
        "Der Fluß kommt von weit her. 😀 Rain falls on the hills and runs down in streams. "
        + "In the plain it slows down and drops its sand. At last it comes to the sea."

    private func chunks(_ reply: Reply) -> [JSON] { reply.json["chunks"]?.array ?? [] }

    /// What the offsets of a chunk say that it is.
    private func slice(_ chunk: JSON, of text: String) -> String? {
        let metadata = chunk["metadata"]
        guard let start = metadata?["start_offset"]?.integer, let end = metadata?["end_offset"]?.integer else { return nil }
        return String(String.UnicodeScalarView(Array(text.unicodeScalars)[start..<end]))
    }

    @Test("the offsets of a chunk are where it stands in the text", .needsWeights, arguments: ["sentence", "fixed"])
    func offsets(strategy: String) throws {
        let server = try TestServer(model: weightsDirectory)
        let chunking: JSON = ["strategy": .string(strategy), "max_tokens": 20, "overlap": 5]

        let reply = server.post("\(server.texts())/documents", ["title": "T", "text": .string(Self.text), "chunking": chunking])
        let again = server.get(try #require(reply.headers[.location]))

        #expect(reply.status == 201 && chunks(reply).count > 2)
        for chunk in chunks(reply) + chunks(again) { #expect(slice(chunk, of: Self.text) == chunk["text"]?.string) }
        #expect(reply.json["num_chunks"]?.integer == chunks(again).count)
    }

    @Test("a text is divided into whole sentences of as many tokens as the model reads, if nothing else is said", .needsWeights)
    func defaults() throws {
        let server = try TestServer(model: weightsDirectory)
        let library = server.texts()
        let long = Array(repeating: "The quick brown fox jumps over the lazy dog.", count: 60).joined(separator: " ")

        let short = server.post("\(library)/documents", ["title": "T", "text": .string(Self.text), "chunking": .null])
        let divided = server.post("\(library)/documents", ["title": "T", "text": .string(long)])

        #expect(chunks(short).map { $0["text"] } == [.string(Self.text)])
        // Ten tokens each, and 254 at most.
        #expect(chunks(divided).map { $0["text"]?.string?.count { $0 == "." } } == [25, 25, 10])
        let texts = server.post("\(library)/documents", ["title": "T", "texts": ["One."]])
        #expect(chunks(texts)[0]["metadata"]?["start_offset"] == nil)
    }

    @Test("a document has a text or texts, and a text something to say")
    func refused() throws {
        let server = try TestServer()
        let path = "\(server.texts())/documents"
        func post(_ fields: [String: JSON]) -> Reply { server.post(path, .object(fields.merging(["title": "T"]) { $1 })) }

        let both = post(["text": "a", "texts": ["b"]])
        #expect(both.status == 422 && both.locations == ["body.text"] && both.detail.contains("texts or text, not both"))
        #expect(post([:]).locations == ["body.texts"])
        #expect(post(["texts": ["b"], "chunking": ["max_tokens": 20]]).locations == ["body.chunking"])
        for blank in [" ", "\n\u{3000}"] {
            let reply = post(["text": .string(blank)])
            #expect(reply.status == 400 && reply.locations == ["body.text"] && reply.problemTypes == ["blank"])
        }
        #expect(post(["text": ""]).problemTypes == ["too_short"])
        #expect(post(["text": 5]).problemTypes == ["wrong_type"])
        #expect(post(["text": "a", "chunking": ["strategy": "page"]]).locations == ["body.chunking.strategy"])
        for tokens in [7, 255] {
            let reply = post(["text": "a", "chunking": ["max_tokens": .number(Double(tokens))]])
            #expect(reply.status == 422 && reply.locations == ["body.chunking.max_tokens"] && reply.detail.contains("between 8 and 254"))
        }
        #expect(post(["text": "a", "chunking": ["overlap": 254]]).detail == "body.chunking.overlap: must be less than max_tokens = 254")
        #expect(post(["text": "a", "chunking": ["max_tokens": 8, "overlap": 8]]).locations == ["body.chunking.overlap"])
        #expect(post(["text": "a", "chunking": ["size": 8]]).locations == ["body.chunking.size"])
        // What is left is for the model, which is not there.
        #expect(post(["text": "a", "chunking": ["max_tokens": 254, "overlap": 253]]).status == 503)
    }

    @Test("a text has as many chunks as a document may have, and no more", .needsWeights)
    func limits() throws {
        let server = try TestServer(["MAX_CHUNKS_PER_DOCUMENT": "3", "MAX_CHUNK_LENGTH": "10"], model: weightsDirectory)
        let path = "\(server.texts())/documents"
        func post(_ count: Int) -> Reply {
            server.post(path, ["title": "T", "text": .string(Array(repeating: "One two x.", count: count).joined(separator: " "))])
        }

        #expect(chunks(post(3)).map { $0["text"] } == ["One two x.", "One two x.", "One two x."])
        let reply = post(4)
        #expect(reply.status == 422 && reply.locations == ["body.text"] && reply.detail.contains("MAX_CHUNKS_PER_DOCUMENT = 3"))
    }

    @Test("a text replaces a document, and no text comes behind the chunks of another")
    func elsewhere() throws {
        let server = try TestServer()
        let library = server.vectors()
        let document = try #require(server.add([[1, 0, 0]], to: library).headers[.location])

        // A library of vectors takes none, whoever divides it.
        let added = server.post("\(library)/documents", ["title": "T", "text": "One. Two."])
        let replaced = server.put(document, ["title": "T", "text": "One. Two."])
        let appended = server.post("\(document)/chunks", ["text": "One. Two."])
        let chunks = server.put(document, ["title": "T", "text": "One.", "chunks": [["text": "x", "embedding": [1, 0, 0]]]])

        for reply in [added, replaced] { #expect(reply.status == 400 && reply.errorType == "InvalidRequestError") }
        #expect(appended.status == 422 && appended.locations.contains("body.text"))
        #expect(chunks.status == 422 && chunks.locations == ["body.text"])
        let vectors = server.post("\(library)/documents/with-embeddings", ["title": "T", "text": "One."])
        #expect(vectors.status == 422 && vectors.locations == ["body.chunks", "body.text"])
    }
}
