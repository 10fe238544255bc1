package import HTTPTypes

/// One HTTP request as nginx passed it on: validated by nginx, not yet interpreted by us.
package struct Request: Sendable {
    package var method: HTTPRequest.Method
    /// The path exactly as the client sent it (percent-encoded, without the query).
    package var path: String
    /// The query string exactly as the client sent it, without the `?`.
    package var query: String
    package var headers: HTTPFields
    package var body: [UInt8]
    /// The id under which this request appears in replies and logs.
    package var id: String
    /// How long it waited for its turn while too much else was to do.
    package var waited = Duration.zero

    package init(
        method: HTTPRequest.Method, path: String, query: String = "", headers: HTTPFields = [:], body: [UInt8] = [], id: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.id = id
    }
}
