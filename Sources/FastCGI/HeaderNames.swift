import HTTPTypes

/// Header names as FastCGI spells them (`X_API_KEY`) and as HTTP does (`x-api-key`).
enum HeaderNames {
    /// The name that `parameter`, what follows `HTTP_`, stands for; nil when that is no header name.
    ///
    /// A hyphen and an underscore in the client's name look the same here; nginx drops names with underscores by default.
    static func name(forParameter parameter: UnsafeRawBufferPointer) -> HTTPField.Name? {
        if let known = known.first(where: { parameter.equals($0.parameter) }) { return known.name }
        guard !parameter.isEmpty, parameter.count <= maxBytes else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parameter.count)
        for byte in parameter {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): bytes.append(byte | 0x20)
            case UInt8(ascii: "_"): bytes.append(UInt8(ascii: "-"))
            default: bytes.append(byte)
            }
        }
        return HTTPField.Name(String(decoding: bytes, as: UTF8.self))
    }

    /// Longer names are dropped: nobody reads them.
    private static let maxBytes = 256

    /// What clients send with nearly every request, so that it costs one comparison and no string.
    private static let known: [(parameter: StaticString, name: HTTPField.Name)] = [
        ("HOST", HTTPField.Name("host")!), ("USER_AGENT", .userAgent), ("ACCEPT", .accept), ("ACCEPT_ENCODING", .acceptEncoding),
        ("ACCEPT_LANGUAGE", .acceptLanguage), ("AUTHORIZATION", .authorization), ("CONNECTION", .connection),
        ("X_API_KEY", HTTPField.Name("x-api-key")!), ("X_REQUEST_ID", HTTPField.Name("x-request-id")!),
        ("X_FORWARDED_FOR", HTTPField.Name("x-forwarded-for")!), ("IF_MATCH", .ifMatch), ("IF_NONE_MATCH", .ifNoneMatch),
        ("IDEMPOTENCY_KEY", HTTPField.Name("idempotency-key")!), ("ORIGIN", .origin), ("REFERER", .referer),
    ]
}
