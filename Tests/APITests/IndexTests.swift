import HTTPTypes
import TestSupport
import Testing
import VectorSearch

/// A library's index by its endpoints: what it can be, how it is, and how it becomes another one.
struct IndexTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    private func library(_ fields: String = "") throws -> String {
        let reply = server.post("/v1/libraries", text: #"{"name":"n","embedding_dimension":3"# + (fields.isEmpty ? "}" : ",\(fields)}"))
        #expect(reply.status == 201, "\(reply)")
        return try #require(reply.headers[.location])
    }

    /// As many distinct vectors.
    private func fill(_ library: String, count: Int) throws {
        var generator = SplitMix(seed: 1)
        let vectors = (0..<count).map { _ in (0..<3).map { _ in Double.random(in: -1...1, using: &generator) } }
        #expect(server.add(vectors, to: library).status == 201)
    }

    private func search(_ library: String, _ fields: [String: JSON] = [:]) -> Reply {
        server.post("\(library)/search/embedding", .object(["embedding": [1, 0.5, 0.2]].merging(fields) { $1 }))
    }

    private static let defaults: [String: JSON] = [
        "auto": ["m": 16, "ef_construction": 200, "ef_search": 64], "brute_force": [:], "kd_tree": ["leaf_size": 32],
        "lsh": ["tables": 8, "bits": 0, "probes": 0], "hnsw": ["m": 16, "ef_construction": 200, "ef_search": 64],
        "ivf": ["nlist": 0, "nprobe": 0],
    ]

    @Test("of every kind shows what was chosen of it, and the defaults of the rest", arguments: IndexKind.allCases)
    func shown(kind: IndexKind) throws {
        let plain = try library(#""index_type":"\#(kind.rawValue)""#)
        let defaults = try #require(Self.defaults[kind.rawValue])

        let metadata = server.get(plain).json["metadata"]
        #expect(metadata?["index_type"] == .string(kind.rawValue))
        #expect(metadata?["index_params"] == defaults)

        for quantization in kind.quantizations {
            var chosen = try #require(defaults.object)
            for parameter in kind.parameters { chosen[parameter.rawValue] = .number(Double(parameter.range.upperBound)) }
            let other = try library(
                #""index_type":"\#(kind.rawValue)","index_params":\#(JSON.object(chosen).text),"quantization":"\#(quantization.rawValue)""#)
            let metadata = server.get(other).json["metadata"]
            #expect(metadata?["index_params"] == .object(chosen))
            #expect(metadata?["quantization"] == .string(quantization.rawValue))
        }
    }

    @Test("parameters that can change live do, alone or with a name, and survive")
    func live() throws {
        let library = try library(#""index_type":"hnsw","index_params":{"m":8}"#)

        let changed = server.patch(library, ["name": "b", "index_params": ["ef_search": 100]])

        #expect(changed.status == 200 && changed.etag == "\"2\"")
        #expect(changed.json["name"] == "b")
        #expect(changed.json["metadata"]?["index_params"] == ["m": 8, "ef_construction": 200, "ef_search": 100])
        #expect(server.get(library).json == changed.json)
        let again = server.patch(library, ["index_params": ["ef_search": 5]])
        #expect(again.json["metadata"]?["index_params"]?["ef_search"] == 5)
        #expect(server.get("\(library)/index").json["index_params"]?["ef_search"] == 5)
        // Nothing to change leaves no trace.
        #expect(server.patch(library, ["index_params": [:]]).etag == "\"3\"")
    }

    @Test(
        "what cannot change live is refused with the way that can",
        arguments: [
            ("hnsw", #"{"m":8}"#, "m", "needs the index to be built anew: POST /v1/libraries/{id}/index/rebuild", "needs_rebuild"),
            ("ivf", #"{"nlist":8}"#, "nlist", "built anew", "needs_rebuild"),
            ("ivf", #"{"ef_search":8}"#, "ef_search", "unknown field; parameters of 'ivf': 'nlist', 'nprobe'", "unknown_field"),
            ("ivf", #"{"nprobe":65537}"#, "nprobe", "must be between 0 and 65536", "out_of_range"),
            ("hnsw", #"{"ef_search":0}"#, "ef_search", "must be between 1 and 4096", "out_of_range"),
            ("hnsw", #"{"ef_search":true}"#, "ef_search", "expected an integer, got boolean", "wrong_type"),
            ("brute_force", #"{"m":8}"#, "m", "unknown field; 'brute_force' has no parameters", "unknown_field"),
        ])
    func notLive(kind: String, parameters: String, name: String, message: String, problem: String) throws {
        let library = try library(#""index_type":"\#(kind)""#)

        let reply = server.send(.patch, library, text: #"{"name":"b","index_params":\#(parameters)}"#)

        #expect(reply.status == 422 && reply.locations == ["body.index_params.\(name)"] && reply.problemTypes == [problem])
        #expect(reply.detail.contains(message), "\(reply.detail)")
        #expect(server.get(library).etag == "\"1\"")
    }

    @Test("is ready when all is taken in, and says so until then", arguments: IndexKind.allCases)
    func status(kind: IndexKind) throws {
        let library = try library(#""index_type":"\#(kind.rawValue)""#)
        let empty = server.get("\(library)/index")
        #expect(empty.status == 200)
        #expect(empty.json["state"] == "ready" && empty.json["indexed"] == 0 && empty.json["pending"] == 0 && empty.json["progress"] == 1)

        try fill(library, count: 200)
        try server.waitUntilIndexed(library)

        let full = server.get("\(library)/index").json
        #expect(full["index_type"] == .string(kind.rawValue) && full["index_params"] == Self.defaults[kind.rawValue])
        #expect(full["state"] == "ready" && full["indexed"] == 200 && full["pending"] == 0 && full["progress"] == 1)
        #expect(full["quantization"] == "none" && full["target"] == nil)
        let statistics = server.get("\(library)/statistics").json
        #expect(statistics["index_type"] == .string(kind.rawValue))
        let index = try #require(statistics["index_stats"])
        #expect(index["type"] == .string(kind.rawValue) && index["size"] == 200 && index["indexed"] == 200 && index["state"] == "ready")
        #expect(index["active"] == full["active"] && index["active"] != "auto")
    }

    @Test("becomes another one; what is not named stays as far as the new one knows it")
    func rebuilt() throws {
        let library = try library(#""index_type":"hnsw","index_params":{"m":8,"ef_search":33},"quantization":"int8""#)
        try fill(library, count: 100)
        try server.waitUntilIndexed(library)
        func rebuild(_ body: String) throws -> JSON {
            let reply = server.post("\(library)/index/rebuild", text: body)
            #expect(reply.status == 202, "\(body): \(reply)")
            try server.waitUntilIndexed(library)
            let status = server.get("\(library)/index").json
            #expect(status["state"] == "ready" && status["target"] == nil && status["indexed"] == 100, "\(status.text)")
            let metadata = try #require(server.get(library).json["metadata"])
            for name in ["index_type", "index_params", "quantization"] { #expect(metadata[name] == status[name]) }
            return status
        }

        // As it is: nothing changes.
        for body in ["", "{}", #"{"index_type":null}"#] {
            let same = try rebuild(body)
            #expect(same["index_type"] == "hnsw" && same["quantization"] == "int8")
            #expect(same["index_params"] == ["m": 8, "ef_construction": 200, "ef_search": 33])
        }
        let wider = try rebuild(#"{"index_params":{"m":24}}"#)
        #expect(wider["index_params"] == ["m": 24, "ef_construction": 200, "ef_search": 33] && wider["quantization"] == "int8")
        let automatic = try rebuild(#"{"index_type":"auto"}"#)
        #expect(automatic["index_params"] == wider["index_params"] && automatic["quantization"] == "int8")
        let lists = try rebuild(#"{"index_type":"ivf","index_params":{"nlist":4}}"#)
        #expect(lists["index_params"] == ["nlist": 4, "nprobe": 0] && lists["quantization"] == "none")
        let plain = try rebuild(#"{"index_type":"brute_force","quantization":"int8"}"#)
        #expect(plain["index_params"] == [:] && plain["quantization"] == "int8" && plain["active"] == "brute_force")
        #expect(search(library, ["k": 5]).json["results"]?.array?.count == 5)
    }

    @Test("goes on to serve while another one is built, which nothing else may disturb")
    func building() throws {
        let library = try library(#""index_type":"hnsw""#)
        try fill(library, count: 100)
        try server.waitUntilIndexed(library)
        server.stopBuilding()

        let reply = server.post("\(library)/index/rebuild", text: #"{"index_type":"ivf","index_params":{"nlist":4}}"#)

        #expect(reply.status == 202)
        let status = reply.json
        #expect(status["index_type"] == "hnsw" && status["active"] == "hnsw" && status["state"] == "building")
        #expect(status["target"] == ["index_type": "ivf", "index_params": ["nlist": 4, "nprobe": 0], "quantization": "none"])
        #expect(status["indexed"] == 100 && status["progress"] == 0)
        #expect(server.get("\(library)/index").json == status)
        // What it was asked to be.
        #expect(server.get(library).json["metadata"]?["index_type"] == "ivf")
        for conflict in [
            server.post("\(library)/index/rebuild", text: ""), server.post("\(library)/index/rebuild", ["index_type": "auto"]),
            server.patch(library, ["name": "b", "index_params": ["nprobe": 2]]),
        ] {
            #expect(conflict.status == 409 && conflict.errorType == "ConflictError")
        }
        // A name is another matter.
        #expect(server.patch(library, ["name": "b"]).status == 200)
        #expect(search(library).json["plan"]?["index"] == "hnsw")
        server.add([[1, 0.5, 0.2]], to: library)
        #expect(search(library, ["k": 1]).json["results"]?[0]?["distance"]?.number.map { abs($0) < 1e-6 } == true)
    }

    @Test(
        "that cannot be is refused",
        arguments: [
            (#"{"index_type":"flat"}"#, ["body.index_type"]), (#"{"index_type":"ivf","index_params":{"m":4}}"#, ["body.index_params.m"]),
            (#"{"index_params":{"m":1,"x":1}}"#, ["body.index_params.m", "body.index_params.x"]),
            (#"{"index_type":"lsh","quantization":"int8"}"#, ["body.quantization"]),
            (#"{"index_type":5,"index_params":{"anything":1},"quantization":"none"}"#, ["body.index_type"]),
            (#"{"name":"n"}"#, ["body.name"]), ("[]", ["body"]),
        ])
    func refused(body: String, locations: [String]) throws {
        let library = try library(#""index_type":"hnsw""#)

        let reply = server.post("\(library)/index/rebuild", text: body)

        #expect(reply.status == 422 && reply.locations == locations, "\(reply)")
        #expect(server.get(library).etag == "\"1\"")
    }

    @Test("of no library is not found, and a body that is no JSON is refused")
    func missing() throws {
        let none = "/v1/libraries/3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"

        #expect(server.get("\(none)/index").errorType == "LibraryNotFoundError")
        #expect(server.post("\(none)/index/rebuild", text: "").errorType == "LibraryNotFoundError")
        #expect(server.get("/v1/libraries/x/index").status == 422)
        let library = try library()
        #expect(server.post("\(library)/index/rebuild", text: "{").errorType == "InvalidRequestError")
        #expect(server.post("\(library)/index/rebuild?force=1", text: "").status == 422)
        #expect(server.get("\(library)/index?verbose=1").status == 422)
    }

    // MARK: Searches

    @Test("a graph is searched with the candidates that were asked for, and a plan tells how many were kept")
    func candidates() throws {
        let library = try library(#""index_type":"hnsw","index_params":{"ef_search":20}"#)
        try fill(library, count: 300)
        try server.waitUntilIndexed(library)

        let plan = try #require(search(library, ["k": 3]).json["plan"])
        #expect(plan["index"] == "hnsw" && plan["exact"] == false && plan["ef"] == 20)
        #expect(search(library, ["k": 3, "ef": 150]).json["plan"]?["ef"] == 150)
        let exact = try #require(search(library, ["k": 3, "exact": true]).json["plan"])
        #expect(exact == ["mode": "vector", "index": "brute_force", "exact": true, "scored": 300])
        #expect(search(library, ["k": 3, "exact": false, "ef": nil]).json["plan"] == plan)
        // A search keeps at least as many as it is asked for.
        #expect(search(library, ["k": 100, "ef": 1]).json["results"]?.array?.count == 100)
    }

    @Test("ef is for kinds that have it, within its range", arguments: IndexKind.allCases)
    func ef(kind: IndexKind) throws {
        let library = try library(#""index_type":"\#(kind.rawValue)""#)
        let hasCandidates = kind == .auto || kind == .hnsw

        let reply = search(library, ["ef": 10])

        #expect(reply.status == (hasCandidates ? 200 : 422))
        guard hasCandidates else {
            #expect(reply.detail == "body.ef: the index '\(kind.rawValue)' has no ef; only 'auto', 'hnsw' have")
            return
        }
        for ef in ["0", "4097", "1.0", #""10""#] {
            let reply = server.post("\(library)/search/embedding", text: #"{"embedding":[1,0,0],"ef":\#(ef)}"#)
            #expect(reply.status == 422 && reply.locations == ["body.ef"])
            if ef == "4097" { #expect(reply.detail.contains("4096"), "\(reply.detail)") }
        }
        #expect(search(library, ["ef": 1]).status == 200 && search(library, ["ef": 4096]).status == 200)
        #expect(search(library, ["exact": 1]).locations == ["body.exact"])
        #expect(server.post("\(library)/search", text: #"{"query":"q","ef":0,"exact":"yes"}"#).locations == ["body.ef", "body.exact"])
    }
}
