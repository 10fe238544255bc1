package import Database

/// A key as the ring holds it: everything but the secret.
package struct Key: Sendable, Equatable {
    package static let nameLength = 1...100

    package let id: KeyID
    /// For people.
    package let name: String
    package let right: Right
    package let libraries: LibraryScope
    package let created: Timestamp
    /// From this moment on it is refused; `nil`: never.
    package let expires: Timestamp?
    var digest: SecretDigest
    /// The secret before the last rotation, as long as that one is taken too.
    var previous: Previous?

    struct Previous: Sendable, Equatable {
        let digest: SecretDigest
        let until: Timestamp
    }

    package func hasExpired(at time: Timestamp) -> Bool {
        expires.map { $0.milliseconds <= time.milliseconds } ?? false
    }

    /// Until when the secret before the last rotation is taken too.
    package func previousSecretEnds(after time: Timestamp) -> Timestamp? {
        previous.flatMap { $0.until.milliseconds > time.milliseconds ? $0.until : nil }
    }

    func accepts(_ digest: SecretDigest, at time: Timestamp) -> Bool {
        let isCurrent = digest == self.digest
        let isPrevious = previous.map { digest == $0.digest } ?? false
        return isCurrent || isPrevious && previousSecretEnds(after: time) != nil
    }
}
