import HTTPTypes
import Keys
import TestSupport
import Testing

/// Every operation of the OpenAPI document that the server gives out, with every kind of key, as nginx and responder answer it together.
@Suite("Keys, through nginx")
struct KeyMatrixTests {
    /// A Quire with two libraries, a document in each, and keys.
    private struct Place {
        let quire: QuireInstance
        let operations: [KeyedOperation]
        private(set) var keys: [Right: String] = [:]
        /// A key for the first library alone.
        private(set) var limited = ""
        private(set) var mine = ""
        /// The ids of what the limited key is not for, by the part of the path that stands before them.
        private(set) var theirs: [String: String] = [:]

        init() throws {
            quire = try QuireInstance(noModel.merging(["API_KEYS_REQUIRED": "true", "ACCESS_LOG": "all", "LOG_LEVEL": "trace"]) { $1 })
            let contract = Contract(try quire.get("/openapi.json").json)
            operations = try contract.keyedOperations
            #expect(Set(operations.map(\.name)) == Set(contract.operations.keys) && operations.count > 40)
            for right in Right.allCases { keys[right] = try quire.keys(["create", right.rawValue, "--right", right.rawValue]) }
            // The last one.
            try quire.waitUntilKnown(keys[.admin]!)
            mine = try makeLibrary().library
            let other = try makeLibrary()
            theirs = ["libraries": other.library, "documents": other.document, "chunks": other.chunk]
            limited = try quire.keys(["create", "limited", "--right", "write", "--library", mine])
            try quire.waitUntilKnown(limited)
        }

        private func makeLibrary() throws -> (library: String, document: String, chunk: String) {
            let made = try send(.post, "/v1/libraries", keys[.write]!, #"{"name":"n","embedding_dimension":2}"#)
            let library = try #require(made.json["id"]?.string, "\(made.text)")
            let body = #"{"title":"d","chunks":[{"text":"x","embedding":[1,0]}]}"#
            let added = try send(.post, "/v1/libraries/\(library)/documents/with-embeddings", keys[.write]!, body)
            let chunk = try #require(added.json["chunks"]?[0]?["id"]?.string, "\(added.text)")
            return (library, try #require(added.json["id"]?.string), chunk)
        }

        func send(_ method: HTTPRequest.Method, _ target: String, _ key: String, _ body: String = "") throws -> HTTPReply {
            try send(method, target, ["Authorization": "Bearer \(key)"], body)
        }

        func send(_ method: HTTPRequest.Method, _ target: String, _ headers: [String: String], _ body: String = "") throws -> HTTPReply {
            // A request that has one is told apart from others by it in its reply.
            let headers = headers.merging(["X-Request-Id": "asked"]) { $1 }
            return try quire.send(method.rawValue, target, headers: headers, body: body.isEmpty ? nil : Array(body.utf8))
        }
    }

    @Test("every operation of the document is 401 without a key or with a wrong one, 403 without the right, and neither with it")
    func rights() throws {
        let place = try Place()
        let stranger = KeyedOperation.strangersKey
        var tried = 0

        for operation in place.operations {
            let needed = operation.right.flatMap { Right(rawValue: $0) }
            #expect((needed == nil) == (operation.right == nil), "\(operation.name)")
            for method in operation.methods {
                for headers in [[:], ["Authorization": "Bearer \(stranger)"], ["X-API-Key": stranger]] as [[String: String]] {
                    let reply = try place.send(method, operation.path(), headers)
                    #expect((reply.status == 401) == (needed != nil), "\(method) \(operation.pattern): \(reply.status)")
                    #expect(reply.headers("www-authenticate").count == (needed == nil ? 0 : 1))
                    if needed != nil, method != .head { #expect(reply.asError == "401 AuthenticationError", "\(operation.name)") }
                    tried += 1
                }
                for right in Right.allCases {
                    let reply = try place.send(method, operation.path(), place.keys[right]!)
                    let isRefused = needed.map { right < $0 } ?? false
                    #expect(
                        reply.status != 401 && (reply.status == 403) == isRefused,
                        "\(method) \(operation.pattern) with the right \(right): \(reply.status)")
                    #expect(reply.status < 500 || reply.status == 503, "\(operation.name): \(reply.text)")
                    if isRefused, method != .head { #expect(reply.asError == "403 PermissionError", "\(operation.name)") }
                    tried += 1
                }
            }
        }

        let methods = place.operations.reduce(0) { $0 + $1.methods.count }
        #expect(tried == methods * (3 + Right.allCases.count))
        report("the matrix of keys through nginx: operations of the document, requests", "\(place.operations.count), \(tried)")
    }

    @Test("what a key is not for is answered as what does not exist, header for header and byte for byte, by every operation on it")
    func scope() throws {
        let place = try Place()
        var tried = 0

        for operation in place.operations {
            guard let subject = operation.subject else { continue }
            let id = try #require(place.theirs[subject], "\(operation.name) is on something new")
            for method in operation.methods {
                for body in ["", "{}", "no JSON"] where body.isEmpty || method != .head {
                    let hidden = try place.send(method, operation.path(id: id), place.limited, body)
                    let missing = try place.send(method, operation.path(), place.limited, body)

                    #expect(hidden.status == 404 && missing.status == 404, "\(method) \(operation.pattern): \(hidden.text)")
                    #expect(shown(hidden, as: KeyedOperation.missing, for: id) == shown(missing), "\(method) \(operation.pattern)")
                    tried += 1
                }
            }
        }

        #expect(tried > 80)
        // And it is all there for a key that is for it.
        #expect(try place.send(.get, "/v1/libraries/\(place.theirs["libraries"]!)", place.keys[.read]!).json["num_chunks"] == 1)
        #expect(try place.send(.get, "/v1/libraries/\(place.mine)", place.limited).json["num_chunks"] == 1)
        #expect(try place.send(.get, "/v1/libraries", place.limited).json.array?.compactMap { $0["id"]?.string } == [place.mine])
    }

    /// All of a reply but the time, with another id in the place of one.
    private func shown(_ reply: HTTPReply, as other: String = "", for id: String = "") -> [String] {
        let lines = ["\(reply.status)"] + reply.headers.filter { $0.name != "date" }.map { "\($0.name): \($0.value)" } + [reply.text]
        return id.isEmpty ? lines : lines.map { $0.replacing(id, with: other) }
    }
}
