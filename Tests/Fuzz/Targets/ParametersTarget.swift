import FastCGI
import Glibc
import HTTP
import HTTPTypes

/// Proves that whatever nginx or anybody else passes as FastCGI parameters is read as a request or refused: no text of a client
/// ends up where it could steer the server or a reply. libfcgi's own parser is not looked at. Input: strings that end in NUL.
struct ParametersTarget: FuzzTarget {
    func run(_ input: [UInt8], in _: String, hasPlantedBug: Bool) throws {
        let texts = input.split(separator: 0, omittingEmptySubsequences: false)
        let parameters = Self.withParameters(texts) { RequestParameters($0) }
        let request = parameters.request
        try promise(!request.id.isEmpty && request.id.utf8.count <= 64 && request.id.utf8.allSatisfy(Self.isToken), "the id \(request.id)")
        try promise(request.headers.count <= RequestParameters.maxHeaderFields, "\(request.headers.count) headers")
        for field in request.headers {
            try promise(field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }, "the header \(field)")
            try promise(field.name.canonicalName != "proxy", "the header Proxy")
        }
        try promise((parameters.contentLength ?? 0) >= 0, "a negative length")
        // The mistake: a target that is no text is no reason to refuse a request.
        if let rejection = parameters.rejection {
            guard hasPlantedBug, rejection == .badRequest("the request target is not UTF-8") else { return }
        }
        for name in ["REQUEST_METHOD", "REQUEST_URI", "CONTENT_LENGTH"] {
            // An empty length is none: nginx passes it with a request that has no body.
            let count = texts.count { $0.starts(with: "\(name)=".utf8) && (name != "CONTENT_LENGTH" || $0.count > name.utf8.count + 1) }
            try promise(count == 1 || count == 0 && name == "CONTENT_LENGTH", "\(name) is there \(count) times")
        }
        try promise(request.path.utf8.first == UInt8(ascii: "/"), "the path \(request.path)")
        try promise(!request.path.utf8.contains { $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "?") }, "the path \(request.path)")
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        byte < 0x80 && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber || "._-".utf8.contains(byte))
    }

    private static func withParameters<Result>(
        _ texts: [[UInt8].SubSequence], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let strings: [UnsafeMutablePointer<CChar>?] = texts.map { text in
            let string = UnsafeMutablePointer<CChar>.allocate(capacity: text.count + 1)
            for (index, byte) in text.enumerated() { string[index] = CChar(bitPattern: byte) }
            string[text.count] = 0
            return string
        }
        defer { for string in strings { string?.deallocate() } }
        return (strings + [nil]).withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        var texts = input.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
        let index = mutator.choose(texts.count)
        switch mutator.choose(6) {
        case 0: mutator.change(&texts[index], limit: 512)
        case 1: texts.append(texts[index])
        case 2: texts.remove(at: index)
        case 3: texts[index] = Array(Self.words[mutator.choose(Self.words.count)].utf8) + texts[index].drop { $0 != UInt8(ascii: "=") }
        default:
            let start = texts[index].firstIndex(of: UInt8(ascii: "=")).map { $0 + 1 } ?? 0
            mutator.change(&texts[index], start..<texts[index].count, limit: 512)
        }
        return Array(texts.joined(separator: [0]).prefix(limit))
    }

    private static let words = [
        "REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_ID", "HTTP_X_REQUEST_ID", "HTTP_PROXY",
        "HTTP_AUTHORIZATION", "HTTP_X_API_KEY", "HTTP_CONTENT_LENGTH", "HTTP_IF_MATCH", "HTTP_", "SERVER_PROTOCOL",
    ]

    /// As nginx passes them.
    func seeds(in _: String) throws -> [String: [UInt8]] {
        let common = ["SERVER_PROTOCOL=HTTP/1.1", "REMOTE_ADDR=127.0.0.1", "REQUEST_ID=9f1c2d7be04a4c5f8d3e6a1b7c908f42", "HTTP_PROXY="]
        let seeds = [
            "get": ["REQUEST_METHOD=GET", "REQUEST_URI=/v1/libraries?limit=1", "QUERY_STRING=limit=1", "HTTP_HOST=quire"],
            "post": [
                "REQUEST_METHOD=POST", "REQUEST_URI=/v1/libraries", "CONTENT_TYPE=application/json", "CONTENT_LENGTH=12",
                "HTTP_X_REQUEST_ID=mine", "HTTP_AUTHORIZATION=Bearer qk_0", "HTTP_IF_MATCH=\"7\"",
            ],
            "odd": ["REQUEST_METHOD=G T", "REQUEST_URI=http://x/", "CONTENT_LENGTH=-1", "HTTP_X_Y=\u{1}"],
        ]
        return seeds.mapValues { Array((common + $0).joined(separator: "\0").utf8) }
    }
}
