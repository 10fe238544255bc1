package import HTTPTypes

/// Finds the handler of a request by method and path.
///
/// Patterns are literal segments and `{name}` segments, which match exactly one non-empty segment. Matching works on the raw path:
/// a segment is split off first and percent-decoded afterwards, so an encoded slash can never move a request to another route.
package struct Router<Handler: Sendable>: Sendable {
    package struct Route: Sendable {
        package let method: HTTPRequest.Method
        package let pattern: String
        package let handler: Handler
        fileprivate let segments: [Segment]
    }

    fileprivate enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    package enum Match {
        case found(Handler, PathParameters)
        /// No pattern fits the path.
        case notFound
        /// The path exists, the method does not; for `Allow`.
        case methodNotAllowed([HTTPRequest.Method])
    }

    package private(set) var routes: [Route] = []

    package init() {}

    package mutating func add(_ method: HTTPRequest.Method, _ pattern: String, _ handler: Handler) {
        let segments = pattern.split(separator: "/", omittingEmptySubsequences: true).map { segment in
            segment.hasPrefix("{") ? Segment.parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
        }
        precondition(
            !routes.contains { $0.method == method && $0.segments == segments }, "two handlers for \(method) \(pattern)")
        routes.append(Route(method: method, pattern: pattern, handler: handler, segments: segments))
    }

    /// The same routes with other handlers.
    package func map<Other>(_ transform: (Route) -> Other) -> Router<Other> {
        var router = Router<Other>()
        for route in routes { router.add(route.method, route.pattern, transform(route)) }
        return router
    }

    /// HEAD is answered by the handler of GET. Cost: linear in the number of routes, which is small.
    package func match(_ method: HTTPRequest.Method, path: String) -> Match {
        guard path.utf8.first == UInt8(ascii: "/") else { return .notFound }
        // "/" has no segment; "/a/" has an empty second one and matches nothing.
        let segments = path == "/" ? [] : path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let wanted = method == .head ? .get : method
        var allowed: [HTTPRequest.Method] = []
        for route in routes {
            guard let parameters = route.parameters(for: segments) else { continue }
            if route.method == wanted { return .found(route.handler, parameters) }
            allowed.append(route.method)
        }
        if allowed.isEmpty { return .notFound }
        if allowed.contains(.get) { allowed.append(.head) }
        return .methodNotAllowed(allowed)
    }
}

extension Router.Route {
    fileprivate func parameters(for path: [Substring.UTF8View.SubSequence]) -> PathParameters? {
        guard path.count == segments.count else { return nil }
        var parameters = PathParameters(pattern: pattern)
        for (segment, raw) in zip(segments, path) {
            guard let decoded = percentDecoded(raw), !decoded.isEmpty else { return nil }
            switch segment {
            case .literal(let literal): if decoded != literal { return nil }
            case .parameter(let name): parameters.values.append((name, decoded))
            }
        }
        return parameters
    }
}

/// What the `{name}` segments of a pattern matched, decoded.
package struct PathParameters: Sendable {
    /// The pattern that the path fits; empty if there is none.
    package let pattern: String
    fileprivate var values: [(name: String, value: String)] = []

    package init(pattern: String = "") {
        self.pattern = pattern
    }

    /// The name must stand in the route's pattern.
    package subscript(_ name: String) -> String {
        let value = values.first { $0.name == name }?.value
        precondition(value != nil, "the route has no parameter '\(name)'")
        return value!
    }
}
