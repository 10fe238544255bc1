import FoundationEssentials
import HTTPTypes
import Settings
import TestSupport
import Testing
import VectorSearch

@testable import API

struct ContractTests {
    @Test("the document lists every route of the router and no other")
    func listsRoutes() throws {
        let server = try TestServer()

        let routes = Set(server.api.routes.map { "\($0.method) \($0.pattern)" })

        #expect(!routes.isEmpty)
        #expect(Set(Contract.shared.operations.keys) == routes)
    }

    @Test("every listed route is reached")
    func reachesRoutes() throws {
        let server = try TestServer()
        _ = server.vectors()
        let snapshot = try #require(server.post("/v1/admin/snapshots", text: "").json["name"]?.string)
        for operation in Contract.shared.operations.keys.sorted() {
            let parts = operation.split(separator: " ").map(String.init)
            let path = parts[1].replacing("{id}", with: "3f2a8c1e-0000-4000-8000-000000000000").replacing("{name}", with: snapshot)

            let reply = server.send(try #require(HTTPRequest.Method(parts[0])), path)

            #expect(reply.errorType != "NotFoundError" && reply.errorType != "MethodNotAllowedError", "\(operation)")
        }
    }

    @Test("the overview lists the routes of version 1")
    func overview() throws {
        let server = try TestServer()

        let endpoints = server.get("/").json["api_versions"]?["v1"]?["endpoints"]?.array?.compactMap(\.string)

        #expect(Set(endpoints ?? []) == Set(Contract.shared.operations.keys.filter { $0.contains(" /v1") }))
    }

    @Test("the document's limits are the defaults of the settings")
    func limits() throws {
        let settings = try Settings.load(
            environment: [:], machine: Machine(userID: 1000, home: "/home/nobody", cores: 2, memoryBytes: 8 << 30))
        let schemas = try #require(Contract.shared.document["components"]?["schemas"])
        func limit(_ schema: String, _ property: String, _ keyword: String) -> Int? {
            schemas[schema]?["properties"]?[property]?[keyword]?.integer
        }

        for document in ["NewTextDocument", "NewVectorDocument"] {
            #expect(limit(document, "title", "maxLength") == settings.maxTitleLength)
            #expect(limit(document, "author", "maxLength") == settings.maxAuthorLength)
            #expect(limit(document, "tags", "maxItems") == settings.maxTagsPerDocument)
            #expect(schemas[document]?["properties"]?["tags"]?["items"]?["maxLength"]?.integer == settings.maxTagLength)
        }
        #expect(limit("NewTextDocument", "texts", "maxItems") == settings.maxChunksPerDocument)
        #expect(schemas["NewTextDocument"]?["properties"]?["texts"]?["items"]?["maxLength"]?.integer == settings.maxChunkLength)
        #expect(limit("Batch", "documents", "maxItems") == settings.maxBulkDocuments)
        #expect(limit("NewVectorDocument", "chunks", "maxItems") == settings.maxChunksPerDocument)
        #expect(limit("NewChunk", "text", "maxLength") == settings.maxChunkLength)
        #expect(limit("TextSearch", "query", "maxLength") == settings.maxQueryLength)
        #expect(limit("TextSearch", "k", "maximum") == settings.maxResultsK)
        #expect(limit("VectorSearch", "k", "maximum") == settings.maxResultsK)
        let text = String(decoding: PackageResources.openapi_json, as: UTF8.self)
        #expect(text.contains("`MAX_BODY_BYTES` (\(settings.maxBodyBytes) by default)"))
    }

    @Test("the document's parameters of an index are those there are, with their ranges and defaults")
    func indexParameters() throws {
        let schemas = try #require(Contract.shared.document["components"]?["schemas"])
        let live = IndexParameter.allCases.filter(\.isLive)

        for (name, parameters) in [
            ("IndexParams", IndexParameter.allCases), ("NewIndexParams", IndexParameter.allCases), ("LiveIndexParams", live),
        ] {
            let properties = try #require(schemas[name]?["properties"]?.object)
            #expect(Set(properties.keys) == Set(parameters.map(\.rawValue)))
            for parameter in parameters {
                let property = try #require(properties[parameter.rawValue])
                #expect(property["minimum"]?.integer == parameter.range.lowerBound, "\(name).\(parameter.rawValue)")
                #expect(property["maximum"]?.integer == parameter.range.upperBound, "\(name).\(parameter.rawValue)")
                if name == "NewIndexParams" { #expect(property["default"]?.integer == parameter.defaultValue) }
            }
        }
        for kind in IndexKind.allCases {
            for schema in ["NewLibrary", "IndexChange"] {
                #expect(schemas[schema]?["properties"]?["index_type"]?["enum"]?.array?.contains(.string(kind.rawValue)) == true)
            }
        }
        for search in ["TextSearch", "VectorSearch"] {
            let ef = try #require(schemas[search]?["properties"]?["ef"])
            #expect(ef["minimum"]?.integer == IndexParameter.efSearch.range.lowerBound)
            #expect(ef["maximum"]?.integer == IndexParameter.efSearch.range.upperBound)
        }
    }

    @Test("the document's error types are the server's and those of nginx")
    func errorTypes() throws {
        let schema = try #require(Contract.shared.document["components"]?["schemas"]?["Error"]?["properties"]?["error_type"]?["enum"])

        let documented = Set(schema.array?.compactMap(\.string) ?? [])

        #expect(
            documented == Set(APIError.ErrorType.allCases.map(\.rawValue)).union(["URITooLongError", "RateLimitError", "PermissionError"]))
    }

    @Test("what nginx answers itself has the documented shape and types")
    func edge() throws {
        let pages = try ["error-pages", "rate-limited"].map {
            try String(contentsOfFile: checkout + "/nginx/snippets/\($0).conf", encoding: .utf8)
        }.joined().replacing("$api_versions_json", with: "\"v1\"")
        let description = try #require(Contract.shared.document["info"]?["description"]?.string)

        let bodies = pages.matches(of: /return ([0-9]{3}) '(.*)';/)

        #expect(bodies.count > 5)
        for body in bodies {
            let error = try JSON(parsing: Array(body.2.utf8))
            #expect(Contract.shared.schema.violations(of: ["$ref": "#/components/schemas/Error"], by: error).isEmpty)
            #expect(description.contains("\(body.1)"), "the status is spoken of")
        }
    }

    @Test("every reference leads somewhere and every component is used")
    func references() throws {
        var used: Set<String> = []
        func visit(_ value: JSON) {
            if let reference = value["$ref"]?.string {
                used.insert(reference)
                _ = Contract.shared.schema.resolve(value)
            }
            for child in value.object?.values.map({ $0 }) ?? value.array ?? [] { visit(child) }
        }

        visit(Contract.shared.document)

        for (kind, members) in try #require(Contract.shared.document["components"]?.object) where kind != "securitySchemes" {
            for name in members.object!.keys where !["NotFound", "MethodNotAllowed"].contains(name) {
                #expect(used.contains("#/components/\(kind)/\(name)"))
            }
        }
    }

    @Test("the document is served as JSON and the page as HTML that asks nobody else")
    func pages() throws {
        let server = try TestServer()

        let document = server.get("/openapi.json")
        let page = server.get("/docs")

        #expect(document.status == 200 && document.json["openapi"] == "3.1.0")
        #expect(document.json["info"]?["version"] == .string(quireVersion))
        #expect(page.status == 200 && page.headers[.contentType] == "text/html; charset=utf-8")
        let text = String(decoding: page.body, as: UTF8.self)
        #expect(text.contains("openapi.json"))
        for foreign in ["http://", "https://", "src=\"//", "@import", "url("] { #expect(!text.contains(foreign), "\(foreign)") }
    }

    @Test("the judge refuses what the document does not have")
    func judges() {
        let schema = Contract.shared.schema
        let error: JSON = ["$ref": "#/components/schemas/Error"]
        let good: JSON = ["error": "e", "detail": "d", "error_type": "NotFoundError", "request_id": "r"]

        #expect(schema.violations(of: error, by: good).isEmpty)
        #expect(schema.violations(of: error, by: ["error": "e"]).count == 3)
        #expect(schema.violations(of: error, by: .object(good.object!.merging(["more": 1]) { $1 })) == ["$: more is undocumented"])
        #expect(schema.violations(of: error, by: .object(good.object!.merging(["error_type": "X"]) { $1 })).count == 1)
        #expect(schema.violations(of: ["type": ["integer", "null"]], by: 1.5) == ["$: is no [\"integer\",\"null\"]"])
        #expect(schema.violations(of: ["novelty": 1], by: 1) == ["$: the keyword novelty is unknown here"])
        #expect(schema.violations(of: ["oneOf": [["minimum": 1], ["maximum": 9]]], by: 5) == ["$: matches 2 of the alternatives"])
        #expect(schema.violations(of: ["format": "uuid"], by: "5").count == 1)
        #expect(schema.violations(of: ["minLength": 1, "pattern": "^a$"], by: "").count == 2)
    }
}
