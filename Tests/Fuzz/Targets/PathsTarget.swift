import Glibc
import HTTP
import HTTPTypes

/// Proves that nginx and the responder see the same resource in every path that nginx lets through: nginx routes on the decoded and
/// normalised path, the responder on the raw one. Input: a path as it is sent.
struct PathsTarget: FuzzTarget {
    private static let patterns = [
        "/", "/health", "/v1/libraries", "/v1/libraries/{id}", "/v1/libraries/{id}/documents", "/v1/libraries/{id}/search",
        "/v1/libraries/{id}/search/embedding", "/v1/documents/{id}", "/v1/documents/{id}/chunks", "/v1/admin/snapshots/{name}/archive",
    ]
    private let router: Router<String>

    init() {
        var router = Router<String>()
        for pattern in Self.patterns { router.add(.get, pattern, pattern) }
        self.router = router
    }

    func run(_ input: [UInt8], in _: String, hasPlantedBug: Bool) throws {
        let target = input.prefix { $0 != UInt8(ascii: "?") }
        // What is no text nginx passes on, and it is answered as a path that nobody has.
        guard let raw = String(validating: target, as: UTF8.self), !Self.isRefusedByNginx(Array(target)) else { return }
        let responder: (pattern: String, values: [String])? =
            switch router.match(.get, path: raw) {
            case .found(let pattern, let path): (pattern, Self.names(pattern).map { path[$0] })
            default: nil
            }
        // The mistake: decoding before the path is taken apart, and once more after it.
        let normalised = Self.decoded(hasPlantedBug ? Self.decoded(Array(target)) : Array(target))
        let nginx = String(validating: normalised, as: UTF8.self).flatMap(Self.match)
        try promise(
            responder?.pattern == nginx?.pattern && responder?.values == nginx?.values,
            "\(raw): the responder sees \(String(describing: responder)), nginx \(String(describing: nginx))")
    }

    /// nginx/snippets/path-hygiene-map.conf, and what nginx itself answers with 400.
    private static func isRefusedByNginx(_ path: [UInt8]) -> Bool {
        guard path.first == UInt8(ascii: "/"),
            !path.contains(where: { $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "\\") })
        else { return true }
        var index = 0
        while index < path.count {
            defer { index += 1 }
            guard path[index] == UInt8(ascii: "%") else { continue }
            guard index + 2 < path.count, let byte = UInt8(String(decoding: path[index + 1...index + 2], as: UTF8.self), radix: 16) else {
                return true
            }
            if byte < 0x20 || [0x2f, 0x2e, 0x5c, 0x7f].contains(byte) { return true }
        }
        let segments = path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return segments.dropLast().contains { $0.isEmpty }
            || segments.contains { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }
            || segments.first?.contains(UInt8(ascii: "%")) == true
    }

    /// As nginx does: every escape once, wherever it is.
    private static func decoded(_ path: [UInt8]) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = path[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        return decoded
    }

    private static func match(_ path: String) -> (pattern: String, values: [String])? {
        let parts = path == "/" ? [] : path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for pattern in patterns {
            let names = pattern.split(separator: "/")
            guard names.count == parts.count else { continue }
            let pairs = zip(names, parts).map { (name: String($0), part: String($1) ?? "") }
            guard pairs.allSatisfy({ $0.name.hasPrefix("{") ? !$0.part.isEmpty : Array($0.name.utf8) == Array($0.part.utf8) }) else {
                continue
            }
            return (pattern, pairs.filter { $0.name.hasPrefix("{") }.map(\.part))
        }
        return nil
    }

    private static func names(_ pattern: String) -> [String] {
        pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        var path = input
        guard mutator.choose(3) > 0, !path.isEmpty else {
            mutator.change(&path, limit: limit)
            return path
        }
        let index = mutator.choose(path.count)
        let piece = Self.pieces[mutator.choose(Self.pieces.count)]
        if mutator.choose(2) == 0 {
            path.insert(contentsOf: piece.utf8, at: index)
        } else {
            path.replaceSubrange(index...index, with: piece.utf8)
        }
        return Array(path.prefix(limit))
    }

    private static let pieces = [
        "%2f", "%2F", "%2e", "%252f", "%25", "%", "%3f", "%23", "%c3%a9", "é", "%c3", "%61", "/", "//", "/.", "/..", ".", "\\", "%5c", "?",
        "+", "%20",
        "v1", "libraries", "documents", "search", "embedding",
    ]

    func seeds(in _: String) throws -> [String: [UInt8]] {
        let seeds = [
            "root": "/", "health": "/health", "list": "/v1/libraries?limit=1", "encoded": "/v1/libraries/a%20b%c3%a9/documents",
            "archive": "/v1/admin/snapshots/x.snap/archive", "dots": "/v1/libraries/../health",
            "search": "/v1/libraries/0d5a1b3c/search/embedding",
        ]
        return seeds.mapValues { Array($0.utf8) }
    }
}
