import HTTPTypes
import TestSupport
import Testing

/// Vectors on the wire: base64, and where they are shown.
struct EmbeddingTests {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// RFC 4648, section 4, written here anew.
    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 { text.append(digit <= group.count ? alphabet[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "=")) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func base64(_ floats: [Float]) -> String {
        base64(floats.flatMap { float in (0..<4).map { UInt8(truncatingIfNeeded: float.bitPattern >> (8 * $0)) } })
    }

    @Test("base64 stores the very bits it has")
    func exact() throws {
        let server = try TestServer()
        var generator = SplitMix(seed: 20_261_122)
        var vectors = (0..<20).map { _ in (0..<5).map { _ in Float.random(in: -1e18...1e18, using: &generator) } }
        vectors.append([-0.0, .leastNonzeroMagnitude, .leastNormalMagnitude.nextDown, 1e18, 1.0.nextUp].map { Float($0) })
        let library = server.vectors(5)
        let chunks = vectors.map { ["text": "x", "embedding": .string(Self.base64($0))] as JSON }

        let reply = server.post("\(library)/documents/with-embeddings?include_embeddings=true", ["title": "T", "chunks": .array(chunks)])
        let again = server.get("\(reply.headers[.location] ?? "")?include_embeddings=true")

        #expect(reply.status == 201)
        for stored in [reply, again] {
            let found = stored.json["chunks"]?.array?.compactMap { $0["embedding"]?.floats?.map(\.bitPattern) }
            #expect(found == vectors.map { $0.map(\.bitPattern) })
        }
        let search = server.post("\(library)/search/embedding", ["embedding": .string(Self.base64(vectors[7])), "k": 1])
        #expect(search.json["results"]?[0]?["chunk"]?["metadata"]?["chunk_index"] == 7)
    }

    @Test(
        "what is not the base64 of the vector is refused",
        arguments: [
            ("", 400, "dimension_mismatch"), (base64([1, 2] as [Float]), 400, "dimension_mismatch"),
            (base64([1, 2, 3, 4] as [Float]), 400, "dimension_mismatch"), (base64([0, 0, 0] as [Float]), 400, "zero_vector"),
            (base64([.nan, 0, 0] as [Float]), 400, "not_finite"), (base64([1, -.infinity, 0] as [Float]), 400, "not_finite"),
            (base64([9e18, 9e18, 0] as [Float]), 400, "norm_out_of_range"),
            (base64([UInt8](repeating: 1, count: 11)), 422, "invalid_base64"),
            (base64([UInt8](repeating: 1, count: 13)), 422, "invalid_base64"), ("AACAPwAAAAAAAAA", 422, "invalid_base64"),
            ("AACAPwAAAAAAAAA*", 422, "invalid_base64"), ("AACAPwAAAAA_AAA-", 422, "invalid_base64"),
            ("AACAPwAA AAAAAAAA", 422, "invalid_base64"),
            ("AACAPwAA\nAAAAAAAA", 422, "invalid_base64"), ("=ACAPwAAAAAAAAAA", 422, "invalid_base64"),
            ("AACAPwAAAAAAAA==AAAA", 422, "invalid_base64"), ("AACAPwAAAAAAAAAA====", 422, "invalid_base64"),
            ("ÄACAPwAAAAAAAAAA", 422, "invalid_base64"),
        ])
    func refused(text: String, status: Int, kind: String) throws {
        let server = try TestServer()
        let library = server.vectors()

        let document = server.post(
            "\(library)/documents/with-embeddings", ["title": "T", "chunks": [["text": "x", "embedding": .string(text)]]])
        let search = server.post("\(library)/search/embedding", ["embedding": .string(text)])

        #expect(document.status == status && document.problemTypes == [kind] && document.locations == ["body.chunks.0.embedding"])
        #expect(search.status == status && search.problemTypes == [kind] && search.locations == ["body.embedding"])
    }

    @Test("numbers come back as the floats they became, not normalised")
    func asSent() throws {
        let server = try TestServer()
        let sent: [Double] = [0.1, -3.25, 1e-20]

        let reply = server.add([sent], to: server.vectors(), query: "?include_embeddings=true")

        #expect(reply.json["chunks"]?[0]?["embedding"]?.floats == sent.map { Float($0) })
        #expect(String(decoding: reply.body, as: UTF8.self).contains("\"embedding\":[0.1,-3.25,1e-20]"))
    }

    @Test("vectors are shown where chunks are, and only when asked for")
    func included() throws {
        let server = try TestServer()
        let library = server.vectors()
        let created = server.add([[1, 0, 0]], to: library)
        let document = try #require(created.headers[.location])
        let vector: JSON = [1, 0, 0]
        func first(_ reply: Reply) -> JSON? { reply.json["chunks"]?[0] ?? reply.json["results"]?[0]?["chunk"] }

        for query in ["", "?include_embeddings=false", "?include_embeddings=0"] {
            for reply in [server.get(document + query), server.post("\(library)/search/embedding\(query)", ["embedding": vector])] {
                #expect(first(reply)?["id"] != nil && first(reply)?["embedding"] == nil)
            }
        }
        for query in ["?include_embeddings=true", "?include_embeddings=1"] {
            for reply in [
                server.get(document + query), server.post("\(library)/search/embedding\(query)", ["embedding": vector]),
                server.add([[1, 0, 0]], to: library, query: query),
            ] { #expect(first(reply)?["embedding"] == vector) }
        }
        #expect(first(created)?["embedding"] == nil)
        for query in [
            "?include_embeddings=yes", "?include_embeddings=", "?include_embeddings", "?include_embeddings=true&include_embeddings=true",
        ] {
            let reply = server.get(document + query)
            #expect(reply.status == 422 && reply.locations.allSatisfy { $0 == "query.include_embeddings" })
        }
    }
}
