/// What a client may rely on in every error, whoever answers it.
extension HTTPReply {
    /// The status and the type of an error that keeps all promises; what is wrong with it otherwise.
    ///
    /// To be compared with `"404 NotFoundError"`.
    package var asError: String {
        guard let error = try? JSON(parsing: body), let members = error.object else { return "\(status), and no JSON: \(text.prefix(200))" }
        var flaws: [String] = []
        if headers("content-type") != ["application/json"] { flaws.append("Content-Type is \(headers("content-type"))") }
        if headers("content-length") != ["\(body.count)"] { flaws.append("Content-Length is wrong, or there is more than one answer") }
        if headers("x-content-type-options") != ["nosniff"] { flaws.append("not nosniff") }
        if headers("server") != ["nginx"] { flaws.append("Server is \(headers("server"))") }
        if status >= 500 && status != 503 && status != 507 { flaws.append("a defect of the server") }
        let isTemporary = status == 503 && error["error_type"] == "UnavailableError" || status == 429
        if isTemporary && headers("retry-after").isEmpty { flaws.append("no Retry-After") }
        for name in ["error", "detail", "error_type"] where error[name]?.string?.isEmpty != false { flaws.append("no \(name)") }
        if headers("x-request-id").map({ .string($0) }) != [error["request_id"] ?? nil] { flaws.append("request_id is not X-Request-Id") }
        let unknown = Set(members.keys).subtracting(["error", "detail", "error_type", "request_id", "errors", "supported_versions"])
        if !unknown.isEmpty { flaws.append("unknown fields \(unknown.sorted())") }
        flaws += unexpectedHeaders.map { "the header \($0)" }
        return (["\(status) \(error["error_type"]?.string ?? "")"] + flaws).joined(separator: ", ")
    }

    /// Headers that no reply of Quire has, and those that are there more than once.
    package var unexpectedHeaders: [String] {
        let known: Set = [
            "allow", "connection", "content-length", "content-security-policy", "content-type", "date", "etag", "link", "location",
            "referrer-policy", "retry-after", "server", "www-authenticate", "x-content-type-options", "x-request-id",
        ]
        let names = headers.map(\.name)
        return names.filter { name in !known.contains(name) || names.count { $0 == name } > 1 }
    }
}
