/// What whoever sent a request may do, once that is known.
package struct Access: Sendable, Equatable {
    /// `nil` for somebody without a key, where none is required.
    package let key: KeyID?
    package let right: Right
    package let libraries: LibraryScope

    /// Of everybody, where no key is required.
    package static let unrestricted = Access(key: nil, right: .admin, libraries: .all)
}

/// Why a credential gives no access.
package enum KeyRefusal: Error, Equatable {
    /// There is no such key, or this is not its secret: which of the two is not for strangers to know.
    case unknown
    /// Told only to who has the secret.
    case expired
}
