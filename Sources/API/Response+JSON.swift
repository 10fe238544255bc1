import Database
import HTTP
import HTTPTypes
import JSON
import Storage

extension Response {
    init(json status: HTTPResponse.Status, headers: HTTPFields = [:], capacity: Int = 512, _ write: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(capacity: capacity)
        write(&writer)
        var headers = headers
        headers[.contentType] = "application/json"
        self.init(status: status, headers: headers, body: writer.finish())
    }

    static let noContent = Response(status: .noContent)
}

extension SequenceNumber {
    /// The `ETag` of an object that last changed at this sequence (RFC 9110, section 8.8.3).
    var entityTag: String { "\"\(rawValue)\"" }
}
