package import HTTP

/// Why a request is answered without being handed to the handler. Nothing of it has been executed.
package enum RequestRejection: Sendable, Equatable {
    /// The body is longer than `maxBodyBytes`.
    case bodyTooLarge(limit: Int)
    /// The body ended before the announced length. A connection that broke within the body is closed without an answer instead.
    case bodyIncomplete(expected: Int, received: Int)
    /// There are more header fields than `limit`.
    case headersTooLarge(limit: Int)
    /// So many requests with a streamed body are being answered.
    case tooManyStreams(limit: Int)
    /// More requests of the class wait than may, or this one has waited too long.
    case overloaded(RequestClass)
    /// The parameters do not make a request; the reason is for the client.
    case badRequest(String)
}
