import TestSupport
import Testing

@Suite("nginx before the server")
struct EdgeTests {
    private static let document = #"{"title":"t","chunks":[{"text":"a","embedding":[1,2,3]}]}"#

    @Test("limits leave searches and writes as they are until there are too many of them, and health always")
    func rateLimits() throws {
        let limits = ["RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_SEARCH": "120/hour", "RATE_LIMIT_BURST": "5"]
        let quire = try QuireInstance(noModel.merging(limits) { $1 })
        let library = try quire.createLibrary()
        #expect(try quire.post("/v1/libraries/\(library)/documents/with-embeddings", Self.document).status == 201)

        for _ in 0..<5 {
            let found = try quire.search(library, [1, 2, 3])
            #expect(found.results.map(\.chunk.text) == ["a"])
        }
        let refused = try quire.post("/v1/libraries/\(library)/search/embedding", #"{"embedding":[1,2,3]}"#)

        #expect(refused.asError == "429 RateLimitError")
        #expect(refused.headers("retry-after") == ["31"])
        #expect(try quire.post("/v1/libraries/\(library)/count", #"{"filter":{}}"#).status == 429)
        #expect(try quire.post("/v1/libraries/\(library)/documents/with-embeddings", Self.document).status == 201)
        for _ in 0..<100 { #expect(try quire.get("/health").status == 200) }
        #expect(try quire.get("/v1/libraries/\(library)").json["num_documents"] == 2)
    }

    @Test("five reloads by `quire nginx reload` under load fail nothing, and what was acknowledged is there")
    func reloads() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        let isOver = Shared(false)
        let clients = (0..<4).map { client in
            Background {
                var statuses: [Int: Int] = [:]
                while !isOver.current {
                    let reply =
                        client % 2 == 0
                        ? try? quire.post("/v1/libraries/\(library)/search/embedding", #"{"embedding":[1,2,3]}"#)
                        : try? quire.post("/v1/libraries/\(library)/documents/with-embeddings", Self.document)
                    // No reply at all is 0.
                    statuses[reply?.status ?? 0, default: 0] += 1
                }
                return statuses
            }
        }

        for round in 1...5 {
            let origin = "https://round-\(round).example"
            let reload = try quire.run("quire", "nginx", "reload", settings: ["CORS_ALLOWED_ORIGINS": origin])
            #expect(reload.wait() == 0, "\(reload.errors)")
            try quire.waitUntil("reload \(round) is taken up") {
                (try? quire.send("GET", "/health", headers: ["Origin": origin]))?["access-control-allow-origin"] == origin
            }
        }
        isOver.set(true)

        var statuses: [Int: Int] = [:]
        for client in clients { statuses.merge(try client.value()) { $0 + $1 } }
        report("replies of the server during five reloads", "\(statuses)")
        #expect(Set(statuses.keys) == [200, 201])
        #expect(try quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer == statuses[201])
    }

    @Test("listens on every address when its operator says that everybody is welcome")
    func everybody() throws {
        let quire = try QuireInstance(noModel.merging(["HOST": "0.0.0.0", "ALLOW_ANONYMOUS": "true"]) { $1 })
        #expect(try quire.get("/ready").status == 200)
    }

    @Test("tells clients of a version that ends")
    func deprecation() throws {
        let quire = try QuireInstance(noModel.merging(["API_VERSIONS": "v1 deprecated 2027-01-31 sunset 2027-12-31"]) { $1 })

        let reply = try quire.get("/v1/libraries")

        #expect(reply.status == 200 && reply.headers("deprecation") == ["@1801353600"])
        #expect(reply.headers("sunset") == ["Fri, 31 Dec 2027 00:00:00 GMT"])
        #expect(try quire.get("/").json["api_versions"]?["v1"]?["status"] == "deprecated")
    }
}
