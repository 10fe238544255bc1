import Database
import JSON

extension JSONValue {
    /// Custom fields: a flat map of strings, numbers, truth values, nulls, and arrays of strings or of numbers.
    func customFields() -> CustomFields? {
        var fields: [(name: String, value: CustomFields.Value)] = []
        var count = 0
        object { object in
            object.rest { name, value in
                count += 1
                guard CustomFields.isValid(name: name) else {
                    return value.note(.unknownField, "a name is a letter or _, then at most 63 letters, digits, '_', '.' and '-'")
                }
                if let value = value.customValue() { fields.append((name, value)) }
            }
        }
        guard fields.count == count, let custom = CustomFields(fields) else { return nil }
        guard count <= Limits.maxCustomFields else {
            note(.tooLong, "must have at most \(Limits.maxCustomFields) fields, has \(count)")
            return nil
        }
        guard custom.size <= Limits.maxCustomBytes else {
            note(.tooLong, "must take at most \(Limits.maxCustomBytes) bytes, takes \(custom.size)")
            return nil
        }
        return custom
    }

    private func customValue() -> CustomFields.Value? {
        switch type {
        case .null: return .null
        case .boolean: return bool().map { .bool($0) }
        case .number: return exactNumber().map { .number($0) }
        case .string: return string().map { .string($0) }
        case .array: return customList()
        case .object:
            note(.wrongType, "expected a string, a number, a boolean, null or an array, got object")
            return nil
        }
    }

    private func customList() -> CustomFields.Value? {
        var types: Set<ValueType> = []
        let count = 0...Limits.maxCustomBytes
        guard let elements = array(count: count, { element in types.insert(element.type) }) else { return nil }
        switch types {
        case [.number]: return list(count: elements.count) { $0.exactNumber() }.map { .numbers($0) }
        case [.string], []: return list(count: elements.count) { $0.string() }.map { .strings($0) }
        default:
            note(.wrongType, "expected an array of strings or one of numbers")
            return nil
        }
    }

    /// All of an array's elements, or nil.
    private func list<Element>(count: Int, _ read: (JSONValue) -> Element?) -> [Element]? {
        array(count: 0...count, read).flatMap { $0.count == count ? $0 : nil }
    }
}

extension JSONWriter {
    mutating func write(_ custom: CustomFields) {
        object { json in
            for field in custom.fields {
                json.key(field.name)
                switch field.value {
                case .null: json.null()
                case .bool(let flag): json.value(flag)
                case .number(let number): json.write(exact: number)
                case .string(let text): json.value(text)
                case .numbers(let numbers): json.array { json in for number in numbers { json.write(exact: number) } }
                case .strings(let strings): json.array(strings)
                }
            }
        }
    }

    /// What came as an integer goes as one.
    private mutating func write(exact number: Double) {
        if let integer = Int(exactly: number), abs(integer) <= 1 << 53, number.sign == .plus || integer != 0 {
            value(integer)
        } else {
            value(number)
        }
    }
}
