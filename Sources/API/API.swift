package import HTTP
import HTTPTypes
package import Logging

typealias Handler = @Sendable (Request, PathParameters) throws -> Response

/// The REST interface: every resource, and the way of a request from method and path to a response.
package struct API: Sendable {
    private let router: Router<Handler>
    private let logger: Logger

    package init(_ service: Service, logger: Logger = Logger(label: "quire.api")) {
        var router = Router<Handler>()
        LibraryRoutes(service: service).add(to: &router)
        IndexRoutes(service: service).add(to: &router)
        DocumentRoutes(service: service).add(to: &router)
        ChunkRoutes(service: service).add(to: &router)
        SearchRoutes(service: service).add(to: &router)
        ModelRoutes(service: service).add(to: &router)
        EmbeddingRoutes(service: service).add(to: &router)
        AdminRoutes(service: service).add(to: &router)
        ServiceRoutes(service: service, routes: router.routes.map { "\($0.method) \($0.pattern)" }).add(to: &router)
        self.router = router
        self.logger = logger
    }

    /// Every method and path, for the test that holds the OpenAPI document to them.
    package var routes: [(method: String, pattern: String)] {
        router.routes.map { ($0.method.rawValue, $0.pattern) }
    }

    package func respond(to request: Request) -> Response {
        do {
            return complete(try handle(request), for: request)
        } catch {
            let failure = APIError(error)
            if failure.type == .internalError {
                logger.error(
                    "a request failed unexpectedly",
                    metadata: ["request_id": "\(request.id)", "route": "\(request.method) \(request.path)", "error": "\(error)"])
            }
            return complete(failure.response(requestID: request.id), for: request)
        }
    }

    private func handle(_ request: Request) throws -> Response {
        switch router.match(request.method, path: request.path) {
        case .found(let handler, let parameters):
            return try handler(request, parameters)
        case .notFound:
            throw APIError(.notFound, "There is nothing at this path; /openapi.json lists what there is")
        case .methodNotAllowed(let methods):
            let allowed = methods.map(\.rawValue).joined(separator: ", ")
            var error = APIError(.methodNotAllowed, "This path knows \(allowed)")
            error.headers[.allow] = allowed
            throw error
        }
    }
}

extension HTTPField.Name {
    static let requestID = HTTPField.Name("X-Request-Id")!
    static let link = HTTPField.Name("Link")!
}
