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
    private static let readingPosts: Set<Substring> = [
        "/libraries/{id}/search", "/libraries/{id}/search/embedding", "/libraries/{id}/search/batch", "/libraries/{id}/count",
        "/embeddings",
    ]

    init(_ method: HTTPRequest.Method, _ pattern: String) {
        // Of every version the same.
        let resource = pattern.withoutVersion
        let isRead = method == .get || Self.readingPosts.contains(resource)
        if Self.open.contains(pattern) {
            (right, subject) = (nil, .none)
        } else if resource.hasPrefix("/libraries/{id}") {
            (right, subject) = (isRead ? .read : .write, .library)
        } else if resource.hasPrefix("/documents/{id}") {
            (right, subject) = (isRead ? .read : .write, .document)
        } else if resource.hasPrefix("/chunks/{id}") {
            (right, subject) = (isRead ? .read : .write, .chunk)
        } else if resource == "/libraries" {
            (right, subject) = isRead ? (.read, .none) : (.write, .everything)
        } else if ["/models", "/embeddings"].contains(resource) {
            (right, subject) = (.read, .none)
        } else {
            // `/admin/`, and whatever somebody adds and forgets here.
            (right, subject) = (.admin, .everything)
        }
        rateClass = resource.isEmpty ? nil : Self.rateClass(method, resource)
        requestClass =
            switch rateClass {
            case _ where Self.open.contains(pattern): nil
            case .search: .search
            case .write, .create: .write
            case nil: .read
            }
    }

    /// As nginx's zones have it, which see no more than a method and a path.
    private static func rateClass(_ method: HTTPRequest.Method, _ resource: Substring) -> RateClass? {
        guard method != .get else { return nil }
        if method == .post, resource == "/libraries" { return .create }
        let isSearch = resource.hasPrefix("/libraries/{id}/search") || resource == "/libraries/{id}/count"
        return method == .post && isSearch ? .search : .write
    }
}

extension String {
    /// What follows `/v1` or another version in the pattern of a path; empty where there is none.
    fileprivate var withoutVersion: Substring {
        guard hasPrefix("/v"), let end = dropFirst().firstIndex(of: "/"), UInt(self[..<end].dropFirst(2)) != nil else { return "" }
        return self[end...]
    }
}
