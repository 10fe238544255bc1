/// The part of JSON Schema (2020-12) that the OpenAPI document uses. A keyword it does not know is a violation, so that nothing in
/// the document goes unchecked unnoticed.
package struct Schema: Sendable {
    package let document: JSON

    /// Every place where `value` breaks `schema`, in words.
    package func violations(of schema: JSON, by value: JSON, at path: String = "$") -> [String] {
        guard let keywords = schema.object else { return ["\(path): the schema is no object"] }
        return keywords.sorted { $0.key < $1.key }.flatMap { keyword, rule in
            violations(of: keyword, rule, in: keywords, by: value, at: path)
        }
    }

    package func resolve(_ object: JSON) -> JSON {
        guard let reference = object["$ref"]?.string else { return object }
        precondition(reference.hasPrefix("#/"), "references stay within the document")
        let target = reference.dropFirst(2).split(separator: "/").reduce(document as JSON?) { $0?[String($1)] }
        guard let target else { preconditionFailure("nothing at \(reference)") }
        return resolve(target)
    }

    private func violations(of keyword: String, _ rule: JSON, in schema: [String: JSON], by value: JSON, at path: String) -> [String] {
        func require(_ holds: Bool, _ problem: @autoclosure () -> String) -> [String] { holds ? [] : ["\(path): \(problem())"] }

        switch keyword {
        case "description", "default", "contentEncoding":
            return []
        case "$ref":
            return violations(of: resolve(.object(schema)), by: value, at: path)
        case "allOf":
            return (rule.array ?? []).flatMap { violations(of: $0, by: value, at: path) }
        case "anyOf":
            return require((rule.array ?? []).contains { violations(of: $0, by: value, at: path).isEmpty }, "matches no alternative")
        case "oneOf":
            let matching = (rule.array ?? []).count { violations(of: $0, by: value, at: path).isEmpty }
            return require(matching == 1, "matches \(matching) of the alternatives")
        case "type":
            let types = rule.array ?? [rule]
            return require(types.contains { Self.isType($0.string ?? "", value) }, "is no \(rule.text)")
        case "enum":
            return require(rule.array?.contains(value) ?? false, "\(value.text) is not one of \(rule.text)")
        case "required":
            guard let members = value.object else { return [] }
            return (rule.array ?? []).compactMap(\.string).filter { members[$0] == nil }.map { "\(path): has no \($0)" }
        case "properties":
            guard let members = value.object else { return [] }
            return members.sorted { $0.key < $1.key }.flatMap { name, member in
                rule[name].map { violations(of: $0, by: member, at: "\(path).\(name)") } ?? []
            }
        case "additionalProperties":
            let known = schema["properties"]?.object ?? [:]
            let others = (value.object ?? [:]).filter { known[$0.key] == nil }.sorted { $0.key < $1.key }
            if rule == false { return others.map { "\(path): \($0.key) is undocumented" } }
            return others.flatMap { name, member in violations(of: rule, by: member, at: "\(path).\(name)") }
        case "propertyNames":
            return (value.object ?? [:]).keys.sorted().flatMap { violations(of: rule, by: .string($0), at: "\(path).\($0)") }
        case "minProperties": return require(value.object.map { $0.count >= rule.integer! } ?? true, "has too few members")
        case "maxProperties": return require(value.object.map { $0.count <= rule.integer! } ?? true, "has too many members")
        case "items":
            return (value.array ?? []).enumerated().flatMap { violations(of: rule, by: $1, at: "\(path)[\($0)]") }
        case "minItems": return require(value.array.map { $0.count >= rule.integer! } ?? true, "has too few elements")
        case "maxItems": return require(value.array.map { $0.count <= rule.integer! } ?? true, "has too many elements")
        case "minLength": return require(value.string.map { $0.unicodeScalars.count >= rule.integer! } ?? true, "is too short")
        case "maxLength": return require(value.string.map { $0.unicodeScalars.count <= rule.integer! } ?? true, "is too long")
        case "minimum": return require(value.number.map { $0 >= rule.number! } ?? true, "\(value.text) is too small")
        case "maximum": return require(value.number.map { $0 <= rule.number! } ?? true, "\(value.text) is too large")
        case "pattern":
            guard let text = value.string, let pattern = try? Regex(rule.string ?? "") else { return [] }
            return require(text.wholeMatch(of: pattern) != nil, "'\(text)' does not match \(rule.text)")
        case "format":
            guard let text = value.string else { return [] }
            return require(Self.hasFormat(rule.string ?? "", text), "'\(text)' is no \(rule.text)")
        default:
            return ["\(path): the keyword \(keyword) is unknown here"]
        }
    }

    private static func isType(_ type: String, _ value: JSON) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array), ("object", .object): true
        case ("integer", .number(let number)): number.rounded() == number
        default: false
        }
    }

    private static func hasFormat(_ format: String, _ text: String) -> Bool {
        switch format {
        case "uuid": has(text, shape: "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
        // Only as the server writes it.
        case "date-time": has(text, shape: "dddd-dd-ddTdd:dd:dd.dddZ")
        default: false
        }
    }

    /// Whether the text has a decimal digit for each `d`, a hexadecimal one for each `h`, and else what the shape has.
    private static func has(_ text: String, shape: String) -> Bool {
        text.utf8.count == shape.utf8.count
            && zip(text.utf8, shape.utf8).allSatisfy { byte, wanted in
                switch wanted {
                case UInt8(ascii: "d"): (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                case UInt8(ascii: "h"): Character(UnicodeScalar(byte)).isHexDigit
                default: byte == wanted
                }
            }
    }
}
