import TestSupport
import Testing

struct SearchTests {
    private func search(_ server: TestServer, _ library: String, _ vector: [JSON], _ fields: [String: JSON] = [:]) -> Reply {
        server.post("\(library)/search/embedding", .object(["embedding": .array(vector)].merging(fields) { $1 }))
    }

    private func distances(_ reply: Reply) -> [Float] {
        (reply.json["results"]?.array ?? []).compactMap { $0["distance"]?.number.map { Float($0) } }
    }

    private static let orders: [(metric: String, distances: [Float])] = [
        ("cosine", [0, 0.4, 1, 2]), ("dot", [-3, -3, 0, 3]), ("l2", [2, 4, 4.1231055, 4.472136]),
    ]

    @Test("results come nearest first, with the distance and score of the metric", arguments: orders)
    func order(metric: String, expected: [Float]) throws {
        let server = try TestServer()
        let library = server.vectors(2, metric: metric)
        server.add([[-3, 0], [0, 4], [3, 0], [3, 4]], to: library)

        let reply = search(server, library, [1, 0])

        #expect(reply.status == 200 && reply.json["total_results"] == 4)
        let found = distances(reply)
        let scores = (reply.json["results"]?.array ?? []).compactMap { $0["score"]?.number.map { Float($0) } }
        let expectedScores = expected.map { metric == "cosine" ? 1 - $0 : metric == "dot" ? -$0 : 1 / (1 + $0) }
        #expect(found.count == 4 && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 }, "\(found)")
        #expect(scores.count == 4 && zip(scores, expectedScores).allSatisfy { abs($0 - $1) < 1e-6 }, "\(scores)")
    }

    @Test("a result is the chunk, its document and an honest plan")
    func shape() throws {
        let server = try TestServer()
        let library = server.vectors()
        let document = server.add([[1, 0, 0]], to: library, title: "found").json

        let reply = search(server, library, [2, 0, 0], ["k": 1])

        #expect(reply.json["results"]?.array?.count == 1)
        let hit = try #require(reply.json["results"]?[0])
        #expect(hit["chunk"] == document["chunks"]?[0])
        #expect(hit["document_id"] == document["id"] && hit["document_title"] == "found")
        #expect(hit["distance"] == 0 && hit["score"] == 1)
        #expect(reply.json["plan"] == ["mode": "vector", "index": "brute_force", "exact": true, "scored": 1])
    }

    @Test("a threshold is inclusive, for every distance that was reported", arguments: ["cosine", "dot", "l2"])
    func inclusive(metric: String) throws {
        let server = try TestServer()
        let library = server.vectors(2, metric: metric)
        server.add([[1, 0.1], [0.3, 0.7], [-1, 0.2]], to: library)
        let all = try #require(search(server, library, [0.9, 0.3]).json["results"]?.array)

        #expect(all.count == 3)
        for (index, hit) in all.enumerated() {
            let reply = search(server, library, [0.9, 0.3], ["distance_threshold": hit["distance"]!])
            #expect(reply.json["results"]?.array?.count == index + 1)
            #expect(reply.json["plan"]?["short_by"] == (index < 2 ? "distance_threshold" : "library_size"))
        }
    }

    @Test("equal distances come in order of chunk id, whatever k")
    func ties() throws {
        let server = try TestServer()
        let library = server.vectors()
        server.add(Array(repeating: [1, 0, 0], count: 6) + [[2, 0, 0], [0, 1, 0]], to: library)
        server.add([[1, 0, 0]], to: library)
        let all = search(server, library, [1, 0, 0], ["k": 8]).json["results"]!.array!.map { $0["chunk"]!["id"]!.string! }

        #expect(all.count == 8 && all == all.sorted())
        for k in 1...8 {
            let some = search(server, library, [1, 0, 0], ["k": .number(Double(k))]).json["results"]!.array!
            #expect(some.map { $0["chunk"]!["id"]!.string! } == Array(all.prefix(k)))
        }
    }

    @Test("fewer results than asked for say why")
    func shortage() throws {
        let server = try TestServer()
        let library = server.vectors()

        let empty = search(server, library, [1, 0, 0])
        server.add([[1, 0, 0], [0, 1, 0]], to: library)
        let few = search(server, library, [1, 0, 0], ["k": 100])
        let exact = search(server, library, [1, 0, 0], ["k": 2])

        #expect(empty.status == 200 && empty.json["results"] == [] && empty.json["total_results"] == 0)
        #expect(empty.json["plan"] == ["mode": "vector", "index": "brute_force", "exact": true, "scored": 0, "short_by": "library_size"])
        #expect(few.json["total_results"] == 2 && few.json["plan"]?["short_by"] == "library_size")
        #expect(exact.json["total_results"] == 2 && exact.json["plan"]?["short_by"] == nil)
    }

    @Test("a dot product of zero has no sign")
    func zeroDotProduct() throws {
        let server = try TestServer()
        let library = server.vectors(metric: "dot")
        server.add([[1, 0, 0]], to: library)

        let body = String(decoding: search(server, library, [0, 1, 0]).body, as: UTF8.self)

        #expect(body.contains(#""distance":0,"#) && body.contains(#""score":0}"#))
    }

    @Test(
        "fields of other versions are refused by name",
        arguments: ["passage", "K", "vector"])
    func unknown(field: String) throws {
        let server = try TestServer()
        let library = server.vectors()

        for resource in ["search", "search/embedding"] {
            let reply = server.post("\(library)/\(resource)", [field: 1])
            #expect(reply.status == 422 && reply.locations.contains("body.\(field)"))
        }
    }

    @Test("all problems of a search come together")
    func problems() throws {
        let server = try TestServer()
        let library = server.vectors()

        let vector = search(server, library, [1], ["k": 0, "distance_threshold": 3])
        let text = server.post("\(library)/search", ["query": "", "k": "1", "distance_threshold": -1])

        #expect(vector.status == 422)
        #expect(vector.locations == ["body.embedding", "body.k", "body.distance_threshold"])
        #expect(text.locations == ["body.query", "body.k", "body.distance_threshold"])
        #expect(server.post("\(library)/search", ["query": "\u{3000} "]).errorType == "InvalidRequestError")
        #expect(server.post("\(library)/search", [:]).detail == "body.query: is required")
        #expect(search(server, library, [1]).errorType == "DimensionMismatchError")
    }
}
