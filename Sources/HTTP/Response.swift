package import HTTPTypes

/// One HTTP response: a status, headers and the body, whole or as a stream.
package struct Response: Sendable {
    /// A body that nobody holds in memory as a whole. If it throws, the connection breaks off, so that the client sees it is not whole.
    package typealias BodyStream = @Sendable (_ put: (UnsafeRawBufferPointer) throws -> Void) throws -> Void

    package var status: HTTPResponse.Status
    package var headers: HTTPFields
    package var body: [UInt8]
    /// Sent instead of `body` if there is one; its length is not announced.
    package var stream: BodyStream?

    package init(status: HTTPResponse.Status, headers: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
