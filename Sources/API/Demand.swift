import HTTP
import HTTPTypes
import Keys

/// What a route asks of whoever calls it. The one table of rights; the OpenAPI document says the same, and a test holds it to this.
struct Demand: Sendable, Equatable {
    /// Whose the library is that a request is about.
    enum Subject: Sendable, Equatable {
        case none
        /// Named by `{id}` in the path, itself or by what is in it.
        case library, document, chunk
        /// All of them, and those to come.
        case everything
    }

    /// `nil`: open to everybody.
    let right: Right?
    let subject: Subject
    /// `nil`: not limited.
    let rateClass: RateClass?
    /// In which line it waits when there is too much to do. `nil`: in none, so that a server under load still says how it is.
    let requestClass: RequestClass?

    /// `/metrics` as well: nginx lets only this machine ask for it.
    private static let open: Set = ["/", "/health", "/ready", "/metrics", "/openapi.json", "/docs"]
    /// They have a body to ask with, and change nothing.
    private static let readingPosts: Set = [
        "/v1/libraries/{id}/search", "/v1/libraries/{id}/search/embedding", "/v1/libraries/{id}/search/batch", "/v1/libraries/{id}/count",
        "/v1/embeddings",
    ]

    init(_ method: HTTPRequest.Method, _ pattern: String) {
        let isRead = method == .get || Self.readingPosts.contains(pattern)
        if Self.open.contains(pattern) {
            (right, subject) = (nil, .none)
        } else if pattern.hasPrefix("/v1/libraries/{id}") {
            (right, subject) = (isRead ? .read : .write, .library)
        } else if pattern.hasPrefix("/v1/documents/{id}") {
            (right, subject) = (isRead ? .read : .write, .document)
        } else if pattern.hasPrefix("/v1/chunks/{id}") {
            (right, subject) = (isRead ? .read : .write, .chunk)
        } else if pattern == "/v1/libraries" {
            (right, subject) = isRead ? (.read, .none) : (.write, .everything)
        } else if ["/v1/models", "/v1/embeddings"].contains(pattern) {
            (right, subject) = (.read, .none)
        } else {
            // `/v1/admin/`, and whatever somebody adds and forgets here.
            (right, subject) = (.admin, .everything)
        }
        rateClass = Self.rateClass(method, pattern)
        requestClass =
            switch rateClass {
            case _ where Self.open.contains(pattern): nil
            case .search: .search
            case .write, .create: .write
            case nil: .read
            }
    }

    /// As nginx's zones have it, which see no more than a method and a path.
    private static func rateClass(_ method: HTTPRequest.Method, _ pattern: String) -> RateClass? {
        guard pattern.hasPrefix("/v1/"), method != .get else { return nil }
        if method == .post, pattern == "/v1/libraries" { return .create }
        let isSearch = pattern.hasPrefix("/v1/libraries/{id}/search") || pattern == "/v1/libraries/{id}/count"
        return method == .post && isSearch ? .search : .write
    }
}
