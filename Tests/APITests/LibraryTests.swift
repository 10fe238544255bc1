import HTTPTypes
import TestSupport
import Testing

struct LibraryTests {
    @Test("a library has every field, with its default")
    func created() throws {
        let server = try TestServer()

        let reply = server.post("/v1/libraries", ["name": "Notes"])

        #expect(reply.status == 201)
        let id = try #require(reply.json["id"]?.string)
        #expect(reply.headers[.location] == "/v1/libraries/\(id)")
        #expect(reply.etag == "\"1\"")
        #expect(id == id.lowercased() && id.count == 36)
        #expect(reply.json["name"] == "Notes")
        #expect(reply.json["num_documents"] == 0)
        #expect(reply.json["num_chunks"] == 0)
        #expect(reply.json["documents"] == [])
        var metadata = try #require(reply.json["metadata"]?.object)
        #expect(metadata.removeValue(forKey: "created_at") == metadata.removeValue(forKey: "updated_at"))
        #expect(
            metadata == [
                "description": nil, "index_type": "auto", "index_params": ["m": 16, "ef_construction": 200, "ef_search": 64],
                "metric": "cosine", "quantization": "none", "embedding_model": "all-minilm-l6-v2", "embedding_dimension": 384,
                "min_recall": 0, "text": ["k1": 1.2, "b": 0.75, "stop_words": true, "stemmer": true],
            ])
    }

    @Test("a library takes what it is given")
    func chosen() throws {
        let server = try TestServer()
        let body: JSON = [
            "name": "n", "description": "d", "index_type": "brute_force", "index_params": [:], "quantization": "none", "metric": "l2",
            "embedding_model": "embed-english-v3.0", "embedding_dimension": 1024,
        ]

        let metadata = try #require(server.post("/v1/libraries", body).json["metadata"])

        #expect(metadata["description"] == "d")
        #expect(metadata["metric"] == "l2")
        #expect(metadata["embedding_model"] == "embed-english-v3.0")
        #expect(metadata["embedding_dimension"] == 1024)
    }

    @Test("the recall that a library wants is chosen when it is made or later, is kept by changes of other things, and goes with 0")
    func minimumRecall() throws {
        let server = try TestServer()
        let made = server.post("/v1/libraries", ["name": "n", "embedding_dimension": 3, "min_recall": 0.95])
        let path = try #require(made.headers[.location])
        func metadata(_ reply: Reply) -> JSON? { reply.json["metadata"]?["min_recall"] }

        #expect(metadata(made) == 0.95)
        #expect(metadata(server.patch(path, ["name": "other", "min_recall": nil])) == 0.95)
        #expect(metadata(server.patch(path, ["min_recall": 1])) == 1)
        for refused in ["1.01", "-0.1", "\"0.9\"", "true"] {
            #expect(server.send(.patch, path, text: #"{"min_recall":\#(refused)}"#).locations == ["body.min_recall"], "\(refused)")
        }
        #expect(metadata(server.get(path)) == 1)
        #expect(metadata(server.patch(path, ["min_recall": 0])) == 0)
    }

    @Test(
        "model and dimension settle each other",
        arguments: [
            (#"{}"#, "all-minilm-l6-v2", 384), (#"{"embedding_dimension":3}"#, "external", 3),
            (#"{"embedding_model":"external","embedding_dimension":8192}"#, "external", 8192),
            (#"{"embedding_model":"embed-english-v3.0"}"#, "embed-english-v3.0", 1024),
            (#"{"embedding_model":"all-minilm-l6-v2","embedding_dimension":384}"#, "all-minilm-l6-v2", 384),
            (#"{"embedding_model":null,"embedding_dimension":null,"metric":null,"index_type":null}"#, "all-minilm-l6-v2", 384),
            (#"{"description":null,"index_params":null,"quantization":null,"embedding_dimension":384}"#, "external", 384),
        ])
    func modelAndDimension(fields: String, model: String, dimension: Int) throws {
        let server = try TestServer()

        let reply = server.post("/v1/libraries", text: #"{"name":"n""# + (fields == "{}" ? "" : ",") + fields.dropFirst())

        #expect(reply.status == 201)
        #expect(reply.json["metadata"]?["embedding_model"] == .string(model))
        #expect(reply.json["metadata"]?["embedding_dimension"]?.integer == dimension)
    }

    @Test("the server's model is the default")
    func serverModel() throws {
        let server = try TestServer(["EMBEDDING_MODEL": "embed-english-v3.0"])

        #expect(server.post("/v1/libraries", ["name": "n"]).json["metadata"]?["embedding_dimension"] == 1024)
    }

    @Test(
        "a library that cannot be is refused, with the place and the known values",
        arguments: [
            (#"{}"#, "body.name", "is required"), (#"{"name":null}"#, "body.name", "is required"),
            (#"{"name":5}"#, "body.name", "expected a string, got number"), (#"{"name":""}"#, "body.name", "at least 1 character"),
            (
                #"{"name":"n","index_type":"HNSW"}"#, "body.index_type",
                "unknown value 'HNSW'; known: 'auto', 'brute_force', 'kd_tree', 'lsh', 'hnsw', 'ivf'"
            ),
            (#"{"name":"n","quantization":"rabitq"}"#, "body.quantization", "unknown value 'rabitq'; known: 'none', 'int8'"),
            (
                #"{"name":"n","index_type":"ivf","quantization":"int8"}"#, "body.quantization",
                "'ivf' does not know 'int8'; known: 'none'"
            ),
            (#"{"name":"n","metric":"hamming"}"#, "body.metric", "known: 'cosine', 'dot', 'l2'"),
            (
                #"{"name":"n","embedding_model":"bert"}"#, "body.embedding_model",
                "known: 'all-minilm-l6-v2', 'embed-english-v3.0', "
            ),
            (#"{"name":"n","embedding_model":"external"}"#, "body.embedding_dimension", "is required for the model 'external'"),
            (
                #"{"name":"n","embedding_model":"all-minilm-l6-v2","embedding_dimension":3}"#, "body.embedding_dimension",
                "has dimension 384"
            ),
            (#"{"name":"n","embedding_dimension":0}"#, "body.embedding_dimension", "between 1 and 8192"),
            (#"{"name":"n","embedding_dimension":8193}"#, "body.embedding_dimension", "between 1 and 8192"),
            (#"{"name":"n","embedding_dimension":1.5}"#, "body.embedding_dimension", "expected an integer"),
            (
                #"{"name":"n","index_params":{"nlist":5}}"#, "body.index_params.nlist",
                "unknown field; parameters of 'auto': 'm', 'ef_construction', 'ef_search'"
            ),
            (
                #"{"name":"n","index_type":"brute_force","index_params":{"ef_search":5}}"#, "body.index_params.ef_search",
                "unknown field; 'brute_force' has no parameters"
            ),
            (#"{"name":"n","index_params":{"m":1}}"#, "body.index_params.m", "must be between 2 and 96"),
            (#"{"name":"n","index_params":{"m":97}}"#, "body.index_params.m", "must be between 2 and 96"),
            (#"{"name":"n","index_params":{"ef_search":64.0}}"#, "body.index_params.ef_search", "expected an integer, got a fraction"),
            (#"{"name":"n","index_params":{"ef_search":"64"}}"#, "body.index_params.ef_search", "expected an integer, got string"),
            (#"{"name":"n","index_params":[]}"#, "body.index_params", "expected an object, got array"),
            (#"{"name":"n","id":"x"}"#, "body.id", "unknown field"), (#"[]"#, "body", "expected an object, got array"),
        ])
    func refused(body: String, location: String, message: String) throws {
        let server = try TestServer()

        let reply = server.post("/v1/libraries", text: body)

        #expect(reply.status == 422 && reply.errorType == "ValidationError")
        #expect(reply.locations == [location])
        #expect(reply.detail.contains(message), "\(reply.detail)")
        #expect(server.get("/v1/libraries").json == [])
    }

    @Test("all problems of a library come together, those of its model too")
    func problemsTogether() throws {
        let server = try TestServer()

        let reply = server.post("/v1/libraries", ["name": 1, "embedding_model": "bert", "embedding_dimension": -1, "typo": 0])

        #expect(reply.locations == ["body.name", "body.embedding_model", "body.embedding_dimension", "body.typo"])
        #expect(reply.problemTypes == ["wrong_type", "unknown_value", "out_of_range", "unknown_field"])
        #expect(reply.detail.hasPrefix("4 problems, the first: body.name: "))
    }

    @Test("a library is read back, shows its first documents when asked, and is found by an id in upper case")
    func read() throws {
        let server = try TestServer()
        let library = server.vectors()
        for title in ["a", "b"] { server.add([[1, 0, 0]], to: library, title: title) }

        let plain = server.get(library.uppercased().replacing("/V1/LIBRARIES", with: "/v1/libraries"))
        let full = server.get("\(library)?include_documents=true")

        #expect(plain.status == 200 && plain.json["documents"] == [])
        #expect(plain.json["num_documents"] == 2 && plain.json["num_chunks"] == 2)
        #expect(full.json["documents"]?.array?.compactMap { $0["metadata"]?["title"]?.string } == ["a", "b"])
        #expect(full.json["documents"]?[0]?["chunks"] == nil)
        #expect(server.get("\(library)?include_documents=0").json == plain.json)
        #expect(server.get("\(library)?include_documents=1").json == full.json)
    }

    @Test("no more than a hundred documents are shown with a library")
    func firstHundred() throws {
        let server = try TestServer()
        let library = server.vectors()
        for number in 0...100 { server.add([[1, 0, 0]], to: library, title: "\(number)") }

        let reply = server.get("\(library)?include_documents=true")

        #expect(reply.json["num_documents"] == 101)
        #expect(reply.json["documents"]?.array?.last?["metadata"]?["title"] == "99")
    }

    @Test("name and description change, what is absent or null stays, and an empty description goes")
    func updated() throws {
        let server = try TestServer()
        let library = try #require(server.post("/v1/libraries", ["name": "a", "description": "d"]).headers[.location])

        let renamed = server.patch(library, ["name": "b", "index_params": ["ef_search": nil]])
        let described = server.patch(library, ["name": nil, "description": "e"])
        let emptied = server.patch(library, ["description": ""])
        let unchanged = server.patch(library, [:])

        #expect(renamed.status == 200 && renamed.etag == "\"2\"")
        #expect(renamed.json["name"] == "b" && renamed.json["metadata"]?["description"] == "d")
        #expect(described.json["name"] == "b" && described.json["metadata"]?["description"] == "e")
        #expect(emptied.json["metadata"]?["description"] == .null)
        #expect(unchanged.json["name"] == "b")
        #expect(server.get(library).json == unchanged.json)
    }

    @Test(
        "what cannot change is refused",
        arguments: [
            (#"{"metric":"l2"}"#, "body.metric"), (#"{"embedding_dimension":4}"#, "body.embedding_dimension"),
            (#"{"index_type":"brute_force"}"#, "body.index_type"), (#"{"name":""}"#, "body.name"),
            (#"{"index_params":{"m":8}}"#, "body.index_params.m"), (#"{"quantization":"int8"}"#, "body.quantization"),
        ])
    func fixed(body: String, location: String) throws {
        let server = try TestServer()
        let library = server.vectors()

        let reply = server.send(.patch, library, text: body)

        #expect(reply.status == 422 && reply.locations == [location])
        #expect(server.get(library).etag == "\"1\"")
    }

    @Test("a deleted library is gone with its documents, and others stay")
    func deleted() throws {
        let server = try TestServer()
        let (library, other) = (server.vectors(), server.vectors())
        let document = try #require(server.add([[1, 0, 0]], to: library).headers[.location])

        #expect(server.delete(library).status == 204)

        for path in [library, "\(library)/statistics", "\(library)/documents"] {
            let reply = server.get(path)
            #expect(reply.status == 404 && reply.errorType == "LibraryNotFoundError")
        }
        #expect(server.get(document).errorType == "DocumentNotFoundError")
        #expect(server.delete(library).status == 404)
        #expect(server.get(other).status == 200)
    }

    @Test("statistics count chunks and the vectors they share")
    func statistics() throws {
        let server = try TestServer()
        let library = server.vectors()
        let empty = server.get("\(library)/statistics").json
        server.add([[1, 0, 0], [1, 0, 0], [0, 1, 0]], to: library)
        let document = try #require(server.add([[0, 0, 1]], to: library).headers[.location])
        #expect(server.delete(document).status == 204)

        let reply = server.get("\(library)/statistics")

        #expect(empty["vector_store_stats"]?["utilization"] == 0)
        #expect(reply.json["num_documents"] == 1 && reply.json["num_chunks"] == 3)
        #expect(reply.json["library_name"] == "v" && reply.json["embedding_dimension"] == 3)
        let vectors = try #require(reply.json["vector_store_stats"])
        #expect(vectors["unique_vectors"] == 2 && vectors["total_references"] == 3 && vectors["free_indices"] == 1)
        let index = try #require(reply.json["index_stats"])
        #expect(index["type"] == "auto" && index["active"] == "brute_force" && index["quantization"] == "none")
        #expect(index["size"] == 2 && index["indexed"] == 2 && index["progress"] == 1 && index["state"] == "ready" && index["pending"] == 0)
    }
}
