import HTTPTypes
import TestSupport
import Testing

@testable import API
@testable import Database
@testable import Embedding

/// Vectors of another model for a library, and models that change behind their names.
struct ReembeddingTests {
    private let stub: StubServer
    private let server: TestServer
    /// How the model "second" answers: with an error, or with other vectors than before.
    private let isBroken = Shared(false)
    private let hasChanged = Shared(false)
    /// Called once, before the model "first" answers.
    private let beforeFirst = Shared<(@Sendable () -> Void)?>(nil)

    /// With the models `first` of dimension 4 and `second` of dimension 8, whose vectors say which letters a text has.
    init() throws {
        let (isBroken, hasChanged, beforeFirst) = (isBroken, hasChanged, beforeFirst)
        let stub = StubServer { request, _ in
            let isSecond = request.json["model"] == "second"
            if isSecond, isBroken.current { return .json(400, ["error": ["message": "no"]]) }
            if !isSecond {
                let call = beforeFirst.update { call in
                    defer { call = nil }
                    return call
                }
                call?()
            }
            let vectors = (request.json["input"]?.array ?? []).map { text -> [Double] in
                var letters = [Double](repeating: 0.01, count: isSecond ? 8 : 4)
                for byte in text.string!.utf8 { letters[Int(byte) % letters.count] += 1 }
                return isSecond && hasChanged.current ? letters.enumerated().map { Double($0.offset) - $0.element } : letters
            }
            return .json(
                200,
                [
                    "data": .array(
                        vectors.enumerated().map { ["index": .number(Double($0)), "embedding": .array($1.map { .number($0) })] })
                ])
        }
        self.stub = stub
        let models = [("first", 4), ("second", 8)].map { name, dimension in
            RemoteModel(name: name, provider: .openai, dimension: dimension, maxTokens: 99, baseURL: stub.url, summary: "s")
        }
        server = try TestServer(catalogue: ModelCatalogue(modelDirectory: nil, configured: models))
    }

    private func makeLibrary(documents: Int = 3) throws -> String {
        let library = try #require(server.post("/v1/libraries", ["name": "l", "embedding_model": "first"]).headers[.location])
        for number in 0..<documents {
            let text = String(repeating: "abcdefgh".randomElement()!, count: number + 1)
            #expect(
                server.post("\(library)/documents", ["title": .string("\(number)"), "texts": [.string(text), .string("x\(number)")]]).status
                    == 201)
        }
        return library
    }

    /// The status once the run is over.
    private func end(_ library: String) -> JSON {
        while true {
            let reply = server.get("\(library)/reembed")
            if reply.json["state"] != "running" { return reply.json }
            yieldThread()
        }
    }

    @Test("gives a library the vectors of another model, says how it went, and texts are of that model from then on")
    func reembeds() throws {
        defer { server.service.stop() }
        let library = try makeLibrary()
        #expect(server.get("\(library)/reembed").json == ["state": "none"])
        let etag = server.get(library).headers[.eTag]

        let begun = server.post("\(library)/reembed", ["embedding_model": "second"])
        #expect(begun.status == 202 && begun.json["from_model"] == "first" && begun.json["embedding_model"] == "second")

        let status = end(library)
        #expect(status["state"] == "done" && status["documents"] == 3 && status["documents_done"] == 3 && status["detail"] == nil)
        #expect(try (0...1).contains(#require(status["overlap_at_10"]?.number)))
        #expect(status["finished_at"]?.string != nil)
        let view = server.get(library)
        #expect(view.json["metadata"]?["embedding_model"] == "second" && view.json["metadata"]?["embedding_dimension"] == 8)
        #expect(view.headers[.eTag] != etag)
        #expect(server.post("\(library)/documents", ["title": "t", "texts": ["new"]]).status == 201)
        #expect(server.post("\(library)/search", ["query": "new", "k": 1]).json["results"]?[0]?["document_title"] == "t")
    }

    @Test("a search whose text the old model has embedded when the new one takes its place is embedded anew, alone and in a batch")
    func searchesAcross() throws {
        defer { server.service.stop() }
        // Of another text each time: a query is kept.
        for (isBatch, text) in [(false, "gggg"), (true, "fghi")] {
            let library = try makeLibrary()
            #expect(server.post("\(library)/documents", ["title": "t", "texts": [.string(text)]]).status == 201)
            let id = try #require(LibraryID(String(library.suffix(36))))
            beforeFirst.set { [database = server.database, reembedder = server.service.reembedder, service = server.service] in
                do {
                    try database.beginReembedding(of: id, as: EmbeddingSource(model: "second", dimension: 8))
                    try reembedder.start(id, from: "first", to: "second", with: service)
                } catch {
                    Issue.record(error)
                }
                while reembedder.run(of: id)?.state == .running { yieldThread() }
            }

            let search: JSON = ["query": .string(text), "k": 1]
            let reply =
                isBatch
                ? server.post("\(library)/search/batch", ["searches": [["query": "xyz"], search]])
                : server.post("\(library)/search", search)

            let results = isBatch ? reply.json["searches"]?[1]?["results"] : reply.json["results"]
            #expect(results?[0]?["document_title"] == "t", "\(reply.json.text)")
            #expect(results?[0]?["distance"]?.number.map { abs($0) < 1e-6 } == true)
            #expect(server.get(library).json["metadata"]?["embedding_model"] == "second")
        }
    }

    @Test("goes on after a restart where it was, and can be gone on with where it failed")
    func goesOn() throws {
        let library = try makeLibrary()
        _ = server.post("\(library)/reembed", ["embedding_model": "second"])
        _ = end(library)
        // The run ends with the server, what it has made stays.
        server.service.stop()
        #expect(server.post("\(library)/reembed", ["embedding_model": "first"]).status == 503)
        let id = try #require(server.database.reembeddedLibraries.first)
        #expect(server.get("\(library)/reembed").json["state"] == "done", "the last that ran")

        let service = Service(settings: server.settings)
        service.start(server.database, try server.service.catalogue)
        defer { service.stop() }
        while service.reembedder.run(of: id)?.state == .running { yieldThread() }
        #expect(service.reembedder.run(of: id)?.state == .done)
        #expect(try server.database.library(id).record.model == "first")
    }

    @Test("is given up on demand, and another can begin then")
    func cancelled() throws {
        defer { server.service.stop() }
        let library = try makeLibrary()
        #expect(server.delete("\(library)/reembed").status == 409)
        _ = server.post("\(library)/reembed", ["embedding_model": "second"])
        _ = end(library)
        // Not a step can be made any more.
        isBroken.set(true)
        #expect(server.post("\(library)/reembed", ["embedding_model": "first"]).status == 202)
        _ = end(library)
        isBroken.set(false)
        _ = server.post("\(library)/documents", ["title": "t", "texts": ["a"]])
        server.service.reembedder.stop()
        #expect(server.post("\(library)/reembed", ["embedding_model": "second"]).status == 503)
        #expect(server.post("\(library)/reembed", ["embedding_model": "first"]).status == 409, "one has begun")
        #expect(server.delete("\(library)/reembed").status == 204)
        #expect(server.delete("\(library)/reembed").status == 409)
        #expect(server.get(library).json["metadata"]?["embedding_model"] == "first")
    }

    @Test("says what is wrong with a request, and with a provider")
    func refusals() throws {
        defer { server.service.stop() }
        let library = try makeLibrary()
        #expect(server.post("\(library)/reembed", ["embedding_model": "third"]).locations == ["body.embedding_model"])
        #expect(server.post("\(library)/reembed", ["embedding_model": "external"]).locations == ["body.embedding_model"])
        #expect(server.post("\(library)/reembed", [:]).locations == ["body.embedding_model"])
        #expect(server.post("/v1/libraries/\(LibraryIDs.unknown)/reembed", ["embedding_model": "second"]).status == 404)
        #expect(server.get("/v1/libraries/\(LibraryIDs.unknown)/reembed").status == 404)
        isBroken.set(true)
        let reply = server.post("\(library)/reembed", ["embedding_model": "second"])
        #expect(reply.status == 503 && server.get("\(library)/reembed").json["state"] == "none")
    }

    @Test("a re-embedding is by the model as it is then, and queries that it has answered before are asked anew")
    func changedUnnoticed() throws {
        defer { server.service.stop() }
        let library = try #require(server.post("/v1/libraries", ["name": "l", "embedding_model": "second"]).headers[.location])
        #expect(server.post("\(library)/documents", ["title": "t", "texts": ["aab", "cddd"]]).status == 201)
        func distance() -> Double {
            let reply = server.post("\(library)/search", ["query": "aab", "k": 1])
            return reply.json["results"]?[0]?["distance"]?.number ?? .infinity
        }
        #expect(abs(distance()) < 1e-6)

        hasChanged.set(true)
        #expect(server.post("\(library)/reembed", ["embedding_model": "second"]).status == 202)

        #expect(end(library)["state"] == "done")
        #expect(abs(distance()) < 1e-6)
        // An hour later, or after a restart, the model is asked again: it is still the one that made these vectors.
        let service = Service(settings: server.settings)
        service.start(server.database, try server.service.catalogue)
        let id = try #require(LibraryID(String(library.suffix(36))))
        #expect(try service.model(of: server.database.library(id).record.source).name == "second")
    }

    @Test("a model that has changed behind its name is found, at the first text and the first query; with its new vectors all is well")
    func changed() throws {
        defer { server.service.stop() }
        let library = try #require(server.post("/v1/libraries", ["name": "l", "embedding_model": "second"]).headers[.location])
        #expect(server.post("\(library)/documents", ["title": "t", "texts": ["one"]]).status == 201)
        hasChanged.set(true)
        // As after a restart, or an hour.
        let service = Service(settings: server.settings)
        service.start(server.database, try server.service.catalogue)
        defer { service.stop() }
        let record = try server.database.library(#require(.init(String(library.suffix(36))))).record

        for inputType in [EmbeddingInputType.query, .document] {
            #expect {
                try service.embed(["two"], as: inputType, for: record)
            } throws: { error in
                let error = APIError(error)
                return error.type == .embeddingService && error.detail.contains("has changed") && error.detail.contains("reembed")
            }
        }
        #expect(try server.database.library(record.id).documentCount == 1)

        try server.database.beginReembedding(
            of: record.id,
            as: .init(
                model: "second", dimension: 8,
                fingerprint: service.fingerprint(
                    of: #require(
                        service.catalogue.model(named: "second"))
                ).encoded))
        try service.reembedder.start(record.id, from: "second", to: "second", with: service)
        while service.reembedder.run(of: record.id)?.state == .running { yieldThread() }
        let now = try server.database.library(record.id).record
        #expect(try service.embed(["two"], as: .query, for: now).count == 1)
    }

    @Test("what cannot be embedded ends it with the reason, and the library is as it was")
    func fails() throws {
        defer { server.service.stop() }
        let library = try makeLibrary()
        _ = server.post("\(library)/reembed", ["embedding_model": "second"])
        _ = end(library)
        // From here the model that it should have is another one.
        _ = server.post("\(library)/reembed", ["embedding_model": "first"])
        _ = end(library)
        let id = try #require(server.database.libraries(after: nil, limit: 1).elements.first?.record.id)
        try server.database.beginReembedding(of: id, as: .init(model: "gone", dimension: 8))
        try server.service.reembedder.start(id, from: "first", to: "gone", with: server.service)
        let status = end(library)
        #expect(status["state"] == "failed" && status["detail"]?.string?.contains("gone") == true)
        #expect(server.get(library).json["metadata"]?["embedding_model"] == "first")
        #expect(server.post("\(library)/search", ["query": "x", "k": 1]).status == 200)
    }
}

private enum LibraryIDs {
    static let unknown = "00000000-0000-4000-8000-000000000000"
}
