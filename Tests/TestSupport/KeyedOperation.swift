package import HTTPTypes

/// An operation of the OpenAPI document with what it asks of a key: the matrix that keys are tried against.
package struct KeyedOperation: Sendable {
    /// "GET /v1/libraries/{id}"
    package let name: String
    package let pattern: String
    /// HEAD as well where there is GET.
    package let methods: [HTTPRequest.Method]
    /// The name of the right that it needs; nil: everybody may.
    package let right: String?

    /// A key that everybody could have made up.
    package static let strangersKey = "qk_000000000000_\(String(repeating: "0", count: 64))"
    /// The id of nothing.
    package static let missing = "3f2a8c1e-0000-4000-8000-000000000000"

    /// "libraries", of what has an id in the path; nil where nothing has.
    package var subject: String? {
        pattern.contains("{id}") ? pattern.split(separator: "/").dropFirst().first.map { String($0) } : nil
    }

    /// A path of this pattern.
    package func path(id: String = KeyedOperation.missing) -> String {
        pattern.replacing("{id}", with: id).replacing("{name}", with: "none")
    }
}

extension Contract {
    package struct Unclear: Error {
        let operation: String
    }

    /// Every operation, by name.
    ///
    /// - Throws: `Unclear` for one whose security is not one right in either header, or nothing where keys are not asked for; or none.
    package var keyedOperations: [KeyedOperation] {
        get throws {
            try operations.sorted { $0.key < $1.key }.map { name, operation -> KeyedOperation in
                let parts = name.split(separator: " ").map { String($0) }
                guard let method = HTTPRequest.Method(parts[0]), let alternatives = operation["security"]?.array else {
                    throw Unclear(operation: name)
                }
                let right = alternatives.first?["bearer"]?[0]?.string
                let expected: [JSON] = if let right { [["bearer": [.string(right)]], ["apiKey": [.string(right)]], [:]] } else { [] }
                guard alternatives == expected else { throw Unclear(operation: name) }
                return KeyedOperation(
                    name: name, pattern: parts[1], methods: method == .get ? [.get, .head] : [method], right: right)
            }
        }
    }
}
