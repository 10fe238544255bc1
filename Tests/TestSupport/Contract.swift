import FoundationEssentials
package import HTTP
import HTTPTypes

extension Response {
    /// The body, also if it is a stream; of one that breaks off, what comes before.
    package var wholeBody: [UInt8] {
        guard let stream else { return body }
        var bytes: [UInt8] = []
        try? stream { bytes += $0 }
        return bytes
    }
}

/// The OpenAPI document as the judge of requests and responses.
package struct Contract: Sendable {
    package let document: JSON
    package let schema: Schema
    /// "GET /v1/libraries/{id}", to its operation.
    package let operations: [String: JSON]

    package init(_ document: JSON) {
        self.document = document
        schema = Schema(document: document)
        var operations: [String: JSON] = [:]
        for (path, item) in document["paths"]!.object! {
            for (method, operation) in item.object! where method != "parameters" {
                var operation = operation.object!
                operation["parameters"] = .array((item["parameters"]?.array ?? []) + (operation["parameters"]?.array ?? []))
                operations["\(method.uppercased()) \(path)"] = .object(operation)
            }
        }
        self.operations = operations
    }

    /// What the document does not say about this exchange, in words; empty when everything is as documented.
    package func violations(by request: Request, _ response: Response) -> [String] {
        let method = request.method == .head ? "GET" : request.method.rawValue
        guard let path = template(of: request.path) else { return undocumented(response, as: "NotFound", request) }
        guard let operation = operations["\(method) \(path)"] else { return undocumented(response, as: "MethodNotAllowed", request) }

        let status = String(response.status.code)
        guard let documented = operation["responses"]?[status] else { return ["\(method) \(path): status \(status) is undocumented"] }
        let problems =
            violations(of: schema.resolve(documented), by: response, to: request)
            + (response.status.kind == .successful ? violations(of: operation, by: request) : [])
        return problems.map { "\(method) \(path) -> \(status): \($0)" }
    }

    /// The pattern that a path fits; literal segments win.
    package func template(of path: String) -> String? {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        let fitting = document["paths"]!.object!.keys.filter { pattern in
            let parts = pattern.split(separator: "/", omittingEmptySubsequences: false)
            return parts.count == segments.count
                && zip(parts, segments).allSatisfy {
                    $0.hasPrefix("{") ? percentDecoded($1.utf8)?.isEmpty == false : String($0) == percentDecoded($1.utf8)
                }
        }
        return fitting.min { $0.count { $0 == "{" } < $1.count { $0 == "{" } }
    }

    private func undocumented(_ response: Response, as name: String, _ request: Request) -> [String] {
        let expected = document["components"]!["responses"]![name]!
        guard response.status.code == (name == "NotFound" ? 404 : 405) else {
            return ["\(request.method) \(request.path): not in the document, yet answered with \(response.status.code)"]
        }
        return violations(of: expected, by: response, to: request)
    }

    private func violations(of documented: JSON, by response: Response, to request: Request) -> [String] {
        headerViolations(of: documented, by: response) + bodyViolations(of: documented, by: response, to: request)
    }

    private func headerViolations(of documented: JSON, by response: Response) -> [String] {
        let headers = (documented["headers"]?.object ?? [:]).mapValues(schema.resolve)
        var problems: [String] = []
        for (name, header) in headers {
            if let value = response.headers[HTTPField.Name(name)!] {
                problems += schema.violations(of: header["schema"]!, by: .string(value), at: name)
            } else if header["required"] == true {
                problems.append("the header \(name) is missing")
            }
        }
        let known = Set(headers.keys.map { $0.lowercased() }).union(["content-type", "content-length"])
        problems += response.headers.filter { !known.contains($0.name.canonicalName) }.map { "the header \($0.name) is undocumented" }
        return problems
    }

    private func bodyViolations(of documented: JSON, by response: Response, to request: Request) -> [String] {
        guard let content = documented["content"]?.object else {
            return response.body.isEmpty && response.headers[.contentLength] == nil ? [] : ["it has a body"]
        }
        let type = String((response.headers[.contentType] ?? "").prefix { $0 != ";" })
        guard let schema = content[type]?["schema"] else { return ["the type '\(type)' is undocumented"] }
        if request.method == .head { return response.body.isEmpty ? [] : ["HEAD is answered with a body"] }
        let bytes = response.wholeBody
        // Of a stream nobody may know it before its end.
        let length = response.headers[.contentLength]
        guard length == String(bytes.count) || response.stream != nil && length == nil else { return ["Content-Length is wrong"] }
        // The schema of lines is that of one line.
        let texts =
            switch type {
            case "application/json": [bytes]
            case "application/x-ndjson": bytes.split(separator: 0x0A).map(Array.init)
            default: [] as [[UInt8]]
            }
        return texts.flatMap { text in
            guard let body = try? JSON(parsing: text) else { return ["the body is not JSON"] }
            var problems = self.schema.violations(of: schema, by: body)
            if let id = body["request_id"], id != .string(request.id) { problems.append("request_id is not the request's") }
            return problems
        }
    }

    /// What was accepted must be documented.
    private func violations(of operation: JSON, by request: Request) -> [String] {
        var problems: [String] = []
        let parameters = operation["parameters"]!.array!.map(schema.resolve)
        let ignoresQuery = ["getHealth", "getReady", "getOpenAPI", "getDocs"].contains(operation["operationId"]?.string)
        for parameter in Query(request.query)?.parameters ?? [] where !ignoresQuery {
            let isKnown = parameters.contains { $0["in"] == "query" && $0["name"] == .string(parameter.name) }
            if !isKnown { problems.append("the parameter \(parameter.name) was accepted and is undocumented") }
        }
        // The documents of a batch are right or wrong each for itself, and so are lines.
        let isBatch = operation["operationId"] == "addBatch"
        if let body = operation["requestBody"]?["content"]?["application/json"], !isBatch, let value = try? JSON(parsing: request.body) {
            problems += schema.violations(of: body["schema"]!, by: value, at: "request")
        }
        return problems
    }
}
