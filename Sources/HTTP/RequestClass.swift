/// Requests that wait in one line when more come than can be handled. What is answered without work has no class and never waits.
package enum RequestClass: String, Sendable, CaseIterable {
    case search, write, read
}

/// What answers a request, and in which line it waits for that.
package struct Destination: Sendable {
    package let handler: RequestHandler
    /// nil: it does not wait. A streamed body never does: how many there may be is limited instead.
    package let requestClass: RequestClass?

    package init(_ handler: RequestHandler, _ requestClass: RequestClass? = nil) {
        self.handler = handler
        self.requestClass = requestClass
    }
}
