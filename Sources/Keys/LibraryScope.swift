package import Database

/// The libraries that a key is for. To it, there are no others.
package enum LibraryScope: Sendable, Equatable {
    case all
    case only(Set<LibraryID>)

    package func contains(_ id: LibraryID) -> Bool {
        switch self {
        case .all: true
        case .only(let libraries): libraries.contains(id)
        }
    }
}
