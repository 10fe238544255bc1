import CSimdJSON

/// A parsed JSON text (RFC 8259, strict: duplicate keys and a byte-order mark are refused).
///
/// The text is parsed by simdjson in one pass; values are read from its tape on demand.
/// A document is used by one thread.
package final class JSONDocument {
    /// Arrays and objects nested deeper than this are refused.
    package static let maxDepth = 64

    private let parser: JSONParser
    let root: quire_json_value

    /// - Throws: `JSONSyntaxError` with what is wrong, in words.
    package init(parsing bytes: [UInt8]) throws(JSONSyntaxError) {
        let parser = JSONParserPool.shared.take()
        var root = quire_json_value()
        let problem = bytes.withUnsafeBufferPointer { quire_json_parse(parser.pointer, $0.baseAddress, $0.count, &root) }
        if let problem {
            JSONParserPool.shared.give(parser)
            throw JSONSyntaxError(reason: String(cString: problem))
        }
        self.parser = parser
        self.root = root
    }

    deinit {
        JSONParserPool.shared.give(parser)
    }
}

package struct JSONSyntaxError: Error, Equatable {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

/// A simdjson parser with the buffers it keeps between documents.
struct JSONParser {
    let pointer: OpaquePointer

    init() {
        guard let pointer = quire_json_parser_create(JSONDocument.maxDepth) else { preconditionFailure("out of memory for a JSON parser") }
        self.pointer = pointer
    }
}
