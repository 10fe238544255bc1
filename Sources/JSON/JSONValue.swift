import CSimdJSON

/// A value being read, at the reader's current location. Every method that returns `nil` has noted why.
package struct JSONValue {
    let reader: JSONReader
    let value: quire_json_value

    package enum ValueType: String, Sendable {
        case null, boolean, number, string, array, object
    }

    package var type: ValueType {
        switch quire_json_type_of(value) {
        case QUIRE_JSON_NULL: .null
        case QUIRE_JSON_BOOL: .boolean
        case QUIRE_JSON_STRING: .string
        case QUIRE_JSON_ARRAY: .array
        case QUIRE_JSON_OBJECT: .object
        default: .number
        }
    }

    package func note(_ kind: JSONProblem.Kind, _ message: String) {
        reader.note(kind, message)
    }

    package func bool() -> Bool? {
        guard isType(.boolean) else { return nil }
        return quire_json_bool(value)
    }

    /// Numbers written without fraction or exponent; nothing is rounded.
    package func integer(in range: ClosedRange<Int>) -> Int? {
        let type = quire_json_type_of(value)
        guard type == QUIRE_JSON_INTEGER || type == QUIRE_JSON_UNSIGNED else {
            let found = type == QUIRE_JSON_DOUBLE ? "a fraction" : self.type.rawValue
            reader.note(.wrongType, "expected an integer, got \(found)")
            return nil
        }
        guard type == QUIRE_JSON_INTEGER, range.contains(Int(quire_json_integer(value))) else {
            reader.note(.outOfRange, "must be between \(range.lowerBound) and \(range.upperBound)")
            return nil
        }
        return Int(quire_json_integer(value))
    }

    package func number() -> Double? {
        guard isType(.number) else { return nil }
        return quire_json_double(value)
    }

    /// A number; an integer that 64 bits of floating point do not hold exactly is refused.
    package func exactNumber() -> Double? {
        guard let number = number() else { return nil }
        let type = quire_json_type_of(value)
        let isExact = type == QUIRE_JSON_INTEGER ? Int64(exactly: number) == quire_json_integer(value) : type != QUIRE_JSON_UNSIGNED
        guard isExact else {
            reader.note(.outOfRange, "integers beyond 2^53 are not exact as numbers: send a string")
            return nil
        }
        return number
    }

    package func string() -> String? {
        guard isType(.string) else { return nil }
        return stringWithBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// A string whose length, in Unicode scalars, is within `length`.
    package func string(length: ClosedRange<Int>) -> String? {
        guard isType(.string) else { return nil }
        return stringWithBytes { bytes in
            // Every byte that is not a continuation byte (10xxxxxx) begins a scalar.
            let scalars = bytes.reduce(into: 0) { count, byte in count += byte & 0xC0 != 0x80 ? 1 : 0 }
            if scalars < length.lowerBound {
                reader.note(.tooShort, "must have at least \(length.lowerBound) \(Self.plural("character", length.lowerBound))")
                return nil
            }
            if scalars > length.upperBound {
                reader.note(
                    .tooLong, "must have at most \(length.upperBound) \(Self.plural("character", length.upperBound)), has \(scalars)")
                return nil
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// One of the raw values of an enumeration; others are refused with the list of known ones.
    package func choice<Choice: RawRepresentable & CaseIterable>(of _: Choice.Type) -> Choice? where Choice.RawValue == String {
        guard let text = string() else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let known = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        reader.note(.unknownValue, "unknown value \(JSONReader.quoted(text)); known: \(known)")
        return nil
    }

    /// - Parameter message: what is said of members that nobody asked for; `nil` where they are none of our business.
    package func object(unknownField message: String? = "unknown field", _ body: (inout JSONObject) -> Void) {
        guard isType(.object) else { return }
        var object = JSONObject(reader: reader, value: value)
        body(&object)
        if let message { object.noteUnknownMembers(message) }
    }

    /// An array whose number of elements is within `count`; elements that `read` refuses are left out.
    package func array<Element>(count: ClosedRange<Int>, _ read: (JSONValue) -> Element?) -> [Element]? {
        guard isType(.array) else { return nil }
        let actual = quire_json_array_count(value)
        if actual < count.lowerBound {
            reader.note(.tooShort, "must have at least \(count.lowerBound) \(Self.plural("element", count.lowerBound))")
            return nil
        }
        if actual > count.upperBound {
            reader.note(.tooLong, "must have at most \(count.upperBound) \(Self.plural("element", count.upperBound)), has \(actual)")
            return nil
        }
        var elements: [Element] = []
        elements.reserveCapacity(actual)
        var iterator = quire_json_array(value)
        var child = quire_json_value()
        var index = 0
        while quire_json_next_element(&iterator, &child) {
            let element = JSONValue(reader: reader, value: child)
            if let read = reader.descend(.index(index), { read(element) }) { elements.append(read) }
            index += 1
        }
        return elements
    }

    /// An array of finite numbers, narrowed to Float in one call.
    /// - Parameter expected: how many are likely; more or fewer are returned as they are.
    package func floats(expected: Int) -> [Float]? {
        guard isType(.array) else { return nil }
        var count = 0
        var outcome = QUIRE_JSON_FLOATS_OK
        let capacity = max(expected, quire_json_array_count(value))
        let floats = [Float](unsafeUninitializedCapacity: capacity) { buffer, initialized in
            outcome = quire_json_read_floats(value, buffer.baseAddress, capacity, &count)
            initialized = outcome == QUIRE_JSON_FLOATS_OK ? min(count, capacity) : 0
        }
        switch outcome {
        case QUIRE_JSON_FLOATS_OK:
            return floats
        case QUIRE_JSON_FLOATS_NOT_A_NUMBER:
            reader.descend(.index(count)) { reader.note(.wrongType, "expected a number") }
        default:
            reader.descend(.index(count)) { reader.note(.notFinite, "is out of the range of a 32-bit float") }
        }
        return nil
    }

    /// Reads this value apart from the rest of the text: what is wrong with it is wrong with nothing else.
    package func apart<Value>(_ read: (JSONValue) -> Value?) -> Result<Value, JSONProblems> {
        let reader = reader.apart()
        let result = read(JSONValue(reader: reader, value: value))
        do {
            try reader.finish()
            return .success(result!)
        } catch {
            return .failure(error)
        }
    }

    private func isType(_ wanted: ValueType) -> Bool {
        guard type != wanted else { return true }
        let article = wanted == .array || wanted == .object ? "an" : "a"
        reader.note(.wrongType, "expected \(article) \(wanted.rawValue), got \(type.rawValue)")
        return false
    }

    private func stringWithBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        var bytes: UnsafePointer<CChar>?
        var count = 0
        quire_json_string(value, &bytes, &count)
        // Sound: the bytes lie in the document, which the reader holds.
        return body(UnsafeBufferPointer(start: UnsafeRawPointer(bytes!).assumingMemoryBound(to: UInt8.self), count: count))
    }

    private static func plural(_ noun: String, _ count: Int) -> String {
        count == 1 ? noun : noun + "s"
    }
}
