package import Storage

/// What can be wrong with the key ring.
package enum KeysError: Error, Equatable {
    /// The file is not what `quire keys` writes. The reason says where, and quotes no value.
    case damaged(path: String, reason: String)
    /// Others than its owner may write the file: whoever can, could make keys.
    case exposed(path: String)
    /// The file cannot be read or written.
    case storage(StorageError)
    case unknownKey(KeyID)
    case tooManyKeys(limit: Int)

    /// What is wrong in words that everybody may hear: no path, nothing of the content.
    package var summary: String {
        switch self {
        case .damaged: "the key ring is damaged"
        case .exposed: "the key ring may be written by others than its owner"
        case .storage: "the key ring cannot be read"
        case .unknownKey(let id): "there is no key \(id)"
        case .tooManyKeys(let limit): "the key ring holds \(limit) keys, which is as many as it may"
        }
    }
}

extension KeysError: CustomStringConvertible {
    /// For the operator.
    package var description: String {
        switch self {
        case .damaged(let path, let reason): "\(path) is no key ring that `quire keys` has written: \(reason)"
        case .exposed(let path): "\(path) may be written by others than its owner: chmod 600 it, and look through `quire keys list`"
        case .storage(let error): "\(error)"
        case .unknownKey, .tooManyKeys: summary
        }
    }
}
