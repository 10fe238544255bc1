import HTTP
import HTTPTypes
import TestSupport
import Testing

@testable import API

/// The filter language on the wire; what filters mean is tested with the database.
struct FilterTests {
    let server: TestServer
    let library: String

    /// Three documents of one chunk, and one of two.
    init() throws {
        server = try TestServer()
        library = server.vectors()
        add("one", #""author":"Ada","tags":["ml","db"],"custom":{"year":2019,"draft":true,"langs":["en","de"]}"#, [#""page_number":1"#])
        add("two", #""author":"Grace","tags":["db"],"document_type":"pdf","custom":{"year":2021,"score":0.5}"#, [#""page_number":2"#])
        add("three", #""custom":{"year":"2021","none":null}"#, [#""custom":{"year":2023}"#])
        add("four", #""author":"Ada","source_url":"https://example.org/x""#, [#""page_number":7"#, #""custom":{"part":"end"}"#])
    }

    private func add(_ title: String, _ members: String, _ chunks: [String]) {
        let chunks = chunks.map { #"{"text":"t","embedding":[1,0,0],\#($0)}"# }.joined(separator: ",")
        let reply = server.post(
            "\(library)/documents/with-embeddings", text: #"{"title":"\#(title)",\#(members),"chunks":[\#(chunks)]}"#)
        #expect(reply.status == 201)
    }

    private func titles(_ filter: String) -> [String] {
        let reply = server.get("\(library)/documents?filter=\(percentEncoded(filter))")
        #expect(reply.status == 200)
        return reply.json.array?.compactMap { $0["metadata"]?["title"]?.string } ?? []
    }

    @Test(
        "choose documents by every field and operator",
        arguments: [
            (#"{"author":"Ada"}"#, "one four"),
            (#"{"author":{"$ne":"Ada"}}"#, "two three"),
            (#"{"author":null}"#, "three"),
            (#"{"author":{"$exists":false}}"#, "three"),
            (#"{"title":{"$in":["one","two","nine"]}}"#, "one two"),
            (#"{"title":{"$nin":["one","two"]}}"#, "three four"),
            (#"{"title":{"$gte":"o","$lt":"p"}}"#, "one"),
            (#"{"title":{"$contains":"e"}}"#, "one three"),
            (#"{"tags":"db"}"#, "one two"),
            (#"{"tags":{"$contains":"ml"}}"#, "one"),
            (#"{"tags":{"$in":["ml","x"]}}"#, "one"),
            (#"{"document_type":"pdf"}"#, "two"),
            (#"{"source_url":{"$exists":true}}"#, "four"),
            (#"{"created_at":{"$gt":"2020-01-01","$lte":"2999-12-31T23:59:59.5+01:00"}}"#, "one two three four"),
            (#"{"created_at":{"$lt":"2020-01-01T00:00:00Z"}}"#, ""),
            (#"{"page_number":{"$gt":1}}"#, "two four"),
            (#"{"page_number":{"$lte":2}}"#, "one two"),
            (#"{"chunk_index":1}"#, "four"),
            (#"{"custom.year":2021}"#, "two"),
            (#"{"custom.year":"2021"}"#, ""),
            (#"{"custom.year":{"$gte":2020,"$lt":2023.5}}"#, "two three"),
            (#"{"custom.draft":true}"#, "one"),
            (#"{"custom.langs":"de"}"#, "one"),
            (#"{"custom.langs":{"$contains":"e"}}"#, ""),
            (#"{"custom.none":null}"#, "one two three four"),
            (#"{"custom.none":{"$exists":true}}"#, "three"),
            (#"{"custom.part":"end","author":"Ada"}"#, "four"),
            (#"{"$or":[{"custom.year":2019},{"page_number":7}]}"#, "one four"),
            (#"{"$and":[{"author":"Ada"},{"$not":{"tags":"ml"}}]}"#, "four"),
            (#"{"$not":{"author":{"$exists":true}}}"#, "three"),
        ])
    func operators(filter: String, expected: String) {
        #expect(titles(filter) == expected.split(separator: " ").map(String.init))
    }

    @Test("know documents by their ids, in either case")
    func ids() throws {
        let ids = try #require(server.get("\(library)/documents").json.array?.compactMap { $0["id"]?.string })
        #expect(titles(#"{"document_id":"\#(ids[1].uppercased())"}"#) == ["two"])
        #expect(titles(#"{"document_id":{"$nin":["\#(ids[1])","\#(ids[2])"]}}"#) == ["one", "four"])
        #expect(titles(#"{"document_id":{"$exists":true}}"#).count == 4)
        #expect(titles(#"{"document_id":"3f2a8c1e-5b7d-4f60-9a1c-2d4e6f8a0b1c"}"#).isEmpty)
        // A document of another library.
        let other = server.add([[1, 0, 0]], to: server.vectors()).json["id"]?.string
        #expect(titles(#"{"document_id":"\#(try #require(other))"}"#).isEmpty)
    }

    @Test("narrow searches, counts and deletions alike, and the plan says so")
    func everywhere() throws {
        let filter = ["author": "Ada"] as JSON

        let search = server.post("\(library)/search/embedding", ["embedding": [1, 0, 0], "filter": filter])
        #expect(search.json["results"]?.array?.compactMap { $0["document_title"]?.string }.sorted() == ["four", "four", "one"])
        #expect(search.json["plan"]?["filter"]?["strategy"]?.string == "exact")
        #expect(search.json["plan"]?["short_by"]?.string == "filter")
        let count = server.post("\(library)/count", ["filter": filter])
        #expect(count.json == ["documents": 2, "chunks": 3])
        #expect(server.post("\(library)/count", [:]).json == ["documents": 4, "chunks": 5])
        #expect(server.get("\(library)/count").json == ["documents": 4, "chunks": 5])

        let deleted = server.post("\(library)/documents/delete", ["filter": filter])

        #expect(deleted.json == ["deleted": 2])
        #expect(server.post("\(library)/documents/delete", ["filter": filter]).json == ["deleted": 0])
        #expect(server.get("\(library)/count").json == ["documents": 2, "chunks": 2])
    }

    @Test("go on from page to page")
    func pages() throws {
        let filter = percentEncoded(#"{"custom.year":{"$exists":true}}"#)
        var titles: [String] = []
        var next: String? = "\(library)/documents?limit=2&filter=\(filter)"
        while let path = next {
            let reply = server.get(path)
            titles += reply.json.array?.compactMap { $0["metadata"]?["title"]?.string } ?? []
            next = reply.next
        }
        #expect(titles == ["one", "two", "three"])
    }

    @Test(
        "are refused with the place of every mistake",
        arguments: [
            (#"{}"#, "filter", "must have a condition"),
            (#"{"autor":"x"}"#, "filter.autor", "unknown field; known: 'title'"),
            (#"{"custom.":1}"#, "filter.custom.", "unknown field"),
            (#"{"$nor":[]}"#, "filter.$nor", "unknown operator"),
            (#"{"$and":[]}"#, "filter.$and", "at least 1 element"),
            (#"{"$and":{}}"#, "filter.$and", "expected an array"),
            (#"{"$or":[{"title":5}]}"#, "filter.$or.0.title", "expected a string"),
            (#"{"$not":[]}"#, "filter.$not", "expected an object"),
            (#"{"title":{}}"#, "filter.title", "must have an operator"),
            (#"{"title":{"$regex":"x"}}"#, "filter.title.$regex", "unknown operator; known: '$eq'"),
            (#"{"title":{"$in":"x"}}"#, "filter.title.$in", "expected an array"),
            (#"{"title":{"$in":[]}}"#, "filter.title.$in", "at least 1 element"),
            (#"{"title":{"$in":["x",5]}}"#, "filter.title.$in.1", "expected a string"),
            (#"{"title":["x"]}"#, "filter.title", "expected a string, got array"),
            (#"{"tags":{"$gt":"a"}}"#, "filter.tags.$gt", "'tags' has no order"),
            (#"{"document_id":{"$gt":"a"}}"#, "filter.document_id.$gt", "'document_id' has no order"),
            (#"{"document_id":"x"}"#, "filter.document_id", "must be a UUID"),
            (#"{"document_id":{"$contains":"x"}}"#, "filter.document_id.$contains", "neither a string nor a list"),
            (#"{"page_number":"1"}"#, "filter.page_number", "expected a number"),
            (#"{"page_number":{"$contains":1}}"#, "filter.page_number.$contains", "neither a string nor a list"),
            (#"{"created_at":5}"#, "filter.created_at", "expected a string"),
            (#"{"created_at":"yesterday"}"#, "filter.created_at", "RFC 3339"),
            (#"{"created_at":"2026-02-29"}"#, "filter.created_at", "RFC 3339"),
            (#"{"custom.x":[1]}"#, "filter.custom.x", "expected a string, a number, a boolean or null, got array"),
            (#"{"custom.x":{"$gt":1,"$lt":"b"}}"#, "filter.custom.x", "one bound is a number, the other a string"),
            (#"{"custom.x":{"$gt":1,"$gte":2}}"#, "filter.custom.x.$gte", "there are two lower bounds"),
            (#"{"custom.x":{"$lt":1,"$lte":2}}"#, "filter.custom.x.$lte", "there are two upper bounds"),
            (#"{"custom.x":{"$gt":true}}"#, "filter.custom.x.$gt", "expected a number or a string"),
            (#"{"custom.x":{"$contains":null}}"#, "filter.custom.x.$contains", "null is in nothing"),
            (#"{"custom.x":{"$exists":1}}"#, "filter.custom.x.$exists", "expected a boolean"),
            (#"{"custom.x":9007199254740993}"#, "filter.custom.x", "not exact"),
            (#"[]"#, "filter", "expected an object"),
        ])
    func refusals(filter: String, place: String, message: String) throws {
        let inBody = server.post("\(library)/count", text: #"{"filter":\#(filter)}"#)
        let inQuery = server.get("\(library)/documents?filter=\(percentEncoded(filter))")

        for (reply, root) in [(inBody, "body"), (inQuery, "query")] {
            #expect(reply.status == 422)
            let problem = try #require(reply.json["errors"]?[0])
            let location = problem["loc"]?.array?.map { $0.string ?? String($0.integer ?? -1) }.joined(separator: ".")
            #expect(location == "\(root).\(place)")
            #expect(problem["msg"]?.string?.contains(message) == true, "\(problem.text)")
        }
    }

    @Test("are bounded in depth, in conditions and in values")
    func bounds() {
        func reply(_ filter: String) -> Reply { server.post("\(library)/count", text: #"{"filter":\#(filter)}"#) }
        func nested(_ depth: Int) -> String {
            String(repeating: #"{"$not":"#, count: depth - 1) + #"{"title":"x"}"# + String(repeating: "}", count: depth - 1)
        }
        func conditions(_ count: Int) -> String { #"{"$or":[\#(repeatElement(#"{"title":"x"}"#, count: count).joined(separator: ","))]}"# }
        func values(_ count: Int) -> String { #"{"title":{"$in":[\#(repeatElement(#""x""#, count: count).joined(separator: ","))]}}"# }

        for (filter, limit) in [(nested, 16), (conditions, 256), (values, 10_000)] {
            #expect(reply(filter(limit - 1)).status == 200 && reply(filter(limit)).status == 200)
            let refused = reply(filter(limit + 1))
            #expect(refused.status == 422 && refused.detail.contains("\(limit)"), "\(refused.detail)")
        }
        #expect(server.get("\(library)/documents?filter=%7B").status == 400)
    }
}
