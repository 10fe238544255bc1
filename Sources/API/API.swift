package import HTTP
import HTTPTypes
import Keys
package import Logging
import Settings

/// What answers the requests of a route.
enum RouteHandler: Sendable {
    case whole(@Sendable (Request, PathParameters) throws -> Response)
    /// Reads the body while it arrives.
    case streamed(@Sendable (Request, PathParameters, any IncomingBody) throws -> Response)
    /// Answers differently whoever asks.
    case personal(@Sendable (Request, PathParameters, Access) throws -> Response)
}

typealias Handler = RouteHandler

/// The REST interface: every resource, and the way of a request from method and path to a response.
package struct API: Sendable {
    private let router: Router<Route>
    private let service: Service
    private let monitor: RequestMonitor
    private let logger: Logger

    private struct Route: Sendable {
        let handler: Handler
        let demand: Demand
    }

    package init(_ service: Service, logger: Logger = Logger(label: "quire.api")) {
        var router = Router<Handler>()
        LibraryRoutes(service: service).add(to: &router)
        IndexRoutes(service: service).add(to: &router)
        ReembeddingRoutes(service: service).add(to: &router)
        DocumentRoutes(service: service).add(to: &router)
        BulkRoutes(service: service).add(to: &router)
        ChunkRoutes(service: service).add(to: &router)
        SearchRoutes(service: service, slow: SlowQueryLog(milliseconds: service.settings.slowQueryMS, logger: logger)).add(to: &router)
        ModelRoutes(service: service).add(to: &router)
        EmbeddingRoutes(service: service).add(to: &router)
        AdminRoutes(service: service).add(to: &router)
        MonitoringRoutes(service: service).add(to: &router)
        ServiceRoutes(service: service, routes: router.routes.filter { $0.pattern.hasPrefix("/v1") }.map { "\($0.method) \($0.pattern)" })
            .add(to: &router)
        self.router = router.map { Route(handler: $0.handler, demand: Demand($0.method, $0.pattern)) }
        self.service = service
        monitor = RequestMonitor(
            routes: router.routes.map { ($0.method, $0.pattern) }, registry: service.metrics, log: service.settings.requestLog,
            logger: logger)
        service.watch(monitor)
        self.logger = logger
    }

    /// Every method and path, for the test that holds the OpenAPI document to them.
    package var routes: [(method: String, pattern: String)] {
        router.routes.map { ($0.method.rawValue, $0.pattern) }
    }

    /// What answers `request`, whose body is not looked at: also where it is an error, the client hears of it in its turn.
    package func destination(of request: Request) -> Destination {
        switch router.match(request.method, path: request.path) {
        case .found(let route, let path):
            return Destination(handler(of: route, path), route.demand.requestClass)
        case .notFound:
            let error = APIError(.notFound, "There is nothing at this path; /openapi.json lists what there is")
            return Destination(.whole { request in answer(request, PathParameters()) { throw error } })
        case .methodNotAllowed(let methods):
            let allowed = methods.map(\.rawValue).joined(separator: ", ")
            var error = APIError(.methodNotAllowed, "This path knows \(allowed)")
            error.headers[.allow] = allowed
            return Destination(.whole { [error] request in answer(request, PathParameters()) { throw error } })
        }
    }

    private func handler(of route: Route, _ path: PathParameters) -> RequestHandler {
        switch route.handler {
        case .whole(let handle):
            .whole { request in admit(request, to: route, path) { request, _ in try handle(request, path) } }
        case .streamed(let handle):
            .streamed { request, body in admit(request, to: route, path) { request, _ in try handle(request, path, body) } }
        case .personal(let handle):
            .whole { request in admit(request, to: route, path) { request, access in try handle(request, path, access) } }
        }
    }

    /// Answers a request whose body is there.
    package func respond(to request: Request) -> Response {
        destination(of: request).handler.respond(to: request)
    }

    /// Answers whoever may ask. Nobody else gets as far as to have a body looked at, or a stream read.
    private func admit(
        _ request: Request, to route: Route, _ path: PathParameters, _ handle: (Request, Access) throws -> Response
    ) -> Response {
        answer(request, path, about: route.demand.subject) {
            let access = try service.admit(request, to: route.demand, path)
            return try handle(request.withoutKeys, access)
        }
    }

    private func answer(
        _ request: Request, _ path: PathParameters, about subject: Demand.Subject = .none, _ handle: () throws -> Response
    ) -> Response {
        // What is not there is in no library.
        monitor.observe(request, path, about: try? service.library(of: subject, path)) {
            do {
                return (complete(try handle(), for: request), nil)
            } catch {
                let failure = APIError(error)
                if failure.type == .internalError {
                    logger.error(
                        "a request failed unexpectedly",
                        metadata: ["request_id": "\(request.id)", "route": "\(path.pattern)", "error": "\(error)"])
                }
                return (complete(failure.response(requestID: request.id), for: request), failure)
            }
        }
    }

    /// Answers a request that is not executed, as one of the route that it was for.
    func answer(_ request: Request, with error: APIError) -> Response {
        guard case .found(let route, let path) = router.match(request.method, path: request.path) else {
            return answer(request, PathParameters()) { throw error }
        }
        return answer(request, path, about: route.demand.subject) { throw error }
    }
}

extension Router where Handler == RouteHandler {
    /// A route whose handler takes the body whole, as most do.
    mutating func add(
        _ method: HTTPRequest.Method, _ pattern: String, _ handle: @escaping @Sendable (Request, PathParameters) throws -> Response
    ) {
        add(method, pattern, .whole(handle))
    }
}

extension HTTPField.Name {
    static let requestID = HTTPField.Name("X-Request-Id")!
    static let link = HTTPField.Name("Link")!
}
