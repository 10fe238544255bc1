import CSimdJSON

/// An object being read. Members that nobody asked for are problems when it ends: a typo must not be silent.
package struct JSONObject {
    private struct Member {
        let key: UnsafeBufferPointer<UInt8>
        let value: quire_json_value
        var isUsed = false
    }

    private let reader: JSONReader
    private var members: [Member] = []

    // Sound: keys and values point into the document, which the reader holds while it reads.
    init(reader: JSONReader, value: quire_json_value) {
        self.reader = reader
        var iterator = quire_json_object(value)
        var key: UnsafePointer<CChar>?
        var count = 0
        var member = quire_json_value()
        while quire_json_next_member(&iterator, &key, &count, &member) {
            let bytes = UnsafeRawPointer(key!).assumingMemoryBound(to: UInt8.self)
            members.append(Member(key: UnsafeBufferPointer(start: bytes, count: count), value: member))
        }
    }

    package var isEmpty: Bool { members.isEmpty }

    /// Whether the member is there and not null.
    package func has(_ name: StaticString) -> Bool {
        guard let index = find(name) else { return false }
        return quire_json_type_of(members[index].value) != QUIRE_JSON_NULL
    }

    /// A member that must be there; a missing one is noted.
    package mutating func required<Value>(_ name: StaticString, _ read: (JSONValue) -> Value?) -> Value? {
        if let value = take(name) {
            return reader.descend(.key(name.description)) { read(value) }
        }
        reader.descend(.key(name.description)) { reader.note(.missing, "is required") }
        return nil
    }

    /// A member that may be absent; null means absent.
    package mutating func optional<Value>(_ name: StaticString, _ read: (JSONValue) -> Value?) -> Value? {
        guard let value = take(name) else { return nil }
        return reader.descend(.key(name.description)) { read(value) }
    }

    /// As above, for names known only at run time.
    package mutating func optional<Value>(named name: String, _ read: (JSONValue) -> Value?) -> Value? {
        let index = members.firstIndex { $0.key.elementsEqual(name.utf8) }
        guard let value = take(index) else { return nil }
        return reader.descend(.key(name)) { read(value) }
    }

    /// Reads every member that nobody has asked for yet, in the order of the text; null is a value here.
    package mutating func rest(_ read: (_ name: String, _ value: JSONValue) -> Void) {
        for index in members.indices where !members[index].isUsed {
            members[index].isUsed = true
            let name = String(decoding: members[index].key, as: UTF8.self)
            reader.descend(.key(JSONReader.shortened(name))) { read(name, JSONValue(reader: reader, value: members[index].value)) }
        }
    }

    /// Notes a problem with the object as a whole.
    package func note(_ kind: JSONProblem.Kind, _ message: String) {
        reader.note(kind, message)
    }

    /// Notes a problem with one member.
    package func note(_ kind: JSONProblem.Kind, at name: StaticString, _ message: String) {
        reader.descend(.key(name.description)) { reader.note(kind, message) }
    }

    func noteUnknownMembers(_ message: String) {
        for member in members where !member.isUsed {
            // The location names it, so the message need not: input is echoed once.
            let name = JSONReader.shortened(String(decoding: member.key, as: UTF8.self))
            reader.descend(.key(name)) { reader.note(.unknownField, message) }
        }
    }

    private mutating func take(_ name: StaticString) -> JSONValue? {
        take(find(name))
    }

    private mutating func take(_ index: Int?) -> JSONValue? {
        guard let index else { return nil }
        members[index].isUsed = true
        guard quire_json_type_of(members[index].value) != QUIRE_JSON_NULL else { return nil }
        return JSONValue(reader: reader, value: members[index].value)
    }

    private func find(_ name: StaticString) -> Int? {
        let wanted = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        return members.firstIndex { $0.key.count == wanted.count && $0.key.elementsEqual(wanted) }
    }
}
