/// What answers a request, synchronously, and how it takes the body. It is chosen before the body is read.
package enum RequestHandler: Sendable {
    /// Called when all of the body is there.
    case whole(@Sendable (Request) -> Response)
    /// Called before any of the body is there; the request's own `body` is empty.
    case streamed(@Sendable (Request, any IncomingBody) -> Response)

    /// Answers a request whose body is there, whichever way the handler takes it.
    package func respond(to request: Request) -> Response {
        switch self {
        case .whole(let respond): respond(request)
        case .streamed(let respond): respond(request, CompleteBody(request.body))
        }
    }
}
