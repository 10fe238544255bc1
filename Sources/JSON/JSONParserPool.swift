import CSimdJSON
import Glibc
import Locks

/// Parsers kept for reuse: a parser's buffers are several times its document, and allocating them anew costs more than a small parse.
// Sound as Sendable: `idle` is only touched under `lock`, and a parser has one user between `take` and `give`.
final class JSONParserPool: @unchecked Sendable {
    static let shared = JSONParserPool()

    /// A parser that has grown beyond this is freed, so that one large request does not hold memory for good.
    private static let maxKeptCapacity = 1 << 20
    private static let maxIdle = 64

    private let lock = Lock()
    private var idle: [JSONParser] = []

    func take() -> JSONParser {
        lock.withLock { idle.popLast() } ?? JSONParser()
    }

    func give(_ parser: JSONParser) {
        let kept = lock.withLock {
            guard idle.count < Self.maxIdle, quire_json_parser_capacity(parser.pointer) <= Self.maxKeptCapacity else { return false }
            idle.append(parser)
            return true
        }
        if !kept { quire_json_parser_destroy(parser.pointer) }
    }
}
