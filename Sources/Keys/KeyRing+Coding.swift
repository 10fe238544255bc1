import Database
import JSON

/// The key ring as JSON, version 1; docs/file-formats.md has the fields.
extension KeyRing {
    static let version = 1

    func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 64 + 320 * count)
        json.object { json in
            json.member("version", Self.version)
            json.key("keys")
            json.array { json in
                for key in keys { json.write(key) }
            }
        }
        return json.finish() + [UInt8(ascii: "\n")]
    }

    /// Why bytes are no key ring. It says where, and quotes no value.
    struct Unreadable: Error {
        let reason: String
    }

    init(decoding bytes: [UInt8]) throws(Unreadable) {
        do {
            let reader = JSONReader(try JSONDocument(parsing: bytes), at: [])
            var keys: [Key]?
            reader.readObject { object in
                _ = object.required("version") { $0.integer(in: Self.version...Self.version) }
                keys = object.required("keys") { $0.array(count: 0...Self.maxKeys, Key.init) }
            }
            try reader.finish()
            guard let keys, Set(keys.map(\.id)).count == keys.count else { throw Unreadable(reason: "two keys have one id") }
            self.init(keys)
        } catch let error as Unreadable {
            throw error
        } catch let error as JSONProblems {
            throw Unreadable(reason: error.problems[0].place)
        } catch {
            throw Unreadable(reason: "it is not well-formed JSON")
        }
    }
}

extension JSONProblem {
    /// `keys[3].right: unknown_value`
    fileprivate var place: String {
        let path = location.reduce(into: "") { text, component in
            switch component {
            case .key(let key): text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
        return "\(path.isEmpty ? "the whole" : path): \(kind.rawValue)"
    }
}

extension Key {
    fileprivate init?(_ value: JSONValue) {
        var key: Key?
        value.object { object in
            let id = object.required("id") { $0.read("an id", KeyID.init) }
            let name = object.required("name") { $0.string(length: Self.nameLength) }
            let right = object.required("right") { $0.choice(of: Right.self) }
            let libraries = object.optional("libraries") { $0.array(count: 0...Self.maxLibraries) { $0.read("an id", LibraryID.init) } }
            let created = object.required("created") { $0.read("a time", Timestamp.init) }
            let expires = object.optional("expires") { $0.read("a time", Timestamp.init) }
            let digest = object.required("sha256") { $0.read("a digest", SecretDigest.init(hexadecimal:)) }
            let previous = object.optional("previous", Previous.init)
            guard let id, let name, let right, let created, let digest else { return }
            guard right < .admin || libraries == nil else {
                return object.note(.unknownValue, at: "libraries", "a key with the right 'admin' is for all of them")
            }
            key = Key(
                id: id, name: name, right: right, libraries: libraries.map { .only(Set($0)) } ?? .all, created: created, expires: expires,
                digest: digest, previous: previous)
        }
        guard let key else { return nil }
        self = key
    }

    private static let maxLibraries = 10_000
}

extension Key.Previous {
    fileprivate init?(_ value: JSONValue) {
        var previous: Self?
        value.object { object in
            let digest = object.required("sha256") { $0.read("a digest", SecretDigest.init(hexadecimal:)) }
            let until = object.required("until") { $0.read("a time", Timestamp.init) }
            if let digest, let until { previous = Self(digest: digest, until: until) }
        }
        guard let previous else { return nil }
        self = previous
    }
}

extension JSONValue {
    fileprivate func read<Value>(_ what: String, _ parse: (String) -> Value?) -> Value? {
        guard let text = string() else { return nil }
        if let value = parse(text) { return value }
        note(.unknownValue, "is not \(what)")
        return nil
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ key: Key) {
        object { json in
            json.member("id", key.id.description)
            json.member("name", key.name)
            json.member("right", key.right.rawValue)
            if case .only(let libraries) = key.libraries {
                json.key("libraries")
                json.array(libraries.sorted().map(\.description))
            }
            json.member("created", key.created.description)
            json.member("expires", key.expires?.description)
            json.member("sha256", key.digest.hexadecimal)
            if let previous = key.previous {
                json.key("previous")
                json.object { json in
                    json.member("sha256", previous.digest.hexadecimal)
                    json.member("until", previous.until.description)
                }
            }
        }
    }
}
