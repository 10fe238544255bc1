import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("The main job, through nginx")
struct JourneyTests {
    @Test(
        "text goes in, survives kill -9, and is found by meaning", .enabled(if: weightsDirectory != nil, "the MiniLM weights are not here"))
    func textIsFoundByMeaning() throws {
        let quire = try QuireInstance()
        let library = try quire.createLibrary(#"{"name":"animals","description":"texts"}"#)
        let texts = ["A cat sleeps on the warm roof.", "The parliament passed a new tax law.", "Heavy rain flooded the valley."]
        let body = try JSONEncoder().encode(["title": ["x"], "texts": texts].mapValues { $0 })
        let document = try quire.post(
            "/v1/libraries/\(library)/documents", String(decoding: body, as: UTF8.self).replacing(#"["x"]"#, with: #""News""#))
        #expect(document.status == 201)

        try quire.killResponder()

        let questions = ["kitten dozing": 0, "politicians and money": 1, "bad weather": 2]
        for (question, expected) in questions {
            let reply = try quire.post("/v1/libraries/\(library)/search", #"{"query":"\#(question)","k":1}"#)
            #expect(reply.status == 200)
            let results = try reply.decoded(as: SearchReply.self).results
            #expect(results.map(\.chunk.text) == [texts[expected]])
            #expect(results.first?.document_title == "News")
        }
    }

    @Test("vectors come back bit for bit, after a kill too")
    func vectorsSurvive() throws {
        let quire = try QuireInstance()
        let library = try quire.createLibrary()
        let vector: [Float] = [0.1, -3.25e-7, 12345.678]
        let reply = try quire.post(
            "/v1/libraries/\(library)/documents/with-embeddings?include_embeddings=true",
            #"{"title":"t","chunks":[{"text":"a","embedding":\#(vector)}]}"#)
        #expect(reply.status == 201)
        let sent = try reply.decoded(as: DocumentReply.self)
        #expect(sent.chunks.first?.embedding == vector)

        try quire.killResponder()

        let back = try quire.get("/v1/documents/\(sent.id)?include_embeddings=true")
        #expect(try back.decoded(as: DocumentReply.self) == sent)
        #expect(try quire.search(library, vector).results.map(\.chunk.id) == sent.chunks.map(\.id))
    }

    @Test("a snapshot is downloaded, checked and restored, and another server goes on from it")
    func backup() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        let sent = try quire.post(
            "/v1/libraries/\(library)/documents/with-embeddings", #"{"title":"kept","chunks":[{"text":"a","embedding":[1,2,3]}]}"#
        ).decoded(as: DocumentReply.self)
        let snapshot = try #require(try quire.post("/v1/admin/snapshots", "").json["name"]?.string)
        let path = quire.directory / "backup.tar"
        let url = "http://127.0.0.1:\(quire.port)/v1/admin/snapshots/\(snapshot)/archive"
        let download = try ChildProcess(
            "/usr/bin/env", ["curl", "-sf", "-o", path, url], environment: ["PATH": "/usr/bin:/bin"], in: quire.directory)
        #expect(download.wait() == 0)
        let restored = quire.directory / "restored"

        let restore = try quire.run("quire", "restore", path, restored)

        #expect(restore.wait() == 0, "\(restore.errors)")
        #expect(restore.output == "restored to \(restored): libraries 1, documents 1, chunks 1\n")
        let other = try QuireInstance(noModel.merging(["VECTOR_DB_DATA_DIR": restored]) { $1 })
        #expect(try other.get("/v1/documents/\(sent.id)").decoded(as: DocumentReply.self).chunks.map(\.text) == ["a"])
        #expect(try other.createLibrary() != library)
        // Neither into a directory that has something, nor of what is no archive.
        let again = try quire.run("quire", "restore", path, restored)
        #expect(again.wait() == 65 && again.errors.contains("is not empty"))
        let nothing = try quire.run("quire", "restore", try quire.directory.write("bad.tar", "no archive"), quire.directory / "bad")
        #expect(nothing.wait() == 65)
        #expect(try FileManager.default.contentsOfDirectory(atPath: quire.directory / "bad").isEmpty)
    }

    @Test("a library chooses its index by itself, becomes another one while it serves, and is that after a kill")
    func indexes() throws {
        let subject = try Subject([:])
        let library = try subject.library(dimension: 8)
        var generator = SplitMix(seed: 5)
        let vectors = (0..<2000).map { _ in (0..<8).map { _ in Double.random(in: -1...1, using: &generator) } }
        for first in stride(from: 0, to: vectors.count, by: 500) {
            let chunks = (first..<first + 500).map {
                ["text": .string("\($0)"), "embedding": .array(vectors[$0].map { .number($0) })] as JSON
            }
            #expect(try subject.post("\(library)/documents/with-embeddings", ["title": "t", "chunks": .array(chunks)]).status == 201)
        }
        /// Asks until the answer is there.
        func wait(_ path: String, until isIt: (JSON) -> Bool) throws -> JSON {
            while true {
                let reply = try subject.get("\(library)/\(path)")
                #expect(reply.status == 200)
                if reply.status != 200 || isIt(reply.json) { return reply.json }
            }
        }
        func expectFound(by kinds: [JSON]) throws {
            var found = 0
            for number in stride(from: 0, to: vectors.count, by: 100) {
                let reply = try subject.post(
                    "\(library)/search/embedding", ["embedding": .array(vectors[number].map { .number($0) }), "k": 1])
                #expect(reply.status == 200 && kinds.contains(reply.json["plan"]?["index"] ?? .null), "\(reply.text)")
                if reply.json["results"]?[0]?["chunk"]?["text"] == .string("\(number)") { found += 1 }
            }
            #expect(found >= 19, "\(found) of 20")
        }

        let statistics = try wait("statistics") { $0["index_stats"]?["state"] == "ready" }
        #expect(statistics["index_type"] == "auto" && statistics["index_stats"]?["indexed"] == 2000)
        try expectFound(by: ["brute_force", "hnsw"])

        let rebuild = try subject.post("\(library)/index/rebuild", ["index_type": "ivf", "index_params": ["nlist": 20, "nprobe": 10]])
        #expect(rebuild.status == 202)
        let status = try wait("index") { $0["state"] == "ready" }
        #expect(status["index_type"] == "ivf" && status["index_params"]?["nlist"] == 20 && status["target"] == nil)
        try expectFound(by: ["ivf"])

        try subject.quire.killResponder()
        let after = try wait("index") { $0["state"] == "ready" }
        #expect(after == status)
        try expectFound(by: ["ivf"])
    }

    @Test("a deleted document is gone at once and stays gone")
    func deletedStaysDeleted() throws {
        let quire = try QuireInstance()
        let library = try quire.createLibrary()
        let document = try quire.post(
            "/v1/libraries/\(library)/documents/with-embeddings", #"{"title":"t","chunks":[{"text":"a","embedding":[1,0,0]}]}"#
        ).decoded(as: DocumentReply.self)

        #expect(try quire.delete("/v1/documents/\(document.id)").status == 204)

        #expect(try quire.search(library, [1, 0, 0]).results.isEmpty)
        try quire.killResponder()
        #expect(try quire.get("/v1/documents/\(document.id)").status == 404)
        #expect(try quire.search(library, [1, 0, 0]).results.isEmpty)
    }

    @Test("without weights everything but text embedding works, and says so")
    func withoutWeights() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary(#"{"name":"minilm"}"#)

        let reply = try quire.post("/v1/libraries/\(library)/documents", #"{"title":"t","texts":["hello"]}"#)

        #expect(reply.status == 503)
        let error = try reply.decoded(as: ErrorReply.self)
        #expect(error.error_type == "EmbeddingServiceError")
        #expect(error.detail.contains("Scripts/bootstrap-model"))
        let vector = Array(repeating: Float(0.5), count: 384)
        #expect(
            try quire.post(
                "/v1/libraries/\(library)/documents/with-embeddings", #"{"title":"t","chunks":[{"text":"a","embedding":\#(vector)}]}"#
            ).status == 201)
        #expect(try quire.search(library, vector).total_results == 1)
        #expect(try quire.get("/ready").status == 200)
    }
}
