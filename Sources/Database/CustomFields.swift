/// What a client says of a document or a chunk besides the fields that have names of their own: a flat map, in order of the names.
package struct CustomFields: Sendable, Equatable {
    package enum Value: Sendable, Equatable {
        case null
        case bool(Bool)
        /// Finite.
        case number(Double)
        case string(String)
        case numbers([Double])
        case strings([String])
    }

    package struct Field: Sendable, Equatable {
        package let name: String
        package let value: Value
    }

    package private(set) var fields: [Field] = []

    package init() {}

    /// - Returns: nil if a name comes twice.
    package init?(_ fields: some Sequence<(name: String, value: Value)>) {
        self.fields = fields.map { Field(name: $0.name, value: $0.value) }.sorted { $0.name < $1.name }
        for (field, next) in zip(self.fields, self.fields.dropFirst()) where field.name == next.name { return nil }
    }

    package var isEmpty: Bool { fields.isEmpty }

    package subscript(name: String) -> Value? {
        let position = fields.firstPosition { $0.name >= name }
        return position < fields.count && fields[position].name == name ? fields[position].value : nil
    }

    /// With the fields of `changes` in the place of those that have their names; what is null there is gone (RFC 7396).
    package func merging(_ changes: CustomFields) -> CustomFields {
        var result = CustomFields()
        result.fields = fields.filter { changes[$0.name] == nil } + changes.fields.filter { $0.value != .null }
        result.fields.sort { $0.name < $1.name }
        return result
    }

    /// What they take in a record, in bytes: what `Limits.maxCustomBytes` is about.
    package var size: Int {
        fields.reduce(0) { size, field in
            let value =
                switch field.value {
                case .null, .bool: 1
                case .number: 8
                case .string(let text): text.utf8.count
                case .numbers(let numbers): 8 * numbers.count
                case .strings(let strings): strings.reduce(0) { $0 + $1.utf8.count + 4 }
                }
            return size + field.name.utf8.count + value
        }
    }

    /// Whether a client may choose the name: a letter or `_`, then up to 63 letters, digits, `_`, `.` and `-`, all of ASCII.
    package static func isValid(name: String) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool {
            (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z") || byte == UInt8(ascii: "_")
        }
        guard let first = name.utf8.first, isLetter(first), name.utf8.count <= 64 else { return false }
        return name.utf8.dropFirst().allSatisfy { byte in
            isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "-")
        }
    }
}
