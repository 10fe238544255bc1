package import Database

/// All keys of a server.
package struct KeyRing: Sendable, Equatable {
    package static let maxKeys = 10_000

    private var byID: [KeyID: Key] = [:]

    package init() {}

    /// - Parameter keys: with different ids.
    init(_ keys: [Key]) {
        for key in keys { byID[key.id] = key }
        precondition(byID.count == keys.count, "an id is one key's")
    }

    package var isEmpty: Bool { byID.isEmpty }
    package var count: Int { byID.count }

    /// In order of creation.
    package var keys: [Key] {
        byID.values.sorted { ($0.created.milliseconds, $0.id.description) < ($1.created.milliseconds, $1.id.description) }
    }

    /// Whether there is one that is taken at this moment.
    package func hasUsableKey(at time: Timestamp) -> Bool { byID.values.contains { !$0.hasExpired(at: time) } }

    // MARK: Asking

    /// What a credential allows. Cost: one SHA-256 of 64 bytes and a comparison, also where there is no such key.
    package func access(of credential: Credential, at time: Timestamp) throws(KeyRefusal) -> Access {
        let digest = SecretDigest(of: credential.secret)
        guard let key = byID[credential.id], key.accepts(digest, at: time) else { throw .unknown }
        guard !key.hasExpired(at: time) else { throw .expired }
        return Access(key: key.id, right: key.right, libraries: key.libraries)
    }

    // MARK: Changing

    /// A new key; its credential can be had here and nowhere else.
    package mutating func create(
        name: String, right: Right, libraries: LibraryScope = .all, expires: Timestamp? = nil, at time: Timestamp
    ) throws(KeysError) -> Credential {
        precondition(Key.nameLength.contains(name.unicodeScalars.count), "checked by the caller")
        precondition(right < .admin || libraries == .all, "what concerns everything is for a key to everything")
        guard byID.count < Self.maxKeys else { throw .tooManyKeys(limit: Self.maxKeys) }
        var id = KeyID.random()
        while byID[id] != nil { id = .random() }
        let credential = Credential(for: id)
        byID[id] = Key(
            id: id, name: name, right: right, libraries: libraries, created: time, expires: expires,
            digest: SecretDigest(of: credential.secret))
        return credential
    }

    /// Takes a key out of the ring; what it was.
    package mutating func revoke(_ id: KeyID) throws(KeysError) -> Key {
        guard let key = byID.removeValue(forKey: id) else { throw .unknownKey(id) }
        return key
    }

    /// Gives a key another secret.
    ///
    /// - Parameter overlap: for how long the secret that it had is taken too; a secret before that one is not.
    package mutating func rotate(_ id: KeyID, overlap: Duration, at time: Timestamp) throws(KeysError) -> Credential {
        guard var key = byID[id] else { throw .unknownKey(id) }
        let credential = Credential(for: id)
        let until = Timestamp(milliseconds: time.milliseconds + Int64(overlap / .milliseconds(1)))
        key.previous = overlap > .zero ? Key.Previous(digest: key.digest, until: until) : nil
        key.digest = SecretDigest(of: credential.secret)
        byID[id] = key
        return credential
    }
}
